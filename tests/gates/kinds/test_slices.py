"""The kind `slices`: no slice loses more than a margin to the champion.

Tests of gates/gate/declared_slices.py
Tests of gates/gate/grouped.py
"""

from __future__ import annotations

import numpy as np
import pytest

from lockgate import Evidence, Verdict
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"require": "no_proven_harm", "margin": -0.02},
    {"metric": "auc", "margin": -0.3},
    {"min_rows": 201, "small_slice": "skip"},
    {"min_rows": 201, "small_slice": "block"},
    {"min_rows": 201},
    {"min_rows": 1},
    {"values": ["north", "nowhere"]},
    {"values": ["north", "nowhere"], "optional_values": ["nowhere"]},
    {"by": ["site", "half"], "require": "no_proven_harm"},
    {"by": "nothing"},
    {"margin": 0.1},
    {"metric": "accuracy", "require": "no_proven_harm", "margin": 0.0},
]
EDGES = {
    "one label only": Verdict.INCONCLUSIVE,
    "a spent holdout": Verdict.PASS,
    "a retired holdout": Verdict.PASS,
    "no slice columns": Verdict.ERROR,
}


def rows(harm: dict[str, float], *, n: int = 200, noise: float = 0.01, **options) -> Evidence:
    """Regression rows in named slices; in each the challenger's error is larger by `harm` on average."""
    rng = np.random.default_rng(4)
    site = np.repeat(list(harm), n)
    extra = np.repeat(list(harm.values()), n) + rng.normal(0, noise, site.size)
    arrays = {"label": np.zeros(site.size), "challenger": 1 + extra, "champion": np.ones(site.size), **options}
    return Evidence.from_arrays(**{"slices": {"site": site}, "task": "regression", **arrays})


CHECK = {
    "kind": "slices",
    "by": "site",
    "metric": "mae",
    "margin": -0.1,
    "require": "no_proven_harm",
    "min_rows": 50,
    "small_slice": "skip",
}


def judge_slices(make, evidence: Evidence, **keys):
    return make.judge({**CHECK, **keys}, evidence).outcomes[0]


@pytest.mark.parametrize("require", ["no_proven_harm", "non_inferior"])
@pytest.mark.parametrize(("harm", "verdict"), [(0.05, "PASS"), (0.15, "FAIL")])
def test_one_slice_decides(make, require: str, harm: float, verdict: str) -> None:
    result = judge_slices(make, rows({"a": 0.0, "b": harm, "c": -0.2}), require=require)
    assert result.verdict == verdict
    assert [part.name for part in result.parts] == ["a", "b", "c"]
    assert [part.verdict for part in result.parts] == ["PASS", verdict, "PASS"]
    assert result.observed == result.parts[1].observed == pytest.approx(harm, abs=0.01)
    assert [part.rows for part in result.parts] == [200, 200, 200]
    assert "worst 'b'" in result.message


def test_what_is_not_shown_passes_the_guardrail_and_not_non_inferiority(make) -> None:
    wide = rows({"a": 0.0, "b": 0.05}, noise=0.6)
    assert judge_slices(make, wide).verdict == Verdict.PASS
    assert judge_slices(make, wide, require="non_inferior").verdict == Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("off", "verdict"), [(-1e-9, "PASS"), (0.0, "PASS"), (1e-9, "INCONCLUSIVE")])
def test_a_loss_whose_bound_is_exactly_the_margin_is_allowed(make, off: float, verdict: str) -> None:
    evidence = rows({"a": 0.05})
    bound = judge_slices(make, evidence, require="non_inferior").parts[0].high
    assert judge_slices(make, evidence, require="non_inferior", margin=-bound + off).verdict == verdict


@pytest.mark.parametrize(("off", "verdict"), [(-1e-9, "PASS"), (1e-9, "FAIL")])
def test_harm_is_proven_from_its_other_bound_on(make, off: float, verdict: str) -> None:
    evidence = rows({"a": 0.05})
    bound = judge_slices(make, evidence).parts[0].low
    assert judge_slices(make, evidence, margin=-bound + off).verdict == verdict


def test_harm_that_is_the_same_in_every_row_is_not_passed(make) -> None:
    assert judge_slices(make, rows({"a": 0.5, "b": 0.0}, noise=0.0)).verdict != Verdict.PASS


