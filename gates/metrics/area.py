"""Errors and bounds of areas under the ROC curve, group by group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

from lockgate.gates.metrics.rows import Split
from lockgate.gates.stats import ranking
from lockgate.gates.stats.clusters import errors_of_sums, t_quantile
from lockgate.gates.stats.scored import TOLERANCE, Floats, Linear, ratio


def paired(split: Split) -> tuple[Floats, Floats, Floats]:
    """challenger − champion of areas of rows that weigh alike, their standard errors and degrees of freedom, each (S,).

    As from the difference of influences, of which rows of a label in a group share the scale and the offset.
    """
    units, groups = split.units, split.groups
    gap, champion = split.of_both(ranking.placements)
    gap -= champion
    by = ranking.ByLabel.of(split.rows.label, groups.code, groups.count, weight=None)
    sums, misses, hits = by.sums(gap), by.mass[::2], by.mass[1::2]
    value, scale = ratio(sums[1::2], 2 * hits * misses), ranking.per_placement(misses, hits)
    deviations = by.deviations(gap, sums)
    if units.of_row is not None:
        in_unit = units.sums(deviations) * units.spread(scale)
        del gap, champion, by, deviations  # what follows needs room where units are as many as rows
        return value, *errors_of_sums(in_unit, units)
    error, df = _of_labels(by.sums(np.square(deviations, out=deviations)), by.mass)
    return value, scale * error, df


def delong(linear: Linear, split: Split) -> tuple[Floats, Floats]:
    """DeLong's errors (S,) of independent rows, s²/P over positives plus s²/N over negatives, and df: infinite.

    `linear` holds placements as influences, of one model or of a difference. NaN where a group has fewer than two
    rows of a label.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    # the mean placement of either label is the area: influences are centred within each label already
    by = ranking.ByLabel.of(split.rows.label, split.groups.code, split.groups.count, weight=None)
    return _of_labels(by.sums(linear.influence**2), by.mass)


def _of_labels(squares: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Errors and df from squares of placements and counts of rows, both by group and label (2S,)."""
    rows = n.reshape(-1, 2)
    of_class = ratio(squares * n, n - 1).reshape(-1, 2).sum(axis=1)
    shown = rows.min(axis=1) >= 2
    error = np.sqrt(ratio(of_class, rows.sum(axis=1) ** 2))
    return np.where(shown, error, np.nan), np.where(shown, np.inf, np.nan)


def bounds(value: Floats, error: Floats, df: Floats, split: Split) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of areas on the logit scale; at a perfect 0 or 1, Clopper–Pearson on the smaller class.

    The logit has no error where the classes are separated, which is no proof of a perfect model. NaN where `error` is.
    """
    with np.errstate(invalid="ignore"):
        inside = (value > TOLERANCE) & (value < 1 - TOLERANCE)
    within, perfect, shown = np.where(inside, value, 0.5), value > 0.5, ~np.isnan(error)

    def at(level: float) -> tuple[Floats, Floats]:
        half = t_quantile(level, df) * error / (within * (1 - within))
        low, high = (
            scipy.special.expit(scipy.special.logit(within) - half),
            scipy.special.expit(scipy.special.logit(within) + half),
        )
        worst = (1 - level) ** (1 / np.maximum(_rarer(split), 1))
        low = np.where(inside, low, np.where(perfect, worst, 0.0))
        high = np.where(inside, high, np.where(perfect, 1.0, 1 - worst))
        return np.where(shown, low, np.nan), np.where(shown, high, np.nan)

    return at


def _rarer(split: Split) -> Floats:
    """Rows that count of the rarer label in each group, or its clusters where they are fewer (S,)."""
    rows, code = split.rows, split.groups.code
    counts = (rows.label == 1) if rows.weight is None else (rows.label == 1) & (rows.weight > 0)
    of_row = np.zeros(rows.label.size, dtype=np.intp) if code is None else code
    positive = np.bincount(of_row, weights=counts, minlength=split.groups.count).astype(np.float64)
    trials = np.minimum(positive, split.n - positive)
    return trials if split.clusters is None else np.minimum(trials, split.clusters)
