"""Standard errors and bounds of areas under the ROC curve, for each group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.stats import ranking
from lockgate.gates.stats.clusters import errors_of_sums, t_quantile
from lockgate.gates.stats.scored import TOLERANCE, Floats, Linear, ratio


def paired_difference(split: GroupedRows) -> tuple[Floats, Floats, Floats]:
    """challenger − champion of areas of unweighted rows, with standard errors and degrees of freedom, each (S,).

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
        return value, *errors_of_sums(in_unit, units)
    error, df = _delong_errors(by.sums(np.square(deviations, out=deviations)), by.mass)
    return value, scale * error, df


def delong_errors(linear: Linear, split: GroupedRows) -> tuple[Floats, Floats]:
    """DeLong's standard errors (S,) for independent rows, and df, which are infinite.

    The variance is s²/P over positives plus s²/N over negatives.
    The influence values of `linear` are placements, of one model or of a difference. NaN in a group with fewer than two
    rows of a label.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    # no mean to subtract: the mean placement of each label is the area, so influences have mean 0 within each label
    by = ranking.ByLabel.of(split.rows.label, split.groups.code, split.groups.count, weight=None)
    return _delong_errors(by.sums(linear.influence**2), by.mass)


def _delong_errors(squares: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Errors and df from sums of squared placements and numbers of rows, both by group and label (2S,)."""
    rows = n.reshape(-1, 2)
    of_class = ratio(squares * n, n - 1).reshape(-1, 2).sum(axis=1)
    defined = rows.min(axis=1) >= 2
    error = np.sqrt(ratio(of_class, rows.sum(axis=1) ** 2))
    return np.where(defined, error, np.nan), np.where(defined, np.inf, np.nan)


def logit_bounds(
    value: Floats, error: Floats, df: Floats, split: GroupedRows
) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of areas on the logit scale; for an area of exactly 0 or 1, Clopper–Pearson's for the rarer label.

    Where a model separates the labels the logit has no error, which does not prove the model perfect. NaN where `error`
    is.
    """
    with np.errstate(invalid="ignore"):
        inside = (value > TOLERANCE) & (value < 1 - TOLERANCE)
    within, perfect, defined = np.where(inside, value, 0.5), value > 0.5, ~np.isnan(error)

    def bounds_at(level: float) -> tuple[Floats, Floats]:
        half = t_quantile(level, df) * error / (within * (1 - within))
        low, high = (
            scipy.special.expit(scipy.special.logit(within) - half),
            scipy.special.expit(scipy.special.logit(within) + half),
        )
        worst = (1 - level) ** (1 / np.maximum(_count_rarer_label(split), 1))
        low = np.where(inside, low, np.where(perfect, worst, 0.0))
        high = np.where(inside, high, np.where(perfect, 1.0, 1 - worst))
        return np.where(defined, low, np.nan), np.where(defined, high, np.nan)

    return bounds_at


def _count_rarer_label(split: GroupedRows) -> Floats:
    """Rows of the rarer label that have weight in each group, or the group's clusters if there are fewer (S,)."""
    rows, code = split.rows, split.groups.code
    counts = (rows.label == 1) if rows.weight is None else (rows.label == 1) & (rows.weight > 0)
    of_row = np.zeros(rows.label.size, dtype=np.intp) if code is None else code
    positive = np.bincount(of_row, weights=counts, minlength=split.groups.count).astype(np.float64)
    trials = np.minimum(positive, split.n - positive)
    return trials if split.clusters is None else np.minimum(trials, split.clusters)
