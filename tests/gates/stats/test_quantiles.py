"""Quantiles against NumPy and scikit-learn, order statistics against SciPy's binomial, Woodruff's by simulation;
the low bound of a maximum against Smirnov's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats
from sklearn.utils.stats import _weighted_percentile

from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.quantiles import SortedValues, order_bounds, quantile, widen_low_bound, woodruff_bounds
from lockgate.gates.stats.scored import Scored


def make_scored(values: np.ndarray, **options) -> Scored:
    return Scored(label=values, score=values, **options)


@pytest.mark.parametrize("q", [0.001, 0.1, 0.25, 0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 40, 101])
def test_without_weights_it_is_numpys_averaged_inverted_cdf(n: int, q: float) -> None:
    values = np.round(np.random.default_rng(n).normal(size=n), 1)
    result = quantile(make_scored(values), q).value[0]
    assert result == pytest.approx(np.quantile(values, q, method="averaged_inverted_cdf"), rel=1e-12)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.75, 0.9])
def test_with_weights_it_is_scikit_learns(q: float) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values, weight = np.round(rng.normal(size=30), 1), rng.integers(0, 4, 30).astype(float)
        result = quantile(make_scored(values, weight=weight), q).value[0]
        assert result == pytest.approx(_weighted_percentile(values, weight, 100 * q, average=True), rel=1e-12)
        assert result == quantile(make_scored(np.repeat(values, weight.astype(int))), q).value[0]


@pytest.mark.parametrize("q", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("n", [5, 30, 200])
def test_order_statistics_are_the_binomials(n: int, q: float) -> None:
    values = np.sort(np.random.default_rng(n).normal(size=n))
    for level in (0.6, 0.9, 0.95, 0.999):
        low, high = (bound[0] for bound in order_bounds(SortedValues.of(make_scored(values)), q, level=level))
        # X_(r) <= the quantile has probability P(Bin >= r), and <= X_(s) has P(Bin < s)
        rank = np.arange(1, n + 1)
        below, above = stats.binom.sf(rank - 1, n, q) >= level, stats.binom.cdf(rank - 1, n, q) >= level
        if below.any() and above.any():
            assert (low, high) == (values[below][-1], values[above][0])
        else:
            assert np.isnan([low, high]).all()


@pytest.mark.parametrize("q", [0.2, 0.5, 0.9])
def test_influences_make_the_standard_error(q: float) -> None:
    worlds, n = 400, 1000
    values = np.random.default_rng(6).gamma(2, size=worlds * n)
    result = quantile(make_scored(values, code=np.repeat(np.arange(worlds), n), groups=worlds), q)
    errors = result.influence.reshape(worlds, n).std(axis=1) / np.sqrt(n)
    assert errors.mean() == pytest.approx(result.value.std(), rel=0.1)  # 400 data sets know it to 3.5 %
    assert errors.std() < 0.25 * errors.mean()


def test_few_rows_show_no_bounds() -> None:
    for n, output in ((58, False), (59, True)):  # .95^59 < .05
        low, high = order_bounds(SortedValues.of(make_scored(np.arange(float(n)))), 0.95, level=0.95)
        assert np.isnan([low[0], high[0]]).all() != output


@pytest.mark.parametrize("weighted", [False, True])
def test_groups_at_once_are_each_group_alone(weighted: bool) -> None:
    rng = np.random.default_rng(4)
    values, code = np.round(rng.normal(size=200), 1), rng.integers(0, 4, 200)
    code[code == 2] = 1  # an empty group
    weight = rng.integers(0, 3, 200).astype(float) if weighted else None
    units = Units.of(200, weight=weight, cluster=np.arange(200) % 60, code=code, groups=4)
    rows = make_scored(values, weight=weight, code=code, groups=4)
    value = SortedValues.of(rows)
    low, high = woodruff_bounds(rows, value, 0.5, units=units)(0.9)
    for group in (0, 1, 3):
        own = code == group
        part = None if weight is None else weight[own]
        alone = make_scored(values[own], weight=part)
        item = Units.of(alone.score.size, weight=part, cluster=(np.arange(200) % 60)[own], code=None, groups=1)
        assert value.quantile(0.5)[group] == SortedValues.of(alone).quantile(0.5)[0]
        assert (low[group], high[group]) == tuple(
            bound[0] for bound in woodruff_bounds(alone, SortedValues.of(alone), 0.5, units=item)(0.9)
        )
    assert np.isnan([value.quantile(0.5)[2], low[2], high[2]]).all()


def test_woodruffs_bounds_hold_with_clusters_and_weights() -> None:
    rng = np.random.default_rng(5)
    worlds, n, clusters = 400, 400, 40
    code = np.repeat(np.arange(worlds), n)
    cluster = np.tile(np.arange(n) % clusters, worlds)
    values = rng.normal(size=(worlds, clusters))[code, cluster] + rng.normal(size=worlds * n)
    weight = rng.uniform(0.5, 2, worlds * n)
    rows = make_scored(values, weight=weight, code=code, groups=worlds)
    units = Units.of(worlds * n, weight=weight, cluster=cluster, code=code, groups=worlds)
    low, high = woodruff_bounds(rows, SortedValues.of(rows), 0.5, units=units)(0.95)
    minimum, maximum = stats.binom.ppf([1e-4, 1 - 1e-4], worlds, 0.9) / worlds
    assert minimum <= np.mean((low <= 0) & (high >= 0)) <= maximum
    alone = Units.of(worlds * n, weight=weight, cluster=None, code=code, groups=worlds)
    low, high = woodruff_bounds(rows, SortedValues.of(rows), 0.5, units=alone)(0.95)
    assert np.mean((low <= 0) & (high >= 0)) < 0.7  # rows taken for independent


@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.9975])
def test_one_difference_at_its_widest_becomes_smirnovs_bound(level: float, n: int) -> None:
    """The exact bound of n rows is nearer by 1/6n and terms of n^(-3/2): exp(−(6nd + 1)²/18n), Smirnov 1944."""
    half = stats.norm.ppf(level) * np.sqrt(0.25 / n)
    value = np.array([0.4])
    low, high = widen_low_bound(value, lambda _: (value - half, value + half), floor=0.0)(level)
    assert value[0] - low[0] == pytest.approx(special.smirnovi(n, 1 - level) + 1 / (6 * n), rel=0.3 / n)
    assert high[0] == value[0] + half


def test_a_widened_bound_stays_in_range_and_undefined_where_it_was() -> None:
    value = np.array([0.1, 0.4, np.nan])
    low, high = widen_low_bound(value, lambda _: (value - [0.09, np.nan, 0], value + 0.2), floor=0.0)(0.95)
    np.testing.assert_array_equal(low, [0, np.nan, np.nan])
    np.testing.assert_array_equal(high, value + 0.2)
