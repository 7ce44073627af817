"""Every weakening of a policy is found by its name; what weakens nothing is not taken for one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate import Policy
from lockgate.gates.kinds import KINDS
from lockgate.gates.policy.diff import compare_policies
from lockgate.gates.strictness import WORDING, Changed, Direction, Finding, Limit, Ranked, declared_rules
from tests.gates.conftest import Make

WEAKER, REVIEW, TIGHTER, NEUTRAL = Direction.WEAKER, Direction.REVIEW, Direction.TIGHTER, Direction.NEUTRAL
LIMIT = ("lower floor", "higher floor")
WAIVING = ("waiving rule", "waiving rule taken back")
MARGIN = ("wider margin", "narrower margin")
ROWS = ("fewer rows or clusters", "more rows or clusters")
GATES = ("dropped gate or slice", "added gate or slice")
SEVERITY = ("block to warn", "warn to block")
CONFIDENCE = ("lower confidence", "higher confidence")
LOOKS = ("more looks", "fewer looks")
SLICES = {
    "kind": "slices",
    "by": ["site", "team"],
    "metric": "auc",
    "margin": -0.02,
    "require": "non_inferior",
    "min_rows": 100,
    "small_slice": "inconclusive",
    "values": ["a, x", "b, y"],
    "optional_values": ["b, y"],
}
CALIBRATED = {"kind": "calibration", "measure": "gap", "max": 0.1, "decide": "bound"}
FAIR = {
    "kind": "fairness",
    "by": "site",
    "metric": "auc",
    "max": 0.1,
    "decide": "bound",
    "min_rows": 20,
    "small_slice": "block",
}
CHURN = {"kind": "disagreement", "max": 0.1, "decide": "bound"}
FAST = {"kind": "resource", "fact": "fit_seconds", "max": 60}
PARITY = {"kind": "parity", "max_difference": 0.0, "min_rows": 100}
SKIPPING = {**SLICES, "require": "no_proven_harm", "small_slice": "skip"}
FLOOR = {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}
DATA = {
    "kind": "data",
    "min_rows": 1000,
    "min_clusters": 20,
    "label_rate": {"min": 0.1, "max": 0.4},
    "max_missing": 0.1,
    "require_columns": ["a"],
    "banned_columns": ["b", "c"],
    "types": {"a": "number"},
    "max_age": "30d",
}
DRIFT = {"kind": "drift", "of": "features", "measure": "psi", "against": "training", "max": 0.2, "decide": "bound"}
TWO = {"kind": "any_of", "checks": {"floor": FLOOR, "other": {**FLOOR, "metric": "accuracy", "min": 0.7}}}
CLAUSES = "n - o > 0.01 +/- 0.02 /\\ d < 0.1 +/- 0.05"
CLAUSED = {"kind": "condition", "condition": CLAUSES}
GAIN = {"kind": "improvement", "metric": "auc", "margin": 0.0}
TRACED = {"kind": "provenance", "require": ["clean"]}


def list_findings(make: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Direction, name and place of every finding, of policies with a gate `it`, or of keys of the policy."""
    old, new = (_policy(make, part) for part in (before, after))
    return {(str(part.direction), part.name, part.where) for part in compare_policies(old, new)}


def _policy(make: Any, part: Mapping[str, Any]) -> Policy:
    return make.policy({"it": part, "rest": FLOOR}) if "kind" in part else make.policy(**part)