@pytest.mark.parametrize(("slices", "verdict"), [(1, "FAIL"), (3, "FAIL"), (4, "PASS"), (30, "PASS")])
def test_holm_over_slices(make, slices: int, verdict: str) -> None:
    """One slice with a p of 1/64 among slices that show nothing: it is harm among three slices, not among four."""
    label = np.arange(50 * slices) % 2
    champion = label.astype(float)
    challenger = champion.copy()
    challenger[:6] = 1 - challenger[:6]  # six rows lost, none won: p = 2⁻⁶
    evidence = Evidence.from_arrays(
        label=label,
        challenger=challenger,
        champion=champion,
        slices={"site": np.repeat([f"s{i:02}" for i in range(slices)], 50)},
    )
    result = judge_slices(make, evidence, metric="accuracy", margin=0.0)
    assert result.parts[0].p == pytest.approx(slices / 64)
    assert result.verdict == result.parts[0].verdict == verdict


@pytest.mark.parametrize(("minimum", "small"), [(199, False), (200, False), (201, True)])
@pytest.mark.parametrize(("policy", "verdict"), [("inconclusive", "INCONCLUSIVE"), ("skip", "SKIP"), ("block", "FAIL")])
def test_a_small_slice_counts_as_declared(make, minimum: int, small: bool, policy: str, verdict: str) -> None:
    result = judge_slices(make, rows({"a": 0.0, "b": 0.0}), min_rows=minimum, small_slice=policy)
    assert result.verdict == (verdict if small else "PASS")
    assert {part.verdict for part in result.parts} == {verdict if small else "PASS"}
    if small:
        assert "200 rows, at least 201" in result.parts[0].message


def test_one_small_slice_among_large_ones(make) -> None:
    site = np.array(["a"] * 300 + ["tiny"] * 5)
    arrays = {
        "label": np.zeros(305),
        "challenger": np.ones(305),
        "champion": np.full(305, 1.1),
        "slices": {"site": site},
    }
    evidence = Evidence.from_arrays(**arrays, task="regression")
    assert judge_slices(make, evidence).verdict == Verdict.PASS
    assert [part.verdict for part in judge_slices(make, evidence).parts] == ["PASS", "SKIP"]
    assert judge_slices(make, evidence, small_slice="inconclusive").verdict == Verdict.INCONCLUSIVE
    assert judge_slices(make, evidence, small_slice="block").verdict == Verdict.FAIL


def test_rows_of_weight_zero_do_not_make_a_slice_large(make) -> None:
    weight = np.where(np.arange(400) % 200 < 30, 1.0, 0.0)
    result = judge_slices(make, rows({"a": 0.0, "b": 0.0}, weight=weight))
    assert [(part.verdict, part.rows) for part in result.parts] == [("SKIP", 30), ("SKIP", 30)]


def test_declared_slices_must_be_there(make) -> None:
    evidence = rows({"a": 0.0, "b": 0.0})
    assert judge_slices(make, evidence, values=["a", "b"]).verdict == Verdict.PASS
    absent = judge_slices(make, evidence, values=["a", "z"])
    assert absent.verdict == Verdict.ERROR
    assert (absent.parts[2].name, absent.parts[2].rows, absent.parts[2].metric) == ("z", 0, "mae")
    assert "not in the holdout" in absent.parts[2].message
    assert judge_slices(make, evidence, values=["a", "z"], optional_values=["z"]).verdict == Verdict.PASS


def test_an_unknown_slice_column_lists_what_exists(make) -> None:
    result = judge_slices(make, rows({"a": 0.0}), by="region")
    assert result.verdict == Verdict.ERROR
    assert "'region'" in result.message
    assert "site" in result.message


def test_one_class_in_a_slice_is_an_error_where_the_metric_needs_two(make) -> None:
    arrays = make.arrays()
    label = np.where(arrays["slices"]["site"] == "west", 0, arrays["label"])
    check = make.check("slices", metric="auc", margin=-0.5)
    outcome = make.judge(check, make.evidence(label=label)).outcomes[0]
    assert [part.verdict for part in outcome.parts] == ["PASS", "PASS", "ERROR"]
    assert outcome.verdict == Verdict.ERROR
    any_rows = make.judge({**check, "metric": "log_loss"}, make.evidence(label=label)).outcomes[0]
    assert [part.verdict for part in any_rows.parts] == ["PASS", "PASS", "INCONCLUSIVE"]
    assert "only 0 rows of the rarer class" in any_rows.parts[2].message


