from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from lockgate import Verdict
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"decide": "point"},
    {"max": 0.001},
    {"metric": "recall"},
    {"metric": "selection_rate", "max": 0.05, "decide": "point"},
    {"min_rows": 201, "small_slice": "skip"},
    {"min_rows": 201, "small_slice": "block"},
    {"by": ["site", "half"]},
    {"metric": "auc", "max": 0.3},
    {"min_rows": 1},
]
EDGES = {
    "one label only": Verdict.INCONCLUSIVE,
    "a challenger that is worse": Verdict.PASS,
    "no slice columns": Verdict.ERROR,
}


def failing(make):
    """The challenger is wrong in the west only."""
    arrays = make.arrays()
    west = arrays["slices"]["site"] == "west"
    return make.evidence(challenger=np.where(west, 1 - arrays["challenger"], arrays["challenger"]))


def fair(**keys: Any) -> dict[str, Any]:
    return {
        "kind": "fairness",
        "by": "site",
        "metric": "accuracy",
        "max": 0.1,
        "decide": "bound",
        "min_rows": 20,
        "small_slice": "skip",
        **keys,
    }


def sites(rates: dict[str, float], n: int, *, seed: int = 0) -> dict[str, Any]:
    """n rows a site, on which the decision is right at exactly the given rate."""
    label = np.tile([0.0, 1.0], n * len(rates) // 2)
    right = np.concatenate([np.arange(n) < round(rate * n) for rate in rates.values()])
    order = np.random.default_rng(seed).permutation(label.size)
    return {
        "label": label[order],
        "challenger": np.where(right, label, 1 - label)[order] * 0.8 + 0.1,
        "champion": None,
        "row_id": np.arange(label.size),
        "slices": {"site": np.repeat(list(rates), n)[order]},
    }


def test_the_largest_gap_with_newcombes_interval(make) -> None:
    (outcome,) = make.judge(fair(), make.evidence(**sites({"a": 0.9, "b": 0.6, "c": 0.8}, 400))).outcomes
    low, high = confint_proportions_2indep(360, 400, 240, 400, method="newcomb", alpha=0.1)
    assert (outcome.observed, outcome.low, outcome.high) == pytest.approx((0.3, low, high), abs=1e-11)
    assert outcome.verdict == "FAIL"
    assert "0.9 in 'a' and 0.6 in 'b'" in outcome.message
    assert [(part.name, part.verdict) for part in outcome.parts] == [("a", "FAIL"), ("b", "FAIL"), ("c", "PASS")]


@pytest.mark.parametrize(
    ("rates", "n", "verdict"),
    [
        ({"a": 0.9, "b": 0.9}, 2000, "PASS"),
        ({"a": 0.9, "b": 0.85}, 100, "INCONCLUSIVE"),
        ({"a": 0.95, "b": 0.7}, 400, "FAIL"),
    ],
)
def test_the_bound_decides(make, rates: dict[str, float], n: int, verdict: str) -> None:
    assert make.judge(fair(), make.evidence(**sites(rates, n))).outcomes[0].verdict == verdict


@pytest.mark.parametrize(("gap", "verdict"), [(0.09, "PASS"), (0.10, "PASS"), (0.11, "FAIL")])
def test_the_point_decides_and_the_limit_is_met(make, gap: float, verdict: str) -> None:
    outcome = make.judge(fair(decide="point"), make.evidence(**sites({"a": 0.8, "b": 0.8 - gap}, 100))).outcomes[0]
    assert outcome.verdict == verdict


@pytest.mark.parametrize(
    ("small_slice", "verdict"), [("skip", "PASS"), ("inconclusive", "INCONCLUSIVE"), ("block", "FAIL")]
)
def test_a_small_group_is_left_out_of_the_gap(make, small_slice: str, verdict: str) -> None:
    options = sites({"a": 0.9, "b": 0.9}, 3000)
    options["slices"]["site"] = options["slices"]["site"].astype(object)
    options["slices"]["site"][:8] = "tiny"
    outcome = make.judge(fair(small_slice=small_slice), make.evidence(**options)).outcomes[0]
    assert outcome.verdict == verdict
    assert outcome.observed < 0.02


def test_one_group_has_no_gap(make) -> None:
    outcome = make.judge(fair(), make.evidence(**sites({"a": 0.9}, 400))).outcomes[0]
    assert (outcome.verdict, outcome.observed) == ("INCONCLUSIVE", None)
    assert "at least 2" in outcome.message


def test_an_undefined_group_is_an_error(make) -> None:
    options = sites({"a": 0.9, "b": 0.8, "c": 0.8}, 200)
    options["label"] = np.where(options["slices"]["site"] == "a", 1.0, options["label"])
    outcome = make.judge(fair(metric="auc"), make.evidence(**options)).outcomes[0]
    assert outcome.verdict == "ERROR"
    assert [part.verdict for part in outcome.parts if part.name == "a"] == ["ERROR"]


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_equal_groups_fail_no_more_often_than_declared(make, clustered: bool) -> None:
    """Twelve equal groups, 66 pairs: FAIL in at most 5 % of 300 holdouts (3 standard errors: 8.8 %)."""
    rng = np.random.default_rng(6)
    failed = 0
    for _ in range(300):
        n = 1200
        cluster = rng.integers(0, 40, n)
        truth = rng.normal(size=n) + (rng.normal(size=40)[cluster] if clustered else 0)
        evidence = make.evidence(
            label=(rng.random(n) < 0.5).astype(float),
            challenger=1 / (1 + np.exp(-truth)),
            champion=None,
            row_id=np.arange(n),
            slices={"site": rng.integers(0, 12, n)},
            cluster=cluster if clustered else None,
        )
        failed += make.judge(fair(metric="brier", max=0.0), evidence).outcomes[0].verdict == "FAIL"
    assert failed / 300 <= 0.088


@pytest.mark.slow
def test_a_gap_at_the_limit_passes_no_more_often_than_declared(make) -> None:
    rng = np.random.default_rng(8)
    passed = 0
    for _ in range(400):
        site = np.arange(600) % 2
        right = rng.random(600) < np.where(site == 0, 0.9, 0.8)
        label = np.arange(600) // 2 % 2.0
        evidence = make.evidence(
            label=label,
            challenger=np.where(right, label, 1 - label),
            champion=None,
            row_id=np.arange(600),
            slices={"site": site},
        )
        passed += make.judge(fair(), evidence).outcomes[0].verdict == "PASS"
    assert passed / 400 <= 0.083  # .05 and 3 standard errors


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"max": -0.1}, "max"),
        ({"by": ["site", "site"]}, "twice"),
        ({"by": []}, "by"),
        ({"metric": "auk"}, "did you mean 'auc'"),
    ],
)
def test_mistakes(make, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        make.policy({"gate": fair(**keys)})


@pytest.mark.parametrize(("groups", "verdict"), [(1000, "INCONCLUSIVE"), (1001, "ERROR")])
def test_no_more_than_a_thousand_groups_are_compared(make, groups: int, verdict: str) -> None:
    label = np.arange(groups) % 2
    evidence = make.evidence(
        groups, label=label, challenger=label * 0.8 + 0.1, champion=None, slices={"site": np.arange(groups)}
    )
    outcome = make.judge(fair(min_rows=1), evidence).outcomes[0]
    assert outcome.verdict == verdict
    if verdict == "ERROR":
        assert outcome.message == "1,001 groups are too many; expected at most 1,000"
