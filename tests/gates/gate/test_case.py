"""Where too little carries a metric, nothing is shown, and what carries it is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate import Outcome, Verdict
from lockgate.gates.errors import PolicyError
from lockgate.gates.evidence.defects import hash_row_id
from lockgate.gates.kinds import KINDS
from lockgate.gates.policy.policy import Policy

DAYS = np.array([f"2024-03-{day + 1:02}" for day in range(30)])
GAIN = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}


def seen_well(label: np.ndarray, *, seed: int = 1) -> dict[str, np.ndarray]:
    """A challenger that sees the labels, and a champion that sees them badly."""
    noise = np.random.default_rng(seed).normal(0, 0.1, (2, label.size))
    challenger, champion = (
        np.clip(0.5 + skill * (label - 0.5) + off, 0.02, 0.98) for skill, off in zip((0.5, 0.2), noise, strict=True)
    )
    return {"label": label, "challenger": challenger, "champion": champion}


def judge_first(make: Any, check: dict[str, Any], arrays: dict[str, Any], **keys: Any) -> Outcome:
    return make.judge(check, make.evidence(arrays["label"].size, **arrays), **keys).outcomes[0]


# --- rows of the rarer class ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["log_loss", "brier", "auc", "recall", "balanced_accuracy"])
@pytest.mark.parametrize(("minimum", "verdict"), [(19, "PASS"), (20, "PASS"), (21, "INCONCLUSIVE")])
def test_so_many_rows_of_the_rarer_class_are_enough(make, metric: str, minimum: int, verdict: str) -> None:
    label = (np.arange(600) < 20).astype(float)
    scores = seen_well(label)
    scores["champion"] = np.where((label == 1) & (np.arange(600) < 12), 0.05, scores["champion"])
    outcome = judge_first(make, {**GAIN, "metric": metric}, scores, min_class_rows=minimum)
    assert (outcome.verdict, outcome.information.class_rows) == (verdict, 20)
    assert outcome.low is not None
    said = "only 20 rows of the rarer class, at least 21 are asked (min_class_rows)" in outcome.message
    assert said == (verdict == "INCONCLUSIVE")


@pytest.mark.parametrize(
    ("check", "above"),
    [
        ({"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}, "INCONCLUSIVE"),
        ({"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"}, "PASS"),
        ({"kind": "threshold", "metric": "accuracy", "min": 0.6, "decide": "bound"}, "PASS"),
    ],
)
@pytest.mark.parametrize(("minimum", "enough"), [(19, True), (20, True), (21, False)])
def test_a_limit_asks_for_them_where_a_bound_decides(make, check: dict, above: str, minimum: int, enough: bool) -> None:
    label = (np.arange(600) < 20).astype(float)
    outcome = judge_first(make, check, seen_well(label), min_class_rows=minimum)
    assert outcome.verdict == ("PASS" if enough else above)


@pytest.mark.parametrize(("small", "verdict"), [("inconclusive", "INCONCLUSIVE"), ("skip", "SKIP"), ("block", "FAIL")])
@pytest.mark.parametrize("kind", ["slices", "fairness"])
@pytest.mark.parametrize(("minimum", "enough"), [(9, True), (10, True), (11, False)])
def test_a_slice_with_fewer_of_them_is_a_small_one(
    make, kind: str, small: str, verdict: str, minimum: int, enough: bool
) -> None:
    label, site = np.arange(600) % 3 == 0, np.array(["north", "south", "west"])[np.arange(600) // 200]
    label[410:] = False
    label[400:410] = True
    check = make.check(kind, metric="recall", small_slice=small, min_rows=10)
    outcome = judge_first(
        make, check, {**seen_well(label.astype(float)), "slices": {"site": site}}, min_class_rows=minimum
    )
    west = next(part for part in outcome.parts if part.name == "west")
    assert west.information.class_rows == 10
    if enough:
        assert west.verdict == "PASS"
    else:
        assert west.verdict == verdict
        said = f"only 10 rows of the rarer class, at least 11 are asked (min_class_rows); small_slice: {small}"
        assert west.message == said


# --- effective clusters ---------------------------------------------------------------------------------------------


def positives_in_days(share: dict[int, int], *, each: int = 40) -> dict[str, np.ndarray]:
    """Thirty days of as many rows; so many of these are positive on the days named, one on every other day."""
    day = np.repeat(np.arange(30), each)
    count = np.array([share.get(number, 1) for number in range(30)])
    return {**seen_well((np.tile(np.arange(each), 30) < count[day]).astype(float)), "cluster": DAYS[day]}


@pytest.mark.parametrize("ordered", [True, False])
def test_positives_in_two_days_are_as_good_as_two_days_and_these_are_named(make, ordered: bool) -> None:
    arrays = positives_in_days({4: 40, 17: 30, 9: 20})
    if ordered:
        arrays["time"] = arrays["cluster"]
    outcome = judge_first(make, {**GAIN, "metric": "recall"}, arrays)
    size = np.array([40, 30, 20, *[1] * 27])
    effective = size.sum() ** 2 / np.sum(size**2)
    assert (outcome.verdict, outcome.clusters, outcome.information.clusters) == ("INCONCLUSIVE", 30, 30)
    assert outcome.information.effective_clusters == pytest.approx(effective)
    few = f"what carries the metric lies in as few clusters as {effective:.3g} of equal size, at least 10 are asked"
    assert few in outcome.message
    largest = ["2024-03-05", "2024-03-18", "2024-03-10"]
    names = ", ".join(map(repr, largest)) if ordered else ", ".join(map(hash_row_id, largest)) + " (hashed)"
    assert f"; most of it lies in {names}" in outcome.message
    assert any(day in outcome.message for day in largest) == ordered
    assert judge_first(make, GAIN, arrays).verdict == Verdict.PASS  # a log loss is carried by all rows


@pytest.mark.parametrize(("minimum", "verdict"), [(14, "PASS"), (15, "PASS"), (16, "INCONCLUSIVE")])
def test_so_many_effective_clusters_are_enough(make, minimum: int, verdict: str) -> None:
    """Fifteen days with as many positives each, and fifteen without any."""
    arrays = positives_in_days({number: 10 * (number % 2) for number in range(30)})
    arrays["champion"] = np.where(arrays["label"] == 1, 0.05, arrays["champion"])
    check = {"kind": "threshold", "metric": "recall", "min": 0.05, "decide": "bound"}
    outcome = judge_first(make, check, arrays, min_clusters=minimum)
    assert (outcome.verdict, outcome.information.clusters) == (verdict, 15)
    assert outcome.information.effective_clusters == pytest.approx(15)


def test_weights_are_counted_as_rows_of_equal_weight(make) -> None:
    arrays = seen_well(np.arange(600) % 2.0)
    arrays["weight"] = np.where(np.arange(600) < 6, 1000.0, 1.0)
    outcome = judge_first(make, GAIN, arrays)
    effective = arrays["weight"].sum() ** 2 / np.sum(arrays["weight"] ** 2)
    assert outcome.verdict == Verdict.INCONCLUSIVE
    assert f"the rows weigh as much as {effective:.3g} of equal weight, at least 10 are asked" in outcome.message


# --- rows of which a handful decides --------------------------------------------------------------------------------


def test_rows_that_carry_the_variance_are_named_by_their_hashes(make) -> None:
    gaps = 0.02 + np.random.default_rng(2).normal(0, 0.01, 1000)
    gaps[[100, 700]] = -0.9, -1.1
    arrays = {"label": np.zeros(1000), "challenger": 2 - gaps, "champion": np.full(1000, 2.0), "slices": None}
    outcome = judge_first(
        make, {**GAIN, "metric": "mae"}, {**arrays, "task": "regression"}, schedule={"kind": "fixed", "looks": 20}
    )
    square = (gaps - gaps.mean()) ** 2
    share = square[700] / square.sum()
    assert share > 0.5
    assert (outcome.verdict, outcome.observed) == ("INCONCLUSIVE", pytest.approx(-gaps.mean()))
    assert (outcome.low is None, outcome.high is None) == (False, True)
    assert f"1 of 1,000 rows carries {share:.0%} of the variance (ids hashed: {hash_row_id(700)})" in outcome.message
    assert "too few for a bound at level 0.9975" in outcome.message
    assert 0.0025 < outcome.p < 0.5


def test_a_loss_without_an_upper_end_says_what_may_be_unseen(make) -> None:
    arrays = seen_well(np.arange(600) % 2.0)
    unseen = {
        metric: judge_first(make, {**GAIN, "metric": metric}, arrays).information.unseen_rate
        for metric in ("log_loss", "brier")
    }
    assert unseen == {"log_loss": pytest.approx(-np.log(0.05) / 600), "brier": None}


# --- order ----------------------------------------------------------------------------------------------------------


def drift_by_day(**keys: Any) -> dict[str, Any]:
    """Gains of thirty days that resemble their neighbours."""
    shocks, gains = np.random.default_rng(3).normal(0, 0.1, 30), np.empty(30)
    gains[0] = shocks[0]
    for day in range(1, 30):
        gains[day] = 0.8 * gains[day - 1] + shocks[day]
    day = np.repeat(np.arange(30), 10)
    arrays = {"label": np.zeros(300), "challenger": 2 - 0.12 - gains[day], "champion": np.full(300, 2.0)}
    return {**arrays, "task": "regression", "slices": None, "cluster": DAYS[day], "time": DAYS[day], **keys}


def test_days_in_order_know_less_than_days_without_one(make) -> None:
    check = {**GAIN, "metric": "mae"}
    ordered, unordered = judge_first(make, check, drift_by_day()), judge_first(make, check, drift_by_day(time=None))
    ignored = judge_first(make, check, drift_by_day(), serial_dependence="ignore")
    assert ordered.information.lag_1 > 0.4
    assert ordered.high - ordered.low > 1.5 * (ignored.high - ignored.low)
    assert (ignored.low, ignored.high, ignored.p) == (unordered.low, unordered.high, unordered.p)
    assert ignored.information.lag_1 is None


# --- what noise favours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if "metric" in KINDS[kind].model_fields and kind != "threshold"]
)
def test_ece_cannot_be_compared(make, kind: str) -> None:
    with pytest.raises(PolicyError, match="ece cannot be compared; expected another metric") as caught:
        Policy.parse(make.mapping({"gate": make.check(kind, metric="ece")}))
    assert "compare log_loss or brier, or limit the challenger's own calibration" in str(caught.value)


def test_a_limit_on_ece_is_no_comparison(make) -> None:
    check = {"kind": "threshold", "metric": "ece", "max": 0.5, "decide": "bound"}
    assert judge_first(make, check, seen_well(np.arange(600) % 2.0)).verdict == Verdict.PASS
