"""Whether intervals hold what their level says, and what they say where nothing varies.

Tests of gates/metrics/area.py and gates/metrics/scale.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences, estimate_metric
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows, Groups, Rows
from tests.reference import allow_for_clusters, allow_for_rows

WORLDS = 500


def worlds(task: str, n: int, *, count: int, seed: int) -> GroupedRows:
    """`count` data sets of n rows, each a group of its own: two models, one a little better."""
    rng = np.random.default_rng(seed)
    size = n * count
    rows: dict = {}
    if task == "binary":
        label = (rng.random(size) < 0.4).astype(float)
        scores = [np.clip(0.4 + skill * label + rng.normal(0, 0.2, size), 0, 1) for skill in (0.25, 0.2)]
    elif task == "multiclass":
        label = rng.choice(3, size, p=[0.5, 0.3, 0.2]).astype(float)
        scores = [rng.dirichlet(np.ones(3), size) + s * np.eye(3)[label.astype(int)] for s in (0.35, 0.3)]
        scores = [score / score.sum(axis=1, keepdims=True) for score in scores]
    elif task == "regression":
        label = rng.normal(size=size)
        common = rng.normal(size=size)
        scores = [label + 0.5 * common + noise * rng.normal(size=size) for noise in (0.8, 1.0)]
    else:
        label = rng.choice(4, size, p=[0.55, 0.25, 0.15, 0.05]).astype(float)
        scores = [label + rng.normal(0, noise, size) for noise in (1.8, 2.2)]
        rows["query"] = np.arange(size) // 10
        rows["cluster"] = rows["query"]
    code = np.repeat(np.arange(count), n)
    value = Rows(label=label, challenger=scores[0], champion=scores[1], **rows)
    return GroupedRows(rows=value, groups=Groups(keys=tuple((str(world),) for world in range(count)), code=code))


@pytest.mark.parametrize(
    ("task", "name", "n"),
    [
        ("binary", "f1", 300),
        ("binary", "mcc", 300),
        ("binary", "precision", 300),
        ("binary", "ks", 300),
        ("multiclass", "f1_macro", 300),
        ("multiclass", "auc_ovr_macro", 300),
        ("multiclass", "brier", 300),
        ("regression", "r2", 300),
        pytest.param("regression", "median_absolute_error", 300, marks=pytest.mark.nightly),
        pytest.param("regression", "absolute_error@0.9", 300, marks=pytest.mark.nightly),
        ("ranking", "ndcg@5", 400),
    ],
)
def test_a_90_percent_interval_covers_90_percent(task: str, name: str, n: int) -> None:
    known_values = find_metric(name, task)
    truth = worlds(task, 400_000, count=1, seed=1)
    value = worlds(task, n, count=WORLDS, seed=2)
    ours, theirs = (known_values.linearise(truth.scored_by(model)).value[0] for model in ("challenger", "champion"))
    for find, true in ((estimate_metric, ours), (estimate_differences, ours - theirs)):
        low, high = find(known_values, value).bounds(0.95)
        covered = np.mean((low <= true) & (true <= high))
        minimum, maximum = stats.binom.ppf([1e-4, 1 - 1e-4], WORLDS, 0.9) / WORLDS
        maximum = 0.99 if known_values.method in ("supremum", "quantile") else maximum  # wide on purpose
        assert minimum <= covered <= maximum, find.__name__


def test_the_low_bound_of_a_maximum_holds_its_level() -> None:
    known_values = find_metric("ks", "binary")
    true = estimate_metric(known_values, worlds("binary", 400_000, count=1, seed=1)).value[0]
    for n in (100, 1000):
        low, _ = estimate_metric(known_values, worlds("binary", n, count=WORLDS, seed=3)).bounds(0.95)
        assert np.mean(low <= true) >= 0.93  # without the correction .82 and .87


def test_three_decisions_that_are_right_are_no_proof_of_precision() -> None:
    label = np.zeros(1000)
    label[:5] = 1
    score = np.where(np.arange(1000) < 3, 0.9, 0.1)
    split = GroupedRows(rows=Rows(label=label, challenger=score))
    result = estimate_metric(find_metric("precision", "binary"), split).of_group()
    assert result.value == 1
    assert result.bounds(0.95) == pytest.approx((0.05 ** (1 / 3), 1))
    wrong = estimate_metric(
        find_metric("precision", "binary"), GroupedRows(rows=Rows(label=1 - label, challenger=score))
    ).of_group()
    assert wrong.bounds(0.95) == pytest.approx((0, 1 - 0.05 ** (1 / 3)))


@pytest.mark.parametrize(("name", "trials"), [("f1", 8), ("balanced_accuracy", 8), ("mcc", 8), ("brier", 20)])
def test_a_perfect_value_rests_on_the_rows_that_could_have_spoilt_it(name: str, trials: int) -> None:
    label = np.repeat([0.0, 1.0], [12, 8])
    known_values = find_metric(name, "binary")
    low, high = (
        estimate_metric(known_values, GroupedRows(rows=Rows(label=label, challenger=label))).of_group().bounds(0.95)
    )
    reach = (known_values.high - known_values.low) * (1 - 0.05 ** (1 / trials))
    assert (low, high) == pytest.approx((0, reach) if name == "brier" else (1 - reach, 1))


@pytest.mark.parametrize(("name", "trials"), [("f1_macro", 3), ("f1_weighted", 15), ("auc_ovr_macro", 3), ("mcc", 3)])
def test_so_does_a_perfect_classifier_of_many(name: str, trials: int) -> None:
    label = np.repeat([0.0, 1, 2], [7, 5, 3])
    known_values = find_metric(name, "multiclass")
    score = np.eye(3)[label.astype(int)]
    low, high = (
        estimate_metric(known_values, GroupedRows(rows=Rows(label=label, challenger=score))).of_group().bounds(0.95)
    )
    assert (low, high) == pytest.approx((1 - (known_values.high - known_values.low) * (1 - 0.05 ** (1 / trials)), 1))


def test_queries_of_one_size_are_the_paired_t_test() -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(0, 3, 400).astype(float)
    query = np.arange(400) % 40
    scores = label[:, None] + rng.normal(0, 2, (400, 2))
    value = Rows(label=label, challenger=scores[:, 0], champion=scores[:, 1], query=query, cluster=query)
    known_values = find_metric("ndcg@5", "ranking")
    each = [
        [
            known_values.linearise(
                GroupedRows(rows=Rows(label=label[own], challenger=score[own], query=query[own])).scored_by(
                    "challenger"
                )
            ).value[0]
            for own in (query == number for number in range(40))
        ]
        for score in scores.T
    ]
    gap = np.subtract(*each)
    allowance = allow_for_clusters(gap, np.full(40, 10.0))
    assert (allowance.error, allowance.df) == pytest.approx((stats.sem(gap), 39))
    result = estimate_differences(known_values, GroupedRows(rows=value)).of_group()
    assert result.value == pytest.approx(gap.mean(), rel=1e-12)
    assert result.p_gain(0) == pytest.approx(allowance.p_above(gap.mean()), rel=1e-9)
    assert result.bounds(0.95) == pytest.approx(allowance.bounds(gap.mean(), 0.95), rel=1e-9)


def test_a_teams_own_loss_is_one_function_and_one_entry() -> None:
    """As gates/metrics says: intervals, slices, clusters and the paired difference come with it."""

    def late(label: np.ndarray, score: np.ndarray) -> np.ndarray:
        """An hour late costs three times what an hour early does."""
        return np.where(score < label, 3.0, 1.0) * np.abs(score - label)

    own = Metric.of_loss(late, name="late", task="regression", unit="hours")
    rng = np.random.default_rng(4)
    label = rng.normal(size=90)
    value = Rows(label=label, challenger=label + rng.normal(0, 1, 90), champion=label + rng.normal(0, 2, 90))
    split = GroupedRows(rows=value, groups=Groups(keys=(("a",), ("b",), ("c",)), code=np.arange(90) % 3))
    for index in range(3):
        mine, other = (late(label[index::3], score[index::3]) for score in (value.challenger, value.champion))
        allowance = allow_for_rows(mine - other)
        result = estimate_differences(own, split).of_group(index)
        assert result.bounds(0.95) == pytest.approx(allowance.bounds(np.mean(mine - other), 0.95), rel=1e-9)
        assert result.p_gain(0) == pytest.approx(allowance.p_below(np.mean(other - mine)), rel=1e-9)
        assert estimate_metric(own, split).of_group(index).value == pytest.approx(mine.mean())
