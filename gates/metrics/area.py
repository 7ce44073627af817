"""Errors and bounds of areas under the ROC curve, group by group."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from gates.metrics.metric import Floats, Linear, ratio
from gates.outcome import TOLERANCE
from gates.rows import Split
from gates.stats.clusters import t_quantile


def delong(linear: Linear, split: Split) -> tuple[Floats, Floats]:
    """DeLong's errors (S,) of independent rows, s²/P over positives plus s²/N over negatives, and df: infinite.

    `linear` holds placements as influences, of one model or of a difference. NaN where a group has fewer than two
    rows of a label.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    positive, code = split.rows.label == 1, split.groups.code
    cell = positive.astype(np.intp) if code is None else 2 * code + positive
    size = 2 * split.groups.count
    n: Floats = np.bincount(cell, minlength=size).astype(np.float64)
    # the mean placement of either label is the area: influences are centred within each label already
    spread: Floats = np.bincount(cell, weights=linear.influence**2, minlength=size).astype(np.float64)
    of_class = ratio(spread * n, n - 1).reshape(-1, 2).sum(axis=1)
    shown = n.reshape(-1, 2).min(axis=1) >= 2
    return np.where(shown, np.sqrt(of_class) / split.n, np.nan), np.where(shown, np.inf, np.nan)


def bounds(
    value: Floats, error: Floats, df: Floats, split: Split
) -> Callable[[float], tuple[Floats, Floats]]:  # fmt: skip
    """Bounds of areas on the logit scale; at a perfect 0 or 1, Clopper–Pearson on the smaller class.

    The logit has no error where the classes are separated, which is no proof of a perfect model. NaN where `error` is.
    """
    with np.errstate(invalid="ignore"):
        inside = (value > TOLERANCE) & (value < 1 - TOLERANCE)
    within, perfect, shown = np.where(inside, value, 0.5), value > 0.5, ~np.isnan(error)

    def at(level: float) -> tuple[Floats, Floats]:
        half = t_quantile(level, df) * error / (within * (1 - within))
        low, high = special.expit(special.logit(within) - half), special.expit(special.logit(within) + half)
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
