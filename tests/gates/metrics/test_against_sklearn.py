"""Values against scikit-learn, and influence values as derivatives of scikit-learn's numbers in each row's weight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from gates.metrics import METRICS
from gates.metrics.metric import Linear, Metric, Scored

KNOWN: dict[str, Metric] = {name: found for task in ("binary", "regression") for name, found in METRICS[task].items()}
Truth = Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]


def ece(label: np.ndarray, score: np.ndarray, weight: np.ndarray | None) -> float:
    """Bin by bin: share of the bin × |mean score − mean label|."""
    weight = np.ones_like(label) if weight is None else weight
    total = 0.0
    for k in range(15):
        held = (score * 15 >= k) & ((score * 15 < k + 1) | (k == 14))
        if weight[held].sum() > 0:
            gap = np.average(score[held], weights=weight[held]) - np.average(label[held], weights=weight[held])
            total += weight[held].sum() / weight.sum() * abs(gap)
    return float(total)


TRUTH: dict[str, Truth] = {
    "auc": lambda y, s, w: sk.roc_auc_score(y, s, sample_weight=w),
    "average_precision": lambda y, s, w: sk.average_precision_score(y, s, sample_weight=w),
    "log_loss": lambda y, s, w: sk.log_loss(y, s, sample_weight=w, labels=[0, 1]),
    "brier": lambda y, s, w: sk.brier_score_loss(y, s, sample_weight=w, pos_label=1),
    "accuracy": lambda y, s, w: sk.accuracy_score(y, s >= 0.5, sample_weight=w),
    "ece": ece,
    "rmse": lambda y, s, w: sk.root_mean_squared_error(y, s, sample_weight=w),
    "mae": lambda y, s, w: sk.mean_absolute_error(y, s, sample_weight=w),
}


def linear(name: str, label: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> Linear:
    return KNOWN[name].linearise(Scored(label=label, score=score, weight=weight))


def value(name: str, label: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> float:
    return float(linear(name, label, score, weight).value[0])


def test_every_metric_has_a_truth() -> None:
    assert set(TRUTH) == set(KNOWN)


def sample(name: str, seed: int, n: int = 90, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if KNOWN[name].task == "regression":
        label = rng.normal(size=n)
        score = label + rng.normal(size=n)
    else:
        label = (rng.random(n) < 0.35).astype(float)
        score = np.clip(rng.beta(2, 3, n) * 0.7 + 0.3 * label * rng.random(n), 0.001, 0.999)
    return label, np.round(score, 1) if ties else score, rng.uniform(0.2, 4, n)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", KNOWN)
def test_value(name: str, weighted: bool, ties: bool) -> None:
    for seed in range(5):
        label, score, weight = sample(name, seed, ties=ties)
        found = value(name, label, score, weight if weighted else None)
        assert found == pytest.approx(TRUTH[name](label, score, weight if weighted else None), rel=1e-12, abs=1e-12)


@settings(max_examples=150)
@given(data=st.data(), name=st.sampled_from([name for name in KNOWN if KNOWN[name].task == "binary"]))
def test_value_of_any_binary_rows(data: st.DataObject, name: str) -> None:
    rows = data.draw(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from([0, 0.1, 0.25, 0.5, 0.75, 1 - 1e-9, 1]), st.integers(0, 3)),
            min_size=2, max_size=25,
        )
    )  # fmt: skip
    label, score, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    label[:2], weight[:2] = [1, 0], 1
    found = linear(name, label, score, weight)
    assert found.value[0] == pytest.approx(TRUTH[name](label, score, weight), rel=1e-12, abs=1e-12)
    assert KNOWN[name].low <= found.value[0] <= KNOWN[name].high
    assert np.average(found.influence, weights=weight) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", KNOWN)
def test_influence_is_the_derivative_in_a_rows_weight(name: str, weighted: bool, ties: bool) -> None:
    label, score, weight = sample(name, 11, 40, ties=ties)
    weight = weight if weighted else np.ones_like(label)
    influence = linear(name, label, score, weight).influence
    step = 1e-5
    for row in range(40):
        nudge = np.where(np.arange(40) == row, step, 0)
        slope = (TRUTH[name](label, score, weight + nudge) - TRUTH[name](label, score, weight - nudge)) / (2 * step)
        assert influence[row] == pytest.approx(slope * weight.sum(), abs=2e-6)


@pytest.mark.parametrize("name", KNOWN)
def test_the_standard_error_is_the_bootstraps(name: str) -> None:
    rng = np.random.default_rng(23)
    label, score, _ = sample(name, 4, 1500)
    score = score**3 if name == "ece" else score  # its influence holds signs fixed: no bin may be nearly calibrated
    draws = [rng.integers(0, 1500, 1500) for _ in range(400)]
    booted = [value(name, label[rows], score[rows]) for rows in draws]
    found = linear(name, label, score).influence.std(ddof=1) / np.sqrt(1500)
    assert found == pytest.approx(np.std(booted), rel=0.16)  # 400 draws know it to 3.5 %


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_certain_and_wrong_costs_a_finite_log_loss(label: float) -> None:
    one = np.array([label, label])
    found = linear("log_loss", one, 1 - one)
    assert found.value[0] == pytest.approx(sk.log_loss(one, 1 - one, labels=[0, 1]), rel=1e-12)
    assert 36 < found.value[0] < 37


def test_a_score_at_the_cutoff_is_positive() -> None:
    score = np.array([np.nextafter(0.5, 0), 0.5, np.nextafter(0.5, 1)])
    assert linear("accuracy", np.ones(3), score).influence.tolist() == pytest.approx([-2 / 3, 1 / 3, 1 / 3])


def test_a_perfect_regression() -> None:
    found = linear("rmse", np.arange(3.0), np.arange(3.0))
    assert (found.value[0], found.influence.tolist()) == (0.0, [0.0, 0.0, 0.0])


def test_every_metric_declares_what_it_is() -> None:
    for name, metric in KNOWN.items():
        assert name == metric.name
        assert metric.task in ("binary", "regression")
        assert metric.low < metric.high
        assert metric.unit.strip()
        assert metric.higher_is_better == (name in {"auc", "average_precision", "accuracy"})
        assert metric.gain(0.25) == (0.25 if metric.higher_is_better else -0.25)
