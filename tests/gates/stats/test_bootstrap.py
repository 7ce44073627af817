"""The Poisson bootstrap of a difference of quantiles: against resampling every row, and in bounded memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from lockgate.gates.stats.bootstrap import draw_poisson_counts, quantile_difference_errors
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.quantiles import SortedValues
from lockgate.gates.stats.scored import Scored


def errors(
    values: np.ndarray, q: float, *, weight=None, cluster=None, code=None, groups: int = 1, **options
) -> np.ndarray:
    units = Units.of(len(values), weight=weight, cluster=cluster, code=code, groups=groups)
    remaining, right = (
        SortedValues.of(Scored(label=side, score=side, weight=weight, code=code, groups=groups)) for side in values.T
    )
    return quantile_difference_errors(remaining, right, q, units=units, weight=weight, code=code, **options)


def pair(n: int, seed: int, *, cluster: np.ndarray | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = 1.0 if cluster is None else np.exp(0.5 * rng.normal(size=cluster.max() + 1))[cluster]
    common = rng.normal(size=n)
    return np.stack([np.abs(scale * (common + noise * rng.normal(size=n))) for noise in (0.5, 0.8)], axis=1)


def by_rows(values: np.ndarray, q: float, unit: np.ndarray, draws: int = 2000) -> float:
    """Every unit drawn with replacement, the quantiles of the rows that result."""
    rng = np.random.default_rng(8)
    results = [np.flatnonzero(unit == number) for number in range(unit.max() + 1)]
    actual = []
    for _ in range(draws):
        rows = np.concatenate([results[integer] for integer in rng.integers(0, len(results), len(results))])
        actual.append(np.subtract(*np.quantile(values[rows], q, axis=0, method="inverted_cdf")))
    return float(np.std(actual))


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_rows_and_clusters_are_resampled_as_one_would_by_hand(q: float) -> None:
    values = pair(400, 1)
    assert errors(values, q)[0] == pytest.approx(by_rows(values, q, np.arange(400)), rel=0.12)
    cluster = np.arange(800) % 40
    values = pair(800, 2, cluster=cluster)
    assert errors(values, q, cluster=cluster)[0] == pytest.approx(by_rows(values, q, cluster), rel=0.12)


def test_more_rows_than_blocks_and_steps_change_nothing_that_matters() -> None:
    results = [errors(pair(20_000, seed), 0.9)[0] for seed in range(4)]
    truth = np.std([np.subtract(*np.quantile(pair(20_000, seed), 0.9, axis=0)) for seed in range(100, 400)])
    assert np.mean(results) == pytest.approx(truth, rel=0.12)  # 300 data sets know it to 4 %


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_groups_at_once_are_each_group_alone(clustered: bool, weighted: bool) -> None:
    rng = np.random.default_rng(3)
    values, code = pair(300, 3), rng.integers(0, 4, 300)
    code[code == 2] = 1  # an empty group
    weight = rng.uniform(0.2, 3, 300) if weighted else None
    cluster = np.arange(300) % 50 if clustered else None
    result = errors(values, 0.5, weight=weight, cluster=cluster, code=code, groups=4)
    for group in (0, 1, 3):
        own = code == group
        alone = errors(
            values[own],
            0.5,
            weight=None if weight is None else weight[own],
            cluster=None if cluster is None else np.unique(cluster[own], return_inverse=True)[1],
        )
        assert result[group] == pytest.approx(alone[0], rel=0.15)  # a group alone draws other numbers for few units
    assert np.isnan(result[2])


def test_weights_have_no_scale_and_equal_models_no_error() -> None:
    values = pair(200, 4)
    weight = np.random.default_rng(4).uniform(0.5, 2, 200)
    scaled = errors(values, 0.5, weight=weight * 1e-200)[0]
    assert scaled == pytest.approx(errors(values, 0.5, weight=weight)[0], rel=1e-3)
    assert errors(np.repeat(values[:, :1], 2, axis=1), 0.5)[0] == 0


def test_the_same_seed_gives_the_same_numbers_and_another_seed_nearly() -> None:
    values = pair(300, 5)
    assert errors(values, 0.9)[0] == errors(values, 0.9)[0]
    other = errors(values, 0.9, seed=1)[0]
    assert other != errors(values, 0.9)[0]
    assert other == pytest.approx(errors(values, 0.9)[0], rel=0.12)


def test_one_unit_shows_no_error() -> None:
    assert np.isnan(errors(pair(9, 6), 0.5, cluster=np.zeros(9, dtype=int))[0])


def test_counts_are_poissons() -> None:
    counts = draw_poisson_counts(500)
    value = np.bincount(counts.astype(int).ravel(), minlength=6)
    expected = stats.poisson.pmf(np.arange(5), 1) * counts.size
    assert stats.chisquare([*value[:5], value[5:].sum()], [*expected, counts.size - expected.sum()]).pvalue > 1e-3
    assert counts[0, :12].tolist() == draw_poisson_counts(500)[0, :12].tolist()


PEAK = """
import resource, numpy as np
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences
from lockgate.gates.metrics.rows import GroupedRows, Rows
rng = np.random.default_rng(0)
n = 1_000_000
label = rng.normal(size=n)
split = GroupedRows(rows=Rows(label=label, challenger=label + rng.normal(size=n), champion=label + rng.normal(size=n)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
estimate_differences(find_metric("absolute_error@0.9", "regression"), split).of_group().bounds(0.95)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.nightly
def test_a_million_rows_take_bounded_memory() -> None:
    completed = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    assert int(completed.stdout) < 300, completed.stdout  # MB; a thousand resamples of the rows would take 8 GB
