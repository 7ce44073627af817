"""Standard errors and bounds of areas under the ROC curve, for each group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.metrics.scale import Scale
from lockgate.gates.stats import ranking
from lockgate.gates.stats.scored import TOLERANCE, Floats, Linear, ratio
from lockgate.gates.stats.uncertainty import Uncertainty, measure_sums


def paired_difference(metric: Metric, split: GroupedRows) -> tuple[Floats, Uncertainty]:
    """challenger − champion of areas of unweighted rows (S,), and its uncertainty.

    The same as from the difference of influence values, but faster: scale and offset are equal for all rows of a label
    in a group, so differences of placements are enough.
    """
    units, groups = split.units, split.groups
    gap, champion = split.for_both(ranking.placements)
    gap -= champion
    by = ranking.ByLabel.of(split.rows.label, groups.code, groups.count, weight=None)
    sums, misses, hits = by.sums(gap), by.mass[::2], by.mass[1::2]
    value, scale = ratio(sums[1::2], 2 * hits * misses), ranking.per_placement(misses, hits)
    deviations = by.deviations(gap, sums)
    if units.of_row is not None:
        in_unit = units.sums(deviations) * units.spread(scale)
        del gap, champion, by, deviations  # there may be as many units as rows: free the memory for what follows
        return value, measure_sums(in_unit, split.carrying_units(metric))
    return value, _measure_delong(deviations, by).scale_error(scale)


def delong_uncertainty(linear: Linear, split: GroupedRows) -> Uncertainty:
    """DeLong's uncertainty (S,) of independent rows.

    The variance is s²/P over positives plus s²/N over negatives, with Welch and Satterthwaite's degrees of freedom; the
    skewness is that of both sums. The influence values of `linear` are placements, of one model or of a difference. NaN
    in a group with fewer than two rows of a label.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988); Satterthwaite, Biometrics Bulletin 2 (1946).
    """
    # no mean to subtract: the mean placement of each label is the area, so influences have mean 0 within each label
    by = ranking.ByLabel.of(split.rows.label, split.groups.code, split.groups.count, weight=None)
    return _measure_delong(linear.influence.copy(), by)


def _measure_delong(deviations: Floats, by: ranking.ByLabel) -> Uncertainty:
    """The uncertainty of a mean of placements over all rows, from their deviations (n,), which are overwritten."""
    n = by.mass.reshape(-1, 2)
    square = deviations * deviations
    squares = by.sums(square).reshape(-1, 2)
    square *= deviations
    cubes = by.sums(square).reshape(-1, 2).sum(axis=1)
    of_class = ratio(squares * n, n - 1)
    variance = of_class.sum(axis=1)
    rarer = n.min(axis=1)
    defined = rarer >= 2
    df = ratio(variance**2, ratio(of_class**2, n - 1).sum(axis=1))
    df = np.where(np.isnan(df), rarer - 1, df)  # constant scores: no variance, whose degrees of freedom do not matter
    return Uncertainty(
        error=np.where(defined, np.sqrt(ratio(variance, n.sum(axis=1) ** 2)), np.nan),
        df=np.where(defined, df, np.nan),
        skew=np.nan_to_num(ratio(cubes, squares.sum(axis=1) ** 1.5)),
        slack=np.nan_to_num(np.sqrt(6.0) * ratio(np.ones_like(rarer), rarer)),
        few=np.zeros(rarer.shape, dtype=bool),
        units=rarer,
        effective=rarer,
        lag_1=np.full_like(rarer, np.nan),
    )


def logit_bounds(value: Floats, uncertainty: Uncertainty, trials: Floats) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of areas on the logit scale; for an area of exactly 0 or 1, Clopper–Pearson's for the rarer label.

    Where a model separates the labels the logit has no error, which does not prove the model perfect. NaN where the
    error is. trials: rows of the rarer label in each group, or clusters if there are fewer (S,).
    """
    scale = Scale(low=0.0, high=1.0)
    on_scale = uncertainty.on_scale(scale.bend(value))
    with np.errstate(invalid="ignore"):
        inside = (value > TOLERANCE) & (value < 1 - TOLERANCE)
    perfect, defined = value > 0.5, ~np.isnan(uncertainty.error)

    def bounds_at(level: float) -> tuple[Floats, Floats]:
        low, high = scale.around(value, *on_scale.reach(level))
        worst = (1 - level) ** (1 / np.maximum(trials, 1))
        low = np.where(inside, low, np.where(perfect, worst, 0.0))
        high = np.where(inside, high, np.where(perfect, 1.0, 1 - worst))
        return np.where(defined, low, np.nan), np.where(defined, high, np.nan)

    return bounds_at
