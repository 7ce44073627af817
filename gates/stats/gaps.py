"""Gaps between groups of rows: every pair of groups at once."""

from __future__ import annotations

import numpy as np

from lockgate.gates.stats import proportions
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.scored import Codes, Floats, Linear, ratio
from lockgate.gates.stats.uncertainty import Uncertainty


def group_pairs(groups: int) -> tuple[Codes, Codes]:
    """All pairs of groups 0 … S − 1, the smaller number first: (K,), (K,), K = S(S − 1)/2."""
    first, second = np.triu_indices(groups, 1)
    return first, second


def newcombe(hits: Floats, n: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Differences of independent proportions, first − second, for all pairs: bounds (K,), each at one-sided `level`.

    Args:
        hits, n: float64 (S,), 0 <= hits <= n, n more than 0.

    Source: Newcombe, Statistics in Medicine 17 (1998), method 10, from Wilson's intervals.
    """
    low, high = proportions.wilson(hits, n, level=level)
    share = hits / n
    a, b = group_pairs(hits.size)
    gap = share[a] - share[b]
    below = np.hypot(share[a] - low[a], high[b] - share[b])
    above = np.hypot(high[a] - share[a], share[b] - low[b])
    return gap - below, gap + above


def gap_bounds(
    value: Floats, uncertainty: Uncertainty, covariance: Floats | None, *, level: float
) -> tuple[Floats, Floats]:
    """Differences of estimates, first − second, for all pairs: bounds (K,), each at one-sided `level`.

    Independent estimates are combined as Welch and Satterthwaite do. Dependent ones take the smaller degrees of
    freedom, which makes the bounds too wide rather than too narrow. Third moments add up as if they were independent.

    Args:
        value: float64 (S,), with its uncertainty.
        covariance: of the estimates (S, S); None where they are independent.
    """
    a, b = group_pairs(value.size)
    gap, df, variance = value[a] - value[b], uncertainty.df, uncertainty.error**2
    if covariance is None:
        of_gap = variance[a] + variance[b]
        shares = variance[a] ** 2 / df[a] + variance[b] ** 2 / df[b]
        freedom = np.divide(of_gap**2, shares, out=np.minimum(df[a], df[b]), where=shares > 0)
    else:
        of_gap = np.maximum(variance[a] + variance[b] - 2 * covariance[a, b], 0.0)
        freedom = np.minimum(df[a], df[b])
    cubes, slacks = uncertainty.skew * variance**1.5, uncertainty.slack * variance**1.5
    together = Uncertainty(
        error=np.sqrt(of_gap),
        df=freedom,
        skew=np.nan_to_num(ratio(cubes[a] - cubes[b], of_gap**1.5)),
        slack=np.nan_to_num(ratio(np.hypot(slacks[a], slacks[b]), of_gap**1.5)),
        few=uncertainty.few[a] | uncertainty.few[b],
        units=np.minimum(uncertainty.units[a], uncertainty.units[b]),
        effective=np.minimum(uncertainty.effective[a], uncertainty.effective[b]),
        lag_1=np.full_like(of_gap, np.nan),
    )
    below, above = together.reach(level)
    return gap - below, gap + above


def rescale_covariance(covariance: Floats, error: Floats) -> Floats:
    """Covariances (S, S) with the same correlations, and the squares of `error` (S,) on the diagonal."""
    old = np.sqrt(np.diag(covariance))
    factor = np.divide(error, old, out=np.ones_like(old), where=old > 0)
    scaled: Floats = covariance * np.outer(factor, factor)
    return scaled


def group_covariance(estimates: Linear, units: Units, *, weight: Floats | None, cluster: Codes) -> Floats:
    """CR2 covariances (S, S) of the groups' estimates, where a cluster may have rows in several groups.

    Args:
        estimates: as for `measure_influence`.
        units: clusters within groups.
        weight, cluster: what the units were made with, float64 (n,) or None, and codes (n,).

    Source: Bell and McCaffrey, Survey Methodology 28 (2002), for a regression on the groups' indicators.
    """
    from scipy import sparse

    mass = estimates.influence if weight is None else estimates.influence * weight
    scaled = units.sums(mass) * units.leverage.factor
    group = np.zeros(scaled.size, dtype=np.intp) if units.group is None else units.group
    of_unit = np.zeros(scaled.size, dtype=np.intp)
    of_unit[units.of_row] = cluster
    by_cluster = sparse.csr_array((scaled, (of_unit, group)), shape=(int(cluster.max()) + 1, units.groups))
    shared: Floats = (by_cluster.T @ by_cluster).toarray()
    return shared
