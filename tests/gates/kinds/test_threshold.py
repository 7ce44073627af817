from __future__ import annotations

import numpy as np
import pytest

from lockgate import Verdict

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"decide": "point"},
    {"max": 0.99, "min": None},
    {"min": 0.6, "max": 0.7},
    {"metric": "log_loss", "min": None, "max": 0.5},
    {"metric": "accuracy", "min": 0.9, "severity": "warn"},
    {"metric": "rmse", "min": None, "max": 1.0},
]
EDGES = {"constant scores of both": Verdict.FAIL}

ACCURACY = {"kind": "threshold", "metric": "accuracy", "min": 0.9, "decide": "point"}


def right(n: int, hits: int) -> dict[str, np.ndarray]:
    """Rows of which `hits` are decided right."""
    label = np.arange(n) % 2
    return {"label": label, "challenger": np.where(np.arange(n) < hits, label, 1 - label) * 0.8 + 0.1}


def only(make, check, arrays, **keys):
    return make.judge(check, make.evidence(champion=None, row_id=None, slices=None, **arrays), **keys).outcomes[0]


@pytest.mark.parametrize(("hits", "verdict"), [(89, "FAIL"), (90, "PASS"), (91, "PASS")])
def test_a_point_on_the_limit_meets_it(make, hits: int, verdict: str) -> None:
    result = only(make, ACCURACY, right(100, hits))
    assert (result.verdict, result.observed) == (verdict, hits / 100)
    assert only(make, {**ACCURACY, "min": -1.0, "max": 0.9}, right(100, hits)).verdict == (
        Verdict.PASS if hits <= 90 else Verdict.FAIL
    )


@pytest.mark.parametrize(("off", "verdict"), [(-1e-13, "PASS"), (1e-13, "PASS"), (-2e-12, "PASS"), (2e-12, "FAIL")])
def test_the_boundary_is_a_picometre_wide(make, off: float, verdict: str) -> None:
    assert only(make, {**ACCURACY, "min": 0.9 + off}, right(100, 90)).verdict == verdict


@pytest.mark.parametrize(
    ("off", "low", "high"),
    [(-1e-9, "PASS", "INCONCLUSIVE"), (0, "PASS", "INCONCLUSIVE"), (1e-9, "INCONCLUSIVE", "FAIL")],
)
def test_a_bound_on_the_limit_meets_it(make, off: float, low: str, high: str) -> None:
    observed = only(make, {**ACCURACY, "decide": "bound"}, right(100, 80))
    assert observed.verdict == Verdict.FAIL
    assert only(make, {**ACCURACY, "decide": "bound", "min": observed.low + off}, right(100, 80)).verdict == low
    assert only(make, {**ACCURACY, "decide": "bound", "min": observed.high + off}, right(100, 80)).verdict == high


def test_the_bound_decides_and_not_the_point(make) -> None:
    """.9015 against .90: the point is above, the interval [.888, .915] is not."""
    rows = right(2000, 1803)
    assert only(make, ACCURACY, rows).verdict == Verdict.PASS
    result = only(make, {**ACCURACY, "decide": "bound"}, rows)
    assert result.verdict == Verdict.INCONCLUSIVE
    assert result.low < 0.9 < result.observed
    assert "straddles" in result.message
    assert (result.level, result.rows, result.rule) == (0.95, 2000, "accuracy >= 0.9 (bound)")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.7, 0.9, "PASS"), (0.9, 1, "FAIL"), (0.81, 1, "INCONCLUSIVE"), (0, 0.6, "FAIL"), (0, 0.81, "INCONCLUSIVE")],
)
def test_two_limits(make, low: float, high: float, verdict: str) -> None:
    check = {**ACCURACY, "min": low, "max": high, "decide": "bound"}
    assert only(make, check, right(400, 320)).verdict == verdict


def test_constant_scores_fail_a_floor_above_one_half(make) -> None:
    rows = {"label": np.arange(60) % 2, "challenger": np.full(60, 0.4)}
    check = {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}
    result = only(make, check, rows)
    assert (result.verdict, result.observed, result.low, result.high) == (Verdict.FAIL, 0.5, 0.5, 0.5)
    assert only(make, {**check, "min": 0.5}, rows).verdict == Verdict.PASS


@pytest.mark.parametrize(("clusters", "verdict"), [(9, "INCONCLUSIVE"), (10, "PASS"), (11, "PASS")])
def test_few_clusters_show_nothing_by_the_bound(make, clusters: int, verdict: str) -> None:
    rows = {**right(400, 396), "cluster": np.arange(400) % clusters}
    result = only(make, {**ACCURACY, "decide": "bound"}, rows)
    assert (result.verdict, result.clusters) == (verdict, clusters)
    assert result.low is not None
    assert only(make, ACCURACY, rows).verdict == Verdict.PASS
    assert only(make, {**ACCURACY, "decide": "bound"}, rows, clusters="ignore").verdict == Verdict.PASS


def test_clusters_without_weight_do_not_count(make) -> None:
    rows = {**right(400, 396), "cluster": np.arange(400) % 12, "weight": (np.arange(400) % 12 < 9) * 2.0}
    result = only(make, {**ACCURACY, "decide": "bound"}, rows)
    assert (result.verdict, result.clusters, result.rows) == (Verdict.INCONCLUSIVE, 9, 301)


def test_the_rule_is_said_in_full(make) -> None:
    assert only(make, {**ACCURACY, "min": 0.8999999999}, right(20, 19)).rule == "accuracy >= 0.8999999999 (point)"