# what is there, what it becomes, the names of the weakening and of the way back, where
LADDER: list[tuple[dict[str, Any], dict[str, Any], tuple[str, str], str]] = [
    (FLOOR, {"min": 0.5}, LIMIT, "min"),
    ({**FLOOR, "max": 0.9}, {"max": 0.95}, LIMIT, "max"),
    ({**FLOOR, "max": 0.9}, {"max": None}, LIMIT, "max"),
    (FLOOR, {"decide": "point"}, WAIVING, "decide"),
    (FLOOR, {"severity": "warn"}, SEVERITY, "severity"),
    ({"kind": "leakage"}, {"severity": "warn"}, SEVERITY, "severity"),
    ({**GAIN, "margin": 0.01}, {"margin": 0.0}, MARGIN, "margin"),
    (GAIN, {"margin": -0.01}, MARGIN, "margin"),
    (SLICES, {"margin": -0.05}, MARGIN, "margin"),
    (SLICES, {"require": "no_proven_harm"}, WAIVING, "require"),
    (SLICES, {"min_rows": 50}, ROWS, "min_rows"),
    (SLICES, {"small_slice": "skip"}, WAIVING, "small_slice"),
    ({**SLICES, "small_slice": "block"}, {"small_slice": "inconclusive"}, WAIVING, "small_slice"),
    (SLICES, {"optional_values": ["a, x", "b, y"]}, GATES, "optional_values"),
    ({**SLICES, "optional_values": []}, {"values": ["a, x"]}, GATES, "values"),
    (CALIBRATED, {"max": 0.2}, LIMIT, "max"),
    (CHURN, {"max": 0.2}, LIMIT, "max"),
    ({**CHURN, "beyond": 1.0}, {"beyond": 2.0}, LIMIT, "beyond"),
    (DRIFT, {"max": 0.3}, LIMIT, "max"),
    (DRIFT, {"columns": ["a"]}, GATES, "columns"),
    ({**DRIFT, "columns": ["a", "b"]}, {"columns": ["a"]}, GATES, "columns"),
    (DATA, {"min_rows": 10}, ROWS, "min_rows"),
    (DATA, {"min_rows": None}, ROWS, "min_rows"),
    (DATA, {"min_clusters": 10}, ROWS, "min_clusters"),
    (DATA, {"label_rate": {"min": 0.05, "max": 0.4}}, LIMIT, "label_rate.min"),
    (DATA, {"label_rate": {"min": 0.1}}, LIMIT, "label_rate.max"),
    (DATA, {"max_missing": 0.5}, LIMIT, "max_missing"),
    (DATA, {"require_columns": None}, GATES, "require_columns"),
    (DATA, {"banned_columns": ["c"]}, GATES, "banned_columns"),
    (DATA, {"types": None}, GATES, "types"),
    (DATA, {"max_age": "60d"}, LIMIT, "max_age"),
    (FAST, {"max": 90}, LIMIT, "max"),
    ({**FAST, "min": 1}, {"min": None}, LIMIT, "min"),
    ({**TRACED, "require": ["clean", "model"]}, {"require": ["model"]}, GATES, "require"),
    ({**TRACED, "max_age": "2d"}, {"max_age": "49h"}, LIMIT, "max_age"),
    (PARITY, {"max_difference": 1e-9}, LIMIT, "max_difference"),
    (PARITY, {"min_rows": 1}, ROWS, "min_rows"),
    (FAIR, {"max": 0.2}, LIMIT, "max"),
    (CLAUSED, {"condition": CLAUSES.replace("0.01", "-0.01")}, MARGIN, "condition"),
    (CLAUSED, {"condition": CLAUSES.replace("0.1 ", "0.2 ")}, LIMIT, "condition"),
    (CLAUSED, {"condition": CLAUSES.replace("0.05", "0.06")}, ROWS, "condition"),
    (CLAUSED, {"condition": CLAUSES.partition(" /")[0]}, GATES, "condition"),
    (TWO, {"checks": {**TWO["checks"], "floor": {**FLOOR, "min": 0.5}}}, LIMIT, "checks.floor.min"),
]


@pytest.mark.parametrize(("before", "change", "names", "where"), LADDER, ids=lambda value: str(value)[:40])
def test_a_weakening_of_a_gate_has_a_name_and_so_has_the_way_back(
    make, before: dict, change: dict, names: tuple[str, str], where: str
) -> None:
    weaker, tighter = names
    after = {key: value for key, value in {**before, **change}.items() if value is not None}
    assert list_findings(make, before, after) == {("weaker", weaker, f"gate.checks.it.{where}")}
    assert list_findings(make, after, before) == {("tighter", tighter, f"gate.checks.it.{where}")}


