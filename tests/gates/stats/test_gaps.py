"""Gaps between groups, against statsmodels, SciPy, and a regression on the groups' indicators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats
from statsmodels.stats.proportion import confint_proportions_2indep

from lockgate.gates.stats import gaps
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.scored import Linear, Scored
from lockgate.gates.stats.uncertainty import measure_influence
from tests.reference import Allowance, allow_for_rows


def test_shares_are_newcombes() -> None:
    hits, n = np.array([3.0, 40, 0, 12]), np.array([20.0, 90, 15, 12])
    low, high = gaps.newcombe(hits, n, level=0.975)
    for index, (a, b) in enumerate(zip(*gaps.group_pairs(4), strict=True)):
        expected = confint_proportions_2indep(hits[a], n[a], hits[b], n[b], method="newcomb", alpha=0.05)
        assert (low[index], high[index]) == pytest.approx(expected, abs=1e-12)


def of_means(y: np.ndarray, code: np.ndarray, groups: int) -> Linear:
    scored = Scored(label=y, score=y, code=code, groups=groups)
    mean = scored.mean(y)
    return Linear(mean, y - scored.spread(mean))


def test_independent_means_are_welchs() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 90)
    y = rng.normal(0, 1 + code)
    result = of_means(y, code, 3)
    units = Units.of(90, weight=None, cluster=None, code=code, groups=3)
    uncertainty = measure_influence(result.influence, units, weight=None)
    low, high = gaps.gap_bounds(result.value, uncertainty, None, level=0.95)
    for index, (a, b) in enumerate(zip(*gaps.group_pairs(3), strict=True)):
        assert (low[index], high[index]) == pytest.approx(bound_gap(y[code == a], y[code == b]), rel=1e-9)


def bound_gap(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Welch's interval at .95, with the skewness of both means."""
    test = stats.ttest_ind(first, second, equal_var=False)
    error = np.sqrt(stats.sem(first) ** 2 + stats.sem(second) ** 2)
    means = [allow_for_rows(first), allow_for_rows(second)]
    cubes, slacks = ([getattr(mean, name) * mean.error**3 for mean in means] for name in ("skew", "slack"))
    together = Allowance(
        error=error, df=test.df, skew=(cubes[0] - cubes[1]) / error**3, slack=np.hypot(*slacks) / error**3
    )
    return together.bounds(first.mean() - second.mean(), 0.95)


@pytest.mark.parametrize("spacing", [1, 1000])
def test_shared_clusters_are_the_regression_on_indicators(spacing: int) -> None:
    rng = np.random.default_rng(1)
    code, cluster = rng.integers(0, 3, 120), rng.integers(0, 9, 120)
    y = rng.normal(size=120) + rng.normal(size=9)[cluster]
    result = of_means(y, code, 3)
    units = Units.of(120, weight=None, cluster=cluster * spacing, code=code, groups=3)
    design = np.eye(3)[code]
    bread = linalg.inv(design.T @ design)
    annihilator = np.eye(120) - design @ bread @ design.T
    meat = np.zeros((3, 3))
    for number in range(9):
        own = cluster == number
        values, vectors = linalg.eigh(annihilator[np.ix_(own, own)])
        root = vectors @ np.diag(np.where(values > 1e-10, 1 / np.sqrt(np.maximum(values, 1e-10)), 0)) @ vectors.T
        score = design[own].T @ root @ (y - result.value[code])[own]
        meat += np.outer(score, score)
    np.testing.assert_allclose(
        gaps.group_covariance(result, units, weight=None, cluster=cluster * spacing),
        bread @ meat @ bread,
        rtol=1e-9,
        atol=1e-12,
    )


def test_copies_are_a_weight() -> None:
    rng = np.random.default_rng(2)
    code, cluster, copies = rng.integers(0, 3, 80), rng.integers(0, 8, 80), rng.integers(1, 4, 80)
    y = rng.normal(size=80)
    scored = Scored(label=y, score=y, weight=copies.astype(float), code=code, groups=3)
    result = Linear(scored.mean(y), y - scored.spread(scored.mean(y)))
    weighted = gaps.group_covariance(
        result,
        Units.of(80, weight=scored.weight, cluster=cluster, code=code, groups=3),
        weight=scored.weight,
        cluster=cluster,
    )
    index = np.repeat(np.arange(80), copies)
    copied = gaps.group_covariance(
        of_means(y[index], code[index], 3),
        Units.of(index.size, weight=None, cluster=cluster[index], code=code[index], groups=3),
        weight=None,
        cluster=cluster[index],
    )
    np.testing.assert_allclose(weighted, copied, rtol=1e-9)
