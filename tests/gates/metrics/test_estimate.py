"""Which interval serves which rows, and what must not change it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lockgate.gates.metrics import METRICS
from lockgate.gates.metrics.estimate import (
    Difference,
    Estimate,
    estimate_differences,
    estimate_metric,
    measure_difference,
    measure_uncertainty,
)
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows, Groups, Rows
from lockgate.gates.stats import proportions
from tests.reference import allow_for_rows

KNOWN: dict[str, Metric] = {
    name: result
    for task in ("binary", "regression")
    for name, result in METRICS[task].items()
    if isinstance(result, Metric) and result.method != "quantile"
}


def estimate(metric: Metric, rows: Rows) -> Estimate:
    return estimate_metric(metric, GroupedRows(rows=rows)).of_group()


def difference(metric: Metric, rows: Rows) -> Difference:
    return estimate_differences(metric, GroupedRows(rows=rows)).of_group()


def take(rows: Rows, index: np.ndarray) -> Rows:
    options = {name: getattr(rows, name) for name in ("label", "challenger", "champion", "weight", "cluster")}
    return Rows(**{name: None if values is None else values[index] for name, values in options.items()})


def wilson(successes: float, n: float, *, level: float) -> tuple[float, float]:
    low, high = proportions.wilson(np.array([successes]), np.array([n]), level=level)
    return float(low[0]), float(high[0])


def tango(b: float, c: float, n: float, *, level: float) -> tuple[float, float]:
    low, high = proportions.tango(np.array([b]), np.array([c]), np.array([n]), level=level)
    return float(low[0]), float(high[0])


def rows(name: str, n: int = 240, seed: int = 3, **options: np.ndarray | None) -> Rows:
    rng = np.random.default_rng(seed)
    if KNOWN[name].task == "regression":
        label = rng.normal(size=n)
        scores = label[:, None] + rng.normal(size=(n, 2))
    else:
        label = (rng.random(n) < 0.4).astype(float)
        scores = np.clip(0.4 + 0.2 * label[:, None] + rng.normal(0, 0.2, (n, 2)), 0, 1)
    return Rows(label=label, challenger=scores[:, 0], champion=scores[:, 1], **options)


def both(name: str, rows_: Rows) -> list[float]:
    """Everything that a gate would read."""
    item, two = estimate(KNOWN[name], rows_), difference(KNOWN[name], rows_)
    numbers = [item.value, *(item.bounds(0.95) or ()), two.value, *(two.bounds(0.95) or ())]
    return [*numbers, two.p_gain(0.01) or 0.0, two.p_harm(-0.01) or 0.0]


def test_accuracy_without_weights_is_wilson_tango_and_mcnemar() -> None:
    value = rows("accuracy")
    new, old = ((score >= 0.5) == (value.label == 1) for score in (value.challenger, value.champion))
    b, c = int(np.sum(new & ~old)), int(np.sum(old & ~new))
    result = difference(KNOWN["accuracy"], value)
    assert estimate(KNOWN["accuracy"], value).bounds(0.9) == wilson(new.sum(), 240, level=0.9)
    assert result.bounds(0.9) == tango(b, c, 240, level=0.9)
    assert result.exact
    assert result.p_gain(0) == pytest.approx(stats.binomtest(b, b + c, alternative="greater").pvalue, rel=1e-12)
    assert result.p_harm(0) == pytest.approx(stats.binomtest(b, b + c, alternative="less").pvalue, rel=1e-12)


@pytest.mark.parametrize("name", ["log_loss", "brier", "mae"])
def test_a_mean_loss_is_the_paired_t_test_with_halls_allowance_for_skew(name: str) -> None:
    value = rows(name)
    if name != "mae":  # no row is so wrong that it carries the skewness alone
        value = replace(value, challenger=value.challenger.clip(0.1, 0.9), champion=value.champion.clip(0.1, 0.9))
    loss = {
        "log_loss": lambda s: -np.log(np.clip(np.where(value.label == 1, s, 1 - s), np.finfo(float).eps, 1)),
        "brier": lambda s: (s - value.label) ** 2,
        "mae": lambda s: np.abs(s - value.label),
    }[name]
    gap = loss(value.challenger) - loss(value.champion)
    test = stats.ttest_rel(loss(value.challenger), loss(value.champion))
    _, uncertainty = measure_difference(KNOWN[name], GroupedRows(rows=value))
    assert (uncertainty.error[0], uncertainty.df[0]) == pytest.approx((gap.mean() / test.statistic, test.df), rel=1e-9)
    result, allowance = difference(KNOWN[name], value), allow_for_rows(gap)
    assert result.bounds(0.95) == pytest.approx(allowance.bounds(gap.mean(), 0.95), rel=1e-9)
    assert result.p_gain(0) == pytest.approx(allowance.p_below(-gap.mean()), rel=1e-9)
    assert result.p_harm(0) == pytest.approx(allowance.p_above(gap.mean()), rel=1e-9)
    assert result.p_gain(0) + result.p_harm(0) > 1  # each allows for skew to its own side


@pytest.mark.parametrize("name", KNOWN)
def test_copies_in_one_cluster_are_a_weight(name: str) -> None:
    copies = np.random.default_rng(5).integers(1, 4, 240)
    value = rows(name, weight=copies.astype(float), cluster=np.arange(240) % 30)
    index = np.repeat(np.arange(240), copies)
    copied = take(rows(name), index)
    again = Rows(
        label=copied.label, challenger=copied.challenger, champion=copied.champion, cluster=(np.arange(240) % 30)[index]
    )
    assert both(name, value) == pytest.approx(both(name, again), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("cluster", [None, np.arange(240) % 30])
@pytest.mark.parametrize("name", KNOWN)
def test_weights_have_no_scale_and_rows_no_order(name: str, cluster: np.ndarray | None) -> None:
    rng = np.random.default_rng(6)
    weight = rng.uniform(0.5, 2, 240)
    once = both(name, rows(name, weight=weight, cluster=cluster))
    assert both(name, rows(name, weight=weight * 977, cluster=cluster)) == pytest.approx(once, rel=1e-9, abs=1e-11)
    shuffled = take(rows(name, weight=weight, cluster=cluster), rng.permutation(240))
    assert both(name, shuffled) == pytest.approx(once, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("name", KNOWN)
def test_a_row_of_weight_zero_is_not_there(name: str, clustered: bool) -> None:
    weight = np.where(np.arange(240) < 60, 0.0, 1.5)
    cluster = np.arange(240) // 8 if clustered else None
    value = rows(name, weight=weight, cluster=cluster)
    kept_values = take(value, np.arange(60, 240))
    assert (value.n, value.clusters) == (kept_values.n, kept_values.clusters) == (180, 23 if clustered else None)
    assert both(name, value) == pytest.approx(both(name, kept_values), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("weight", [None, np.random.default_rng(8).uniform(0.1, 7, 24)])
@pytest.mark.parametrize("cluster", [None, np.arange(24) % 12])
def test_separated_classes_are_no_proof_of_a_perfect_model(
    weight: np.ndarray | None, cluster: np.ndarray | None
) -> None:
    label = np.repeat([0.0, 1.0], 12)
    perfect = Rows(label=label, challenger=label * 0.5 + 0.2, weight=weight, cluster=cluster)
    wrong = Rows(label=label, challenger=0.7 - label * 0.5, weight=weight, cluster=cluster)
    minimum = 0.05 ** (1 / 12)
    assert estimate(KNOWN["auc"], perfect).bounds(0.95) == pytest.approx((minimum, 1))
    assert estimate(KNOWN["auc"], wrong).bounds(0.95) == pytest.approx((0, 1 - minimum))


@pytest.mark.parametrize("options", [{"weight": np.full(24, 2.0)}, {"cluster": np.arange(24) % 12}])
def test_agreement_on_a_dozen_clusters_is_no_proof_of_equality(options: dict[str, np.ndarray]) -> None:
    label = np.tile([0.0, 0, 1, 1], 6)
    value = Rows(label=label, challenger=label * 0.6 + 0.1, champion=label * 0.5 + 0.2, **options)
    trials = 12 if "cluster" in options else 24
    assert estimate(KNOWN["accuracy"], value).bounds(0.95) == pytest.approx(wilson(trials, trials, level=0.95))
    result = difference(KNOWN["accuracy"], value)
    assert result.bounds(0.95) == pytest.approx(tango(0, 0, trials, level=0.95))
    assert result.bounds(0.95)[0] < -0.08


def test_constant_scores_have_an_area_of_one_half_without_width() -> None:
    value = Rows(label=np.tile([0.0, 1], 20), challenger=np.full(40, 0.3), champion=np.full(40, 0.3))
    assert estimate(KNOWN["auc"], value).bounds(0.95) == (0.5, 0.5)
    assert difference(KNOWN["auc"], value).bounds(0.95) == (0, 0)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("cluster", [None, np.arange(240) % 30])
def test_identical_scores_differ_by_exactly_nothing(name: str, cluster: np.ndarray | None) -> None:
    value = rows(name)
    same = Rows(label=value.label, challenger=value.champion, champion=value.champion, cluster=cluster)
    result = difference(KNOWN[name], same)
    assert result.value == 0
    assert result.p_gain(0) == 1 or KNOWN[name].method == "proportion"
    assert result.bounds(0.95)[0] <= 0


@pytest.mark.parametrize("name", KNOWN)
def test_one_unit_shows_a_value_and_no_error(name: str) -> None:
    if KNOWN[name].method == "delong":
        item = Rows(label=np.array([1.0, 0]), challenger=np.array([0.7, 0.2]), champion=np.array([0.6, 0.3]))
    else:
        item = Rows(
            label=np.array([1.0, 0]) + (KNOWN[name].task == "regression"),
            challenger=np.array([0.7, 0.2]),
            champion=np.array([0.6, 0.3]),
            cluster=np.zeros(2, int),
        )
    assert np.isfinite(estimate(KNOWN[name], item).value)
    assert estimate(KNOWN[name], item).bounds(0.95) is None
    assert difference(KNOWN[name], item).p_gain(0) is None


@settings(max_examples=40)
@given(level=st.floats(0.51, 0.999), name=st.sampled_from(list(KNOWN)))
def test_bounds_bracket_the_value_and_stay_in_range(level: float, name: str) -> None:
    for row in (estimate(KNOWN[name], rows(name)),):
        low, high = row.bounds(level)
        assert KNOWN[name].low <= low <= row.value <= high <= KNOWN[name].high


def test_a_difference_needs_a_champion() -> None:
    with pytest.raises(ValueError, match="without a champion"):
        difference(KNOWN["brier"], Rows(label=np.ones(2), challenger=np.ones(2)))


@pytest.mark.parametrize("name", KNOWN)
def test_swapping_the_models_turns_every_number_around(name: str) -> None:
    value = rows(name, cluster=np.arange(240) % 30)
    swapped = Rows(label=value.label, challenger=value.champion, champion=value.challenger, cluster=value.cluster)
    item, other = difference(KNOWN[name], value), difference(KNOWN[name], swapped)
    low, high = item.bounds(0.9)
    assert other.bounds(0.9) == pytest.approx((-high, -low), abs=1e-12)
    assert other.p_gain(0.02) == pytest.approx(item.p_harm(-0.02), abs=1e-12)


@pytest.mark.parametrize("options", ["plain", "weight", "cluster", "both"])
@pytest.mark.parametrize("name", KNOWN)
def test_groups_at_once_are_each_group_alone(name: str, options: str) -> None:
    rng = np.random.default_rng(12)
    weight = rng.uniform(0.2, 3, 240) if options in ("weight", "both") else None
    cluster = rng.integers(0, 20, 240) if options in ("cluster", "both") else None
    value = rows(name, weight=weight, cluster=cluster)
    code = rng.integers(0, 3, 240)
    split = GroupedRows(rows=value, groups=Groups(keys=(("a",), ("b",), ("c",)), code=code))
    item, two = estimate_metric(KNOWN[name], split), estimate_differences(KNOWN[name], split)
    for group in range(3):
        alone = take(value, np.flatnonzero(code == group))
        mine, pair = item.of_group(group), two.of_group(group)
        numbers = [mine.value, *(mine.bounds(0.95) or ()), pair.value, *(pair.bounds(0.95) or ())]
        numbers += [pair.p_gain(0.01) or 0.0, pair.p_harm(-0.01) or 0.0]
        assert numbers == pytest.approx(both(name, alone), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("options", ["plain", "cluster", "both"])
@pytest.mark.parametrize("name", ["auc", "log_loss", "accuracy", "brier"])
def test_sums_over_units_are_what_influences_row_by_row_give(name: str, options: str, ties: bool) -> None:
    rng = np.random.default_rng(13)
    cluster = None if options == "plain" else rng.integers(0, 20, 240)
    value = rows(name, weight=rng.uniform(0.2, 3, 240) if options == "both" else None, cluster=cluster)
    if ties:
        value = replace(value, challenger=np.round(value.challenger, 1), champion=np.round(value.champion, 1))
    split = GroupedRows(rows=value, groups=Groups(keys=(("a",), ("b",), ("c",)), code=rng.integers(0, 3, 240)))
    result, metric = estimate_differences(KNOWN[name], split), KNOWN[name]
    linear = split.paired_difference(metric)
    np.testing.assert_allclose(result.value, linear.value, atol=1e-14)
    ours, theirs = (metric.linearise(split.scored_by(model)) for model in ("challenger", "champion"))
    np.testing.assert_allclose(linear.influence, ours.influence - theirs.influence, atol=1e-12)
    if metric.hits is None or cluster is not None:
        below, above = measure_uncertainty(metric, linear, split, paired=True).reach(0.9)
        expected = linear.value - below, linear.value + above
        np.testing.assert_allclose(result.bounds(0.9), expected, rtol=1e-10, atol=1e-13)


def test_many_rows_are_looked_at_in_threads_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    value = rows("auc", n=300, seed=14)
    alone = [both(name, value) for name in ("auc", "average_precision", "log_loss", "accuracy")]
    monkeypatch.setattr("lockgate.gates.metrics.rows.MIN_ROWS_FOR_THREADS", 100)
    value = replace(value)  # nothing is kept
    assert [both(name, value) for name in ("auc", "average_precision", "log_loss", "accuracy")] == alone
