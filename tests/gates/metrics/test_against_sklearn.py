"""Values against scikit-learn, influences as derivatives of its numbers, and standard errors against the bootstrap.

Tests of gates/metrics/metric.py, gates/metrics/classification.py, gates/metrics/decisions.py,
Tests of gates/metrics/multiclass.py, gates/metrics/quantile.py, gates/metrics/ranking.py, gates/metrics/regression.py.
Tests of gates/metrics/score.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.gates.evidence.task import QUERY_TASKS
from lockgate.gates.metrics import METRICS
from lockgate.gates.metrics.metric import Family, Metric

RELAXED = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def test_every_metric_has_a_truth(unknown) -> None:
    assert unknown == set()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_value(known_metric, weighted: bool, ties: bool) -> None:
    for seed in range(5):
        rows = known_metric.sample(seed, ties=ties)
        rows = rows if weighted else {**rows, "weight": None}
        result = known_metric.linear(rows)
        assert result.value[0] == pytest.approx(known_metric.true(rows), rel=1e-12, abs=1e-12)
        assert known_metric.metric.low <= result.value[0] <= known_metric.metric.high
        assert np.average(result.influence, weights=rows["weight"]) == pytest.approx(0, abs=1e-9)


BINARY = st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0, 0.1, 0.25, 0.4, 0.5, 0.75, 1 - 1e-9, 1]))
BINARY_NAMES = [
    "average_precision",
    "log_loss",
    "brier",
    "accuracy",
    "ece",
    "precision@0.3",
    "recall",
    "f1@0.4",
    "specificity@0.4",
    "fpr@0.4",
    "mcc@0.4",
    "selection_rate@0.4",
]
ONE_LABEL_IS_UNDEFINED = ["auc", "balanced_accuracy@0.4", "ks"]


@RELAXED
@given(
    rows=st.lists(st.tuples(BINARY, st.integers(0, 3)), min_size=1, max_size=25),
    name=st.sampled_from(BINARY_NAMES + ONE_LABEL_IS_UNDEFINED),
)
@pytest.mark.filterwarnings("ignore:No positive class", "ignore:A single label was found")
def test_any_binary_rows(by_name, rows: list, name: str) -> None:
    label, score, weight = (np.array(column, dtype=float) for column in zip(*[(*a, b) for a, b in rows], strict=True))
    weight[0] = 1
    kept_values = weight > 0
    result = by_name[f"binary-{name}"].linear({"label": label, "score": score, "weight": weight, "query": None})
    if np.unique(label[kept_values]).size < 2 and name in ONE_LABEL_IS_UNDEFINED:
        assert np.isnan(result.value[0])
        return
    if name == "average_precision" and not label[kept_values].any():
        assert np.isnan(result.value[0])
        return
    actual = {"label": label[kept_values], "score": score[kept_values], "weight": weight[kept_values], "query": None}
    true = by_name[f"binary-{name}"].true(actual)
    assert result.value[0] == pytest.approx(true, rel=1e-12, abs=1e-12, nan_ok=True)
    if not np.isnan(true):
        assert np.average(result.influence, weights=weight) == pytest.approx(0, abs=1e-9)


MULTICLASS_NAMES = [
    "accuracy",
    "log_loss",
    "brier",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "recall_weighted",
    "f1_weighted",
    "balanced_accuracy",
    "mcc",
    "ece",
]


@RELAXED
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=4, max_size=4), st.integers(0, 3)),
        min_size=1,
        max_size=25,
    ),
    name=st.sampled_from(MULTICLASS_NAMES),
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
def test_any_multiclass_rows(by_name, rows: list, name: str) -> None:
    known_metric = by_name[f"multiclass-{name}"]
    label, score, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    weight[0] = 1
    score[:, 0] += score.sum(axis=1) == 0
    score /= score.sum(axis=1, keepdims=True)
    kept_values = weight > 0
    result = known_metric.linear({"label": label, "score": score, "weight": weight, "query": None})
    actual = {"label": label[kept_values], "score": score[kept_values], "weight": weight[kept_values], "query": None}
    assert result.value[0] == pytest.approx(known_metric.true(actual), rel=1e-12, abs=1e-12)
    assert known_metric.metric.low <= result.value[0] <= known_metric.metric.high
    assert np.average(result.influence, weights=weight) == pytest.approx(0, abs=1e-9)


@RELAXED
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(0, 4)), min_size=1, max_size=25),
    name=st.sampled_from(["ndcg", "ndcg@3", "mrr", "mrr@2"]),
)
def test_any_ranked_rows(by_name, rows: list, name: str) -> None:
    known_metric = by_name[f"ranking-{name}"]
    label, score, query = (np.array(column) for column in zip(*rows, strict=True))
    actual = {"label": label.astype(float), "score": score.astype(float), "query": query, "weight": 1.0 + query % 3}
    result = known_metric.linear(actual)
    assert result.value[0] == pytest.approx(known_metric.true(actual), rel=1e-12, abs=1e-12)
    assert np.average(result.influence, weights=actual["weight"]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_influence_is_the_derivative_in_the_units_weights(smooth, weighted: bool, ties: bool) -> None:
    """A unit is a row, of tasks ranking and score a query: its rows' influences add up to the derivative.

    Along random directions of all weights at once. Influences that err by e (units,) miss the slope along one by
    Normal(0, |e|²), so that six find an error of ten times the tolerance but for a chance of (2/√2π · 1/10)⁶ = 3e-7.
    """
    rows = smooth.sample(12, 40, ties=ties)
    weight = rows["weight"] if weighted else np.ones(40)
    of_unit = np.unique(rows["query"], return_inverse=True)[1]
    influence = np.bincount(of_unit, weights=smooth.linear({**rows, "weight": weight}).influence)
    step = 1e-5
    for direction in np.random.default_rng(13).normal(size=(6, influence.size)):
        nudge = step * direction[of_unit]
        up, down = (smooth.true({**rows, "weight": weight + side * nudge}) for side in (1, -1))
        slope = (up - down) / (2 * step) * weight.sum()
        assert influence @ direction == pytest.approx(slope, rel=0, abs=3e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_groups_at_once_are_each_group_alone_in_any_order(known_metric, weighted: bool) -> None:
    rng = np.random.default_rng(9)
    rows = known_metric.sample(3, 400, ties=True)
    rows = rows if weighted else {**rows, "weight": None}
    code = rng.integers(0, 5, 400)
    code[code == 3] = 2  # an empty group
    order = rng.permutation(400)
    shuffled = {name: None if values is None else values[order] for name, values in rows.items()}
    result = known_metric.linear(rows, code=code, groups=5)
    again = known_metric.linear(shuffled, code=code[order], groups=5)
    np.testing.assert_allclose(again.value, result.value, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(again.influence, result.influence[order], rtol=1e-9, atol=1e-12)
    assert np.isnan(result.value[3])
    for group in (0, 1, 2, 4):
        own = code == group
        alone = known_metric.linear({name: None if values is None else values[own] for name, values in rows.items()})
        np.testing.assert_allclose(result.value[group], alone.value[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(result.influence[own], alone.influence, rtol=1e-9, atol=1e-11)


def test_a_weight_is_so_many_copies(known_metric) -> None:
    rows = known_metric.sample(5, 120, ties=True)
    copies = 1 + rows["query"] % 3
    once = known_metric.linear({**rows, "weight": copies.astype(float)})
    if known_metric.task in QUERY_TASKS:  # a query of weight 2 is two queries
        index = np.concatenate([np.flatnonzero(copies > copy) for copy in range(3)])
        again = np.concatenate([np.full(np.count_nonzero(copies > copy), copy) for copy in range(3)])
        copied = {name: values[index] for name, values in rows.items()}
        copied["query"] = copied["query"] + 1000 * again
    else:
        copied = {name: np.repeat(values, copies, axis=0) for name, values in rows.items()}
    assert known_metric.linear({**copied, "weight": None}).value[0] == pytest.approx(
        once.value[0], rel=1e-12, abs=1e-12
    )


def test_the_standard_error_is_the_bootstraps(smooth) -> None:
    n, draws = 1500, 500
    rows = smooth.sample(4, n)
    if smooth.name == "mape":
        rows["label"] += np.sign(rows["label"])  # a label near 0 would be the whole variance
    if smooth.name == "ece":
        rows["score"] = rows["score"] ** 3  # its influence holds signs fixed: no bin may be nearly calibrated
    units = np.unique(rows["query"]).size if smooth.task in QUERY_TASKS else n
    of_unit = rows["query"] if smooth.task in QUERY_TASKS else np.arange(n)
    weight = np.random.default_rng(23).multinomial(units, np.full(units, 1 / units), size=draws)[:, of_unit]
    result = smooth.linear({**rows, "weight": None})
    booted = smooth.linear(
        {
            "label": np.tile(rows["label"], draws),
            "query": np.tile(rows["query"], draws),
            "score": np.tile(rows["score"], (draws, 1) if smooth.task == "multiclass" else draws),
            "weight": weight.ravel().astype(float),
        },
        code=np.repeat(np.arange(draws), n),
        groups=draws,
    )
    sums = np.bincount(of_unit, weights=result.influence)
    error = np.sqrt(units / (units - 1) * np.sum(sums**2)) / n
    # 500 draws know it to 3.2 %; several cutoffs do nearly as well for ks, so that its maximum varies less
    assert error == pytest.approx(booted.value.std(), rel=0.12 if smooth.name == "ks" else 0.08)


def test_every_metric_declares_what_it_is(known_metric) -> None:
    metric = known_metric.metric
    assert metric.name.partition("@")[0] == known_metric.name.partition("@")[0]
    assert metric.task == known_metric.task
    assert metric.low < metric.high
    assert metric.unit.strip()
    assert metric.needs.strip()
    assert (metric.loss is not None) == (metric.method == "mean")
    assert (metric.hits is not None) == (metric.method == "proportion")
    assert (metric.quantile is not None) == (metric.method == "quantile")
    worse = {
        "log_loss",
        "brier",
        "ece",
        "fpr",
        "rmse",
        "mae",
        "mape",
        "median_absolute_error",
        "absolute_error",
        "pinball",
    }
    assert metric.higher_is_better == (known_metric.name.partition("@")[0] not in worse)
    assert metric.gain(0.25) == (0.25 if metric.higher_is_better else -0.25)


def test_a_familys_metric_says_its_number() -> None:
    for names in METRICS.values():
        for name, family in names.items():
            assert isinstance(family, Metric | Family)
            if isinstance(family, Family):
                number = 3.0 if family.whole else 0.25
                assert family.make(number).name == f"{name}@{number:g}"