@pytest.mark.parametrize("require", ["no_proven_harm", "non_inferior"])
@pytest.mark.parametrize("side", ["challenger", "champion", "both"])
def test_a_metric_that_overflows_in_a_slice_is_an_error(make, require: str, side: str) -> None:
    huge = np.where(np.arange(400) < 200, 1.0, 1e200)
    options = {name: huge for name in ("challenger", "champion") if side in (name, "both")}
    with np.errstate(over="ignore", invalid="ignore"):
        result = judge_slices(make, rows({"a": 0.0, "b": 0.0}, **options), require=require, metric="rmse")
    assert [part.verdict for part in result.parts] == ["PASS", "ERROR"]
    assert result.verdict == Verdict.ERROR


def test_few_clusters_in_a_slice(make) -> None:
    result = judge_slices(make, rows({"a": 0.0, "b": 0.0}, cluster=np.r_[np.arange(200) % 9, np.arange(200) % 10]))
    assert [(part.verdict, part.clusters) for part in result.parts] == [("INCONCLUSIVE", 9), ("PASS", 10)]
    assert result.verdict == Verdict.INCONCLUSIVE


def test_numbers_and_booleans_make_slices_too(make) -> None:
    result = judge_slices(make, rows({"a": 0.0, "b": 0.0}, slices={"site": np.arange(400) % 2 == 0}))
    assert [part.name for part in result.parts] == ["false", "true"]


def test_optional_values_are_some_of_the_values(make) -> None:
    with pytest.raises(PolicyError, match=r"optional_values names 'z'; expected some of values @ gate.checks.gate"):
        make.policy({"gate": make.check("slices", values=["a"], optional_values=["z"])})


def test_slices_of_two_columns_together(make) -> None:
    half = np.array(["am", "pm"])[np.arange(600) // 3 % 2]
    evidence = make.evidence(slices={**make.arrays()["slices"], "half": half})
    outcome = make.judge(make.check("slices", by=["site", "half"]), evidence).outcomes[0]
    assert [part.name for part in outcome.parts] == [
        "north, am",
        "north, pm",
        "south, am",
        "south, pm",
        "west, am",
        "west, pm",
    ]
    assert {part.rows for part in outcome.parts} == {100}
    assert "by site and half" in outcome.rule
    alone = make.judge(make.check("slices", by=["half"]), evidence).outcomes[0]
    assert [part.name for part in alone.parts] == ["am", "pm"]


def test_a_slice_on_which_the_metric_is_undefined_is_an_error(make) -> None:
    arrays = make.arrays()
    label = np.where(arrays["slices"]["site"] == "west", 1.0, arrays["label"])
    outcome = make.judge(make.check("slices", metric="auc"), make.evidence(label=label)).outcomes[0]
    assert outcome.verdict == "ERROR"
    (west,) = [part for part in outcome.parts if part.name == "west"]
    assert (west.verdict, west.observed) == ("ERROR", None)
    assert "auc is undefined on these rows; it needs rows of both labels" in west.message


@pytest.mark.parametrize(("other", "worst", "observed"), [(0.5, "same", 0.0), (1.05, "other", 0.05)])
def test_the_worst_of_equal_verdicts_is_the_smallest_gain(make, other: float, worst: str, observed: float) -> None:
    """One slice did not change at all, the other is better, or worse by less than the margin."""
    evidence = Evidence.from_arrays(
        label=np.zeros(400),
        challenger=np.repeat([1.0, other], 200),
        champion=np.ones(400),
        task="regression",
        slices={"site": np.repeat(["same", "other"], 200)},
    )
    result = judge_slices(make, evidence)
    assert (result.verdict, result.observed) == (Verdict.PASS, pytest.approx(observed))
    assert f"worst {worst!r}" in result.message


def test_a_p_of_the_error_rate_itself_is_proof(make) -> None:
    evidence = rows({"a": 0.11}, noise=0.1)
    p = judge_slices(make, evidence).parts[0].p
    assert 0 < p < 0.4
    verdicts = [make.judge(CHECK, evidence, confidence=1 - p + off).outcomes[0].verdict for off in (-1e-9, 0.0, 1e-9)]
    assert verdicts == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS]