def weaken_key(kind: str, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The kind's example, and a weaker one that differs in a key, by the key's rule; None where no rule says which."""
    example = dict(Make.checks.get(kind, {}))
    rule, value = declared_rules(KINDS[kind])[key], example.get(key)
    if isinstance(rule, Ranked):
        weaker, stricter = rule.weakest_first[:2]
        return {**example, key: stricter}, {**example, key: weaker}
    if isinstance(rule, Limit) and isinstance(value, int | float):
        step = 1 if isinstance(value, int) else 1e-6
        return example, {**example, key: value + (step if rule.stricter == "lower" else -step)}
    return None


BY_RULE = [(kind, key) for kind in KINDS for key in declared_rules(KINDS[kind]) if weaken_key(kind, key)]


@pytest.mark.parametrize(("kind", "key"), BY_RULE)
def test_a_key_is_weakened_the_way_its_rule_says(make, kind: str, key: str) -> None:
    before, after = weaken_key(kind, key)
    for old, new, expected in ((before, after, "weaker"), (after, before, "tighter")):
        changes = {finding[::2] for finding in list_findings(make, old, new)}
        assert changes == {(expected, f"gate.checks.it.{key}")}


GROUPED = {("slices", "by"), ("fairness", "by"), ("fairness", "min_rows")}
"""Keys of gates over groups, which tests below weaken."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_that_has_a_direction_is_weakened(kind: str) -> None:
    weakened_here = {(row[0]["kind"], row[3].split(".")[0]) for row in LADDER} | set(BY_RULE) | GROUPED
    directed = {
        key for key, rule in declared_rules(KINDS[kind]).items() if not isinstance(rule, Changed | type(WORDING))
    }
    missing = {key for key in directed if (kind, key) not in weakened_here}
    assert missing == set(), (
        f"give the example of gates/kinds/{kind}.py a number for these keys, or add a row for each to LADDER in "
        "tests/gates/policy/test_diff.py: (the gate, the weaker key, the names of the change and its way back, where)"
    )


@pytest.mark.parametrize(
    ("before", "after", "names", "where"),
    [
        ({"confidence": 0.95}, {"confidence": 0.9}, CONFIDENCE, "confidence"),
        ({"confidence": 0.95}, {"confidence": 0.949}, CONFIDENCE, "confidence"),
        ({"min_clusters": 10}, {"min_clusters": 2}, ROWS, "min_clusters"),
        ({"min_class_rows": 20}, {"min_class_rows": 19}, ROWS, "min_class_rows"),
        ({"serial_dependence": "if_ordered"}, {"serial_dependence": "ignore"}, WAIVING, "serial_dependence"),
        ({"clusters": "required"}, {"clusters": "if_present"}, WAIVING, "clusters"),
        ({"clusters": "if_present"}, {"clusters": "ignore"}, WAIVING, "clusters"),
        ({"if_no_champion": "hold"}, {}, WAIVING, "if_no_champion"),
        ({"disclose": "promotion_only"}, {}, WAIVING, "disclose"),
        ({"valid_for": "90d"}, {"valid_for": "91d"}, WAIVING, "valid_for"),
        ({"schedule": {"kind": "fixed", "looks": 20}}, {"schedule": {"kind": "open"}}, LOOKS, "schedule"),
        ({"schedule": {"kind": "single"}}, {"schedule": {"kind": "open"}}, LOOKS, "schedule"),
    ],
)
def test_a_weakening_of_the_whole_policy(make, before: dict, after: dict, names: tuple[str, str], where: str) -> None:
    weaker, tighter = names
    assert list_findings(make, before, after) == {("weaker", weaker, f"gate.{where}")}
    assert list_findings(make, after, before) == {("tighter", tighter, f"gate.{where}")}


@pytest.mark.parametrize("before", [{"kind": "single"}, {"kind": "fixed", "looks": 5}])
def test_more_looks_are_weaker_and_fewer_are_for_a_person_to_say(make, before: dict) -> None:
    many, few = {"schedule": {"kind": "fixed", "looks": 40}}, {"schedule": before}
    assert list_findings(make, few, many) == {("weaker", "more looks", "gate.schedule")}
    assert list_findings(make, many, few) == {("review", "other looks", "gate.schedule")}


@pytest.mark.parametrize(
    ("before", "change", "where"),
    [
        (FLOOR, {"metric": "average_precision"}, "metric"),
        (FLOOR, {"metric": "recall@0.3"}, "metric"),
        (CALIBRATED, {"measure": "ece"}, "measure"),
        (FAST, {"fact": "model_bytes"}, "fact"),
        (DRIFT, {"against": "champion"}, "against"),
        (DRIFT, {"measure": "js"}, "measure"),
        (DRIFT, {"of": "scores"}, "of"),
        (SLICES, {"by": ["site", "day"], "values": [], "optional_values": []}, "by"),
        (SLICES, {"by": ["site", "team", "day"], "values": ["a, x, 1", "b, y, 1"], "optional_values": []}, "by"),
        (SKIPPING, {"min_rows": 50}, "min_rows"),
        (CHURN, {"beyond": 2.0}, "beyond"),
        (TWO, {"checks": {"floor": FLOOR}}, "checks.other"),
        (SLICES, {"min_rows": 500, "small_slice": "block"}, "min_rows"),
    ],
    ids=str,
)
def test_what_nobody_can_tell_is_for_review(make, before: dict, change: dict, where: str) -> None:
    assert ("review", f"gate.checks.it.{where}") in {
        (finding[0], finding[2]) for finding in list_findings(make, before, before | change)
    }


def test_a_higher_limit_of_another_metric_is_no_higher_limit(make) -> None:
    changes = list_findings(make, FLOOR, {**FLOOR, "metric": "accuracy", "min": 0.9})
    assert {change[0] for change in changes} == {"review"}
    assert {change[2].rpartition(".")[2] for change in changes} == {"metric", "min"}


def test_fewer_columns_of_slices_and_more_alternatives_are_weaker(make) -> None:
    dropped = ("weaker", "dropped gate or slice")
    assert list_findings(make, SLICES, {**SLICES, "by": ["site"]}) == {(*dropped, "gate.checks.it.by")}
    assert list_findings(make, {**SLICES, "by": ["site"]}, {**SLICES, "by": "site"}) == set()
    more = {"checks": {**TWO["checks"], "third": {"kind": "leakage"}}}
    assert list_findings(make, TWO, TWO | more) == {(*dropped, "gate.checks.it.checks.third")}


def test_of_slices_that_are_skipped_when_small_more_rows_leave_some_out(make) -> None:
    expected = {("weaker", "dropped gate or slice", "gate.checks.it.min_rows")}
    assert list_findings(make, SKIPPING, {**SKIPPING, "min_rows": 10_000}) == expected


@pytest.mark.parametrize(
    "stricter", [{"confidence": 0.99}, {"clusters": "required"}, {"schedule": {"kind": "fixed", "looks": 50}}], ids=str
)
def test_more_proof_lets_more_harm_through_a_gate_that_passes_unless_harm_is_proven(make, stricter: dict) -> None:
    keys = {"clusters": "ignore", "schedule": {"kind": "fixed", "looks": 20}}
    checks = {"plain": SKIPPING, "either": {"kind": "any_of", "checks": {"slices": SKIPPING, "gain": GAIN}}}
    findings = compare_policies(make.policy(checks, **keys), make.policy(checks, **keys | stricter))
    where = {
        finding.where for finding in findings if finding.direction is REVIEW and "unless harm is proven" in finding.why
    }
    both = {"gate.checks.plain", "gate.checks.either.checks.slices"}
    assert where == (both - {"gate.checks.plain"} if "schedule" in stricter else both)


def test_gates_come_go_and_change_their_kind_or_name(make) -> None:
    old = make.policy({"floor": FLOOR, "leakage": {"kind": "leakage"}})
    without, renamed = make.policy({"floor": FLOOR}), make.policy({"floor": FLOOR, "leaks": {"kind": "leakage"}})
    other = make.policy({"floor": FLOOR, "leakage": {"kind": "provenance", "require": ["clean"]}})
    assert list_changes(old, without) == [(WEAKER, "dropped gate or slice", "gate.checks.leakage")]
    assert list_changes(without, old) == [(TIGHTER, "added gate or slice", "gate.checks.leakage")]
    assert list_changes(old, renamed) == [(REVIEW, "changed gate", "gate.checks.leakage")]
    assert list_changes(old, other) == [(REVIEW, "changed gate", "gate.checks.leakage")]


def list_changes(before: Policy, after: Policy) -> list[tuple[Direction, str, str]]:
    return [(finding.direction, finding.name, finding.where) for finding in compare_policies(before, after)]


def test_words_and_order_are_neutral(make) -> None:
    plain = {"floor": FLOOR, "either": TWO}
    reworded = {"either": {**TWO, "owner": "risk"}, "floor": {**FLOOR, "description": "the law asks for it"}}
    assert {change[0] for change in list_changes(make.policy(plain), make.policy(reworded))} == {NEUTRAL}
    swapped = {**SLICES, "by": ["team", "site"], "values": ["b, y", "a, x"]}
    assert list_findings(make, SLICES, swapped) == set()
    listed = {**SLICES, "values": [["a", "x"], "b, y"], "optional_values": [["b", "y"]]}
    assert list_findings(make, SLICES, listed) == set()
    assert list_findings(make, {"valid_for": "2d"}, {"valid_for": "48h"}) == set()
    assert (
        list_findings(
            make,
            {"kind": "condition", "condition": "d < 0.1 +/- 0.01"},
            {"kind": "condition", "condition": "2 * d  <  0.2 +/- 0.02"},
        )
        == set()
    )


def test_a_finding_says_both_values_and_why(make) -> None:
    (finding,) = compare_policies(make.policy({"it": FLOOR}), make.policy({"it": {**FLOOR, "min": 0.55}}))
    assert (finding.before, finding.after) == ("0.6", "0.55")
    assert finding.why == "the limit is easier to meet: models that were held may pass"


NUMBERS = {
    "min": [0.5, 0.6, 0.7],
    "max": [0.75, 0.9],
    "margin": [-0.02, 0.0, 0.01],
    "max_difference": [0.0, 1e-9],
    "min_rows": [10, 100],
    "max_missing": [0.1, 0.2],
    "severity": ["block", "warn"],
    "small_slice": ["inconclusive", "block", "skip"],
    "require": ["no_proven_harm", "non_inferior"],
    "decide": ["bound", "point"],
}
KEYS = {
    "confidence": [0.9, 0.95],
    "min_clusters": [2, 10],
    "min_class_rows": [2, 20],
    "serial_dependence": ["if_ordered", "ignore"],
    "clusters": ["if_present", "required", "ignore"],
    "if_no_champion": ["absolute_only", "hold"],
    "valid_for": ["90d", "12h"],
    "disclose": ["all", "promotion_only"],
    "schedule": [{"kind": "open"}, {"kind": "single"}, {"kind": "fixed", "looks": 20}],
}


@st.composite
def policies(draw: st.DrawFn, checks: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings of policies that parse: some of the checks, with some of their values changed."""
    names = draw(st.lists(st.sampled_from(sorted(checks)), min_size=1, unique=True))
    created = {"always": {"kind": "leakage"}}
    for name in names:
        check = copy.deepcopy(dict(checks[name]))
        for key in sorted(set(check) & set(NUMBERS)):
            if not (key == "require" and name != "slices"):
                check[key] = draw(st.sampled_from([check[key], *NUMBERS[key]]))
        created[name] = check
    return {"checks": created, **{key: draw(st.sampled_from(values)) for key, values in KEYS.items()}}


def _where(findings: tuple[Finding, ...], *directions: Direction) -> set[str]:
    return {finding.where for finding in findings if finding.direction in directions}


@settings(max_examples=150)
@given(data=st.data())
def test_what_weakens_one_way_does_not_pass_for_nothing_the_other_way(make, data: st.DataObject) -> None:
    first, other = (data.draw(policies(make.checks)) for _ in range(2))
    before, after = (make.policy(**keys) for keys in (first, other))
    assert compare_policies(before, before) == ()
    forward, back = compare_policies(before, after), compare_policies(after, before)
    assert _where(forward, TIGHTER) <= _where(back, WEAKER)
    assert _where(forward, WEAKER) <= _where(back, TIGHTER, REVIEW)
    directional = {first for first in _where(forward, WEAKER) if not first.endswith(("schedule", "min_rows"))}
    assert directional <= _where(back, TIGHTER)
    assert (before.digest != after.digest) <= bool(forward)
