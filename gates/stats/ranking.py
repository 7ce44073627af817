"""Ranking statistics and their influence values, each from one sort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def auc(label: Floats, score: Floats, weight: Floats | None = None) -> tuple[float, Floats]:
    """Area under the ROC curve, ties counting half, and its influence values.

    Args:
        label: float64 (n,), 0 or 1, both present with weight.
        score: float64 (n,), finite.
        weight: float64 (n,), non-negative; None weighs every row alike.

    Returns:
        The area in [0, 1] and float64 (n,) with weighted mean 0: n/P·(V − AUC) on the P positives and
        n/N·(V − AUC) on the N negatives, V being a row's placement among the other class.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    order = np.argsort(score, kind="stable")
    positive, negative, run = _mass_by_run(label, score, weight, order)
    below = np.cumsum(negative) - negative / 2
    above = np.sum(positive) - np.cumsum(positive) + positive / 2
    all_positive, all_negative = float(positive.sum()), float(negative.sum())
    value = min(float(np.dot(positive, below)) / (all_positive * all_negative), 1.0)
    total = all_positive + all_negative
    of_positive = (below / all_negative - value) * (total / all_positive)
    of_negative = (above / all_positive - value) * (total / all_negative)
    influence = np.empty_like(score)
    influence[order] = np.where(label[order] == 1, of_positive[run], of_negative[run])
    return value, influence


def average_precision(label: Floats, score: Floats, weight: Floats | None = None) -> tuple[float, Floats]:
    """Average precision Σ (R_k − R_{k−1}) P_k over distinct scores, and its influence values.

    Arguments as `auc`; a positive must be present. The influence of a row is (1/π)·[y·(P(s) − AP) +
    Σ_{t <= s} π_t·(y − P(t))/B(t)], π_t being the mass of positives at t and B(t) all mass at or above it:
    the derivative of AP in the direction of that row.
    """
    order = np.argsort(-score, kind="stable")
    positive, negative, run = _mass_by_run(label, score, weight, order)
    total = float(positive.sum() + negative.sum())
    positive, negative = positive / total, negative / total
    hits, taken = np.cumsum(positive), np.cumsum(positive + negative)
    share = float(hits[-1])
    precision = np.divide(hits, taken, out=np.zeros_like(hits), where=taken > 0)
    value = float(np.dot(positive, precision)) / share
    per_mass = np.divide(positive, taken, out=np.zeros_like(hits), where=taken > 0)
    slope = np.cumsum(per_mass[::-1])[::-1]
    offset = np.cumsum((per_mass * precision)[::-1])[::-1]
    own = label[order]
    influence = np.empty_like(score)
    influence[order] = (own * (precision[run] - value) + own * slope[run] - offset[run]) / share
    return value, influence


def _mass_by_run(
    label: Floats, score: Floats, weight: Floats | None, order: NDArray[np.intp]
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Mass of positives and of negatives in each run of tied scores, and the run of each sorted row."""
    ranked = score[order]
    starts = np.empty(ranked.size, dtype=bool)
    starts[:1] = True
    np.not_equal(ranked[1:], ranked[:-1], out=starts[1:])
    run = np.cumsum(starts) - 1
    mass = np.ones(ranked.size) if weight is None else weight[order]
    everything: Floats = np.bincount(run, weights=mass).astype(np.float64)
    positive: Floats = np.bincount(run, weights=mass * label[order]).astype(np.float64)
    return positive, everything - positive, run
