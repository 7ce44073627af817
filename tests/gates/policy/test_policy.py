"""Policies: what is read, and what is refused with every mistake at once.

Tests of gates/policy/errors.py
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate import Policy
from lockgate.gates.errors import PolicyError
from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS
from lockgate.gates.policy.upgrades import UPGRADES

SHAPE = re.compile(r".+; expected .+ @ gate(\.[^ ]+)*( \((did you mean '.+'\?|.+ keeps what .+)\))?", re.DOTALL)


def problems(mapping: object) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(mapping)  # type: ignore[arg-type]
    assert all(SHAPE.fullmatch(line) for line in caught.value.problems), caught.value.problems
    return caught.value.problems


def only(mapping: object) -> str:
    (line,) = problems(mapping)
    return line


NUMBERS = [
    ("threshold", "min"),
    ("threshold", "max"),
    ("improvement", "margin"),
    ("slices", "margin"),
    ("calibration", "max"),
]


@pytest.mark.parametrize(("kind", "key"), NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e999, ".nan", "nan", "0.5", True, False, [0.5], {}])
def test_a_limit_must_be_a_finite_number(make, kind: str, key: str, value: object) -> None:
    line = only(make.mapping({"it": make.check(kind, **{key: value})}))
    assert line == f"got {value!r}; expected a finite number @ gate.checks.it.{key}"


@pytest.mark.parametrize("key", ["min_rows"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "20", math.nan, 2**60])
def test_counts_in_checks(make, key: str, value: object) -> None:
    assert only(make.mapping({"it": make.check("slices", **{key: value})})).endswith(f"@ gate.checks.it.{key}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("confidence", 0.5),
        ("confidence", 1),
        ("confidence", math.nan),
        ("confidence", "0.95"),
        ("confidence", True),
        ("min_clusters", 1),
        ("min_clusters", 2.5),
        ("min_clusters", 2**60),
        ("min_clusters", True),
        ("if_no_champion", "promote"),
        ("clusters", "no"),
        ("clusters", None),
        ("disclose", True),
        ("valid_for", "90"),
        ("valid_for", "0d"),
        ("valid_for", "-1d"),
        ("valid_for", 90),
        ("valid_for", "1e9d"),
    ],
)
def test_keys_of_the_policy(make, key: str, value: object) -> None:
    assert only(make.mapping(**{key: value})).endswith(f"@ gate.{key}")


@pytest.mark.parametrize(
    ("schedule", "where"),
    [
        ({"kind": "fixed"}, "looks"),
        ({"kind": "fixed", "looks": 0}, "looks"),
        ({"kind": "fixed", "looks": 1.5}, "looks"),
        ({"kind": "fixed", "looks": "3"}, "looks"),
        ({"kind": "fixed", "looks": True}, "looks"),
        ({"kind": "single", "looks": 2}, "looks"),
        ({"kind": "open", "looks": 3}, "looks"),
        ({"kind": "fixd"}, "kind"),
        ({}, "kind"),
        ({"kind": "fixed", "looks": 2, "each": 1}, "each"),
    ],
)
def test_schedules(make, schedule: dict, where: str) -> None:
    assert f"@ gate.schedule.{where}" in only(make.mapping(schedule=schedule))


def test_unknown_names_list_what_exists_and_the_nearest(make) -> None:
    line = only(make.mapping({"it": make.check("threshold", metric="acurracy")}))
    assert line.startswith("unknown metric 'acurracy', did you mean 'accuracy'?; expected one of auc, ")
    assert all(name in line for metrics in METRICS.values() for name in metrics)
    line = only(make.mapping({"it": {"kind": "treshold"}}))
    assert line.startswith("unknown kind 'treshold'; expected one of " + ", ".join(KINDS))
    assert line.endswith("@ gate.checks.it.kind (did you mean 'threshold'?)")
    line = only(make.mapping({"it": make.check("improvement", marign=0.1)}))
    assert line.startswith("unknown key 'marign'; expected one of ")
    assert line.endswith("@ gate.checks.it.marign (did you mean 'margin'?)")
    line = only(make.mapping(confidense=0.9))
    assert line.endswith("@ gate.confidense (did you mean 'confidence'?)")
    assert "no kind is given" in only(make.mapping({"it": {"metric": "auc"}}))
    assert "'bound' or 'point'" in only(make.mapping({"it": make.check("threshold", decide="either")}))
    assert "'block' or 'warn'" in only(make.mapping({"it": make.check("threshold", severity="info")}))


@pytest.mark.parametrize("key", sorted(set(Policy.model_fields)))
def test_no_key_has_a_default(make, key: str) -> None:
    mapping = make.mapping()
    del mapping[key]
    added = next((upgrade for upgrade in UPGRADES if upgrade.kind is None and upgrade.key == key), None)
    hint = f" ({added.value} keeps what a policy without it meant: {added.because})" if added else ""
    assert only(mapping) == f"nothing given; expected a value @ gate.{key}{hint}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_threshold_has_a_default(make, kind: str) -> None:
    fields = KINDS[kind].model_fields
    assert all(field.is_required() or not field.default for key, field in fields.items() if key != "severity")
    for key in {key for key in make.checks[kind] if fields[key].is_required()} - {"kind"}:
        check = {name: value for name, value in make.checks[kind].items() if name != key}
        assert only(make.mapping({"it": check})) == f"nothing given; expected a value @ gate.checks.it.{key}"


def test_limits(make) -> None:
    neither = {"kind": "threshold", "metric": "auc", "decide": "point"}
    assert only(make.mapping({"it": neither})).startswith("neither min nor max is given; expected one of them or both")
    assert "min is above max" in only(make.mapping({"it": {**neither, "min": 0.6, "max": 0.5}}))
    assert Policy.parse(make.mapping({"it": {**neither, "min": 1, "max": 1}})).checks["it"].min == 1.0
    assert "greater than 0" in only(make.mapping({"it": make.check("calibration", max=0)}))


POINT = {"kind": "threshold", "metric": "auc", "decide": "point"}
GAIN = {"kind": "improvement", "metric": "auc", "margin": 0.0}


@pytest.mark.parametrize(
    ("check", "line"),
    [
        ({**POINT, "min": 1.5}, "no model has auc >= 1.5; expected a limit inside 0 … 1 @ gate.checks.it.min"),
        ({**POINT, "max": -1}, "no model has auc <= -1; expected a limit inside 0 … 1 @ gate.checks.it.max"),
        ({**POINT, "max": 0}, "no model has auc <= 0; expected a limit inside 0 … 1 @ gate.checks.it.max"),
        (
            {**POINT, "metric": "brier", "min": 2},  # over several classes it is 2 at most
            "no model has brier >= 2; expected a limit inside 0 … 2 @ gate.checks.it.min",
        ),
        ({**POINT, "min": 0}, "every model meets auc >= 0 (point); expected a limit inside 0 … 1 @ gate.checks.it.min"),
        ({**POINT, "max": 1}, "every model meets auc <= 1 (point); expected a limit inside 0 … 1 @ gate.checks.it.max"),
        (
            {**POINT, "min": -1, "max": 2, "decide": "bound"},
            "every model meets auc >= -1 and auc <= 2 (bound); expected a limit inside 0 … 1 @ gate.checks.it.min",
        ),
        (
            {**POINT, "metric": "mae", "min": 0},
            "every model meets mae >= 0 (point); expected a limit inside 0 … ∞ @ gate.checks.it.min",
        ),
        (
            {**POINT, "metric": "mae", "max": -0.1},
            "no model has mae <= -0.1; expected a limit inside 0 … ∞ @ gate.checks.it.max",
        ),
        ({**GAIN, "margin": 1.1}, "no model gains 1.1 auc; expected a margin inside -1 … 1 @ gate.checks.it.margin"),
        (
            {**GAIN, "margin": -1},
            "no model loses more than 1 auc; expected a margin inside -1 … 1 @ gate.checks.it.margin",
        ),
    ],
)
def test_limits_that_decide_nothing(make, check: dict, line: str) -> None:
    assert only(make.mapping({"it": check})) == line


@pytest.mark.parametrize(
    "check",
    [
        {**POINT, "min": 1},
        {**POINT, "min": 0, "max": 0.9},
        {**POINT, "metric": "mae", "max": 1e300},
        {**POINT, "metric": "brier", "max": 0},
        {**GAIN, "margin": 1},
        {**GAIN, "margin": -0.99},
        {**GAIN, "metric": "log_loss", "margin": -10},
    ],
)
def test_limits_that_decide_something(make, check: dict) -> None:
    Policy.parse(make.mapping({"it": check}))


def test_slices_have_a_margin_that_decides(make) -> None:
    line = only(make.mapping({"it": make.check("slices", metric="accuracy", margin=-1.5)}))
    assert line == "no model loses more than 1.5 accuracy; expected a margin inside -1 … 1 @ gate.checks.it.margin"


def test_a_condition_is_parsed_with_the_policy(make) -> None:
    line = only(make.mapping({"it": {"kind": "condition", "condition": "n - o >= 0.1 +/- 0.1"}}))
    assert line == "got '=' at character 8 of the condition; expected a number @ gate.checks.it.condition"
    assert "nothing given" in only(make.mapping({"it": {"kind": "condition"}}))
    assert "@ gate.checks.it.condition" in only(make.mapping({"it": {"kind": "condition", "condition": 3}}))


@pytest.mark.parametrize(
    ("by", "line"),
    [
        (3, "got 3; expected a valid string @ gate.checks.it.by"),
        ("", "got ''; expected at least 1 entry @ gate.checks.it.by"),
        (["site", 3], "got 3; expected a valid string @ gate.checks.it.by.1"),
        (["site", "site"], "by names a column twice; expected different slice columns @ gate.checks.it"),
    ],
)
def test_a_value_that_fits_no_alternative_is_one_mistake(make, by: object, line: str) -> None:
    assert only(make.mapping({"it": make.check("slices", by=by)})) == line


def test_something_must_block(make) -> None:
    assert "no gates are declared" in only(make.mapping({}))
    warns = make.check("threshold", severity="warn")
    assert "every gate only warns" in only(make.mapping({"one": warns, "two": warns}))
    Policy.parse(make.mapping({"one": warns, "two": make.checks["leakage"]}))


@pytest.mark.parametrize("name", ["", "Upper", "1st", "a-b", "a.b", "a b", "a\nb", "x" * 500 + "!"])
def test_names_of_gates(make, name: str) -> None:
    (line,) = (problem.replace("\n", " ") for problem in _lines(make, name))
    assert "is no name for a gate; expected lower case, digits and _ @ gate.checks." in line


def _lines(make, name: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(make.mapping({name: make.checks["threshold"]}))
    return caught.value.problems


def test_every_mistake_is_collected(make) -> None:
    mapping = make.mapping(
        {
            "floor": make.check("threshold", min="nan", metric="aux"),
            "Bad": make.check("leakage", extra=1),
            "odd": {"kind": "nothing"},
        },
        confidence=2,
        clusters="x",
        schedule={"kind": "fixed", "looks": 0},
        valid_for="soon",
        stray=1,
    )
    del mapping["disclose"]
    lines = problems(mapping)
    where = sorted(re.search(r"@ gate\.([^ ]+)", line)[1] for line in lines)
    assert where == sorted(
        [
            "checks.floor.min",
            "checks.floor.metric",
            "checks.Bad",
            "checks.Bad.extra",
            "checks.odd.kind",
            "confidence",
            "clusters",
            "schedule.looks",
            "valid_for",
            "stray",
            "disclose",
        ]
    )
    with pytest.raises(PolicyError, match=f"{len(where)} problems: "):
        Policy.parse(mapping)


@pytest.mark.parametrize("value", [None, 3, "gate", [1], [("a", 1)]])
def test_what_is_no_mapping(value: object) -> None:
    assert "is no policy; expected a mapping @ gate" in only(value)


def test_where_is_said(make) -> None:
    with pytest.raises(PolicyError, match=r"@ conf/gate\.stray"):
        Policy.parse(make.mapping(stray=1), where="conf/gate")


@pytest.mark.parametrize("key", ["description", "owner"])
def test_text_that_cannot_be_written(make, key: str) -> None:
    assert "UTF-8" in only(make.mapping({"it": make.check("leakage", **{key: "\ud800"})}))


def test_digest_is_of_the_content(make) -> None:
    two = {"a": make.checks["threshold"], "b": make.checks["leakage"]}
    digests = {make.policy(checks).digest for checks in (two, dict(reversed(two.items())))}
    assert len(digests) == 1
    assert make.policy({**two, "a": make.check("threshold", min=0.61)}).digest not in digests


def test_what_is_only_said_of_a_gate_is_not_in_the_digest(make) -> None:
    words = {"description": "the law asks for it", "owner": "risk@example.org"}
    plain = {"a": make.checks["threshold"], "b": make.checks["any_of"]}
    inner = {name: {**check, **words} for name, check in plain["b"]["checks"].items()}
    spoken = {"a": {**plain["a"], **words}, "b": {**plain["b"], **words, "checks": inner}}
    assert make.policy(plain).digest == make.policy(spoken).digest
    assert make.policy({**plain, "a": {**plain["a"], "severity": "warn"}}).digest != make.policy(plain).digest
    harder = {"floor": {**plain["b"]["checks"]["floor"], "min": 0.61}}
    assert make.policy({**plain, "b": {**plain["b"], "checks": harder}}).digest != make.policy(plain).digest


def test_what_a_policy_derives(make) -> None:
    policy = make.policy(confidence=0.9, schedule={"kind": "fixed", "looks": 5}, valid_for="90d")
    assert (policy.alpha, policy.scheduled_alpha) == pytest.approx((0.1, 0.02))
    assert policy.validity == timedelta(days=90)
    assert make.policy(valid_for="12h").validity == timedelta(hours=12)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*Policy.model_fields, *{key for kind in KINDS.values() for key in kind.model_fields}, "looks"])


@settings(max_examples=150)
@given(data=st.data())
def test_only_policy_errors_leave_parse(make, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(KINDS)))
    check = {**make.checks[kind], **data.draw(st.dictionaries(KEYS, JUNK, max_size=2))}
    mapping = {**make.mapping({"it": check}), **data.draw(st.dictionaries(KEYS, JUNK, max_size=2))}
    with suppress(PolicyError):
        assert len(Policy.parse(mapping).digest) == 64


@settings(max_examples=60)
@given(JUNK)
def test_junk_is_no_policy(junk: object) -> None:
    with pytest.raises(PolicyError):
        Policy.parse(junk)  # type: ignore[arg-type]
