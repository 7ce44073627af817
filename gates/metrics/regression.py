"""Metrics of a prediction against a number."""

from __future__ import annotations

import numpy as np

from lockgate.gates.stats.scored import Floats, Linear, Scored


def mae(label: Floats, score: Floats) -> Floats:
    """Mean absolute error, in the target's unit."""
    return np.abs(score - label)


def mape(scored: Scored) -> Linear:
    """Mean of |prediction − label|/|label|, a ratio and not a percentage; undefined if a label is 0.

    scikit-learn divides by 2e-16 instead, so that a single label of 0 decides the mean.
    """
    size = np.abs(scored.label)
    loss = np.divide(np.abs(scored.score - scored.label), size, out=np.zeros_like(size), where=size > 0)
    value = np.where(scored.total((size == 0).astype(np.float64)) > 0, np.nan, scored.mean(loss))
    return Linear(value, loss - scored.spread(value))


def rmse(scored: Scored) -> Linear:
    """Root mean squared error, in the target's unit. Its influence is that of the mean square divided by 2·rmse."""
    square = (scored.score - scored.label) ** 2
    mean = scored.mean(square)
    root = np.sqrt(mean)
    half = np.divide(0.5, root, out=np.zeros_like(root), where=root > 0)
    return Linear(root, (square - scored.spread(mean)) * scored.spread(half))


def r2(scored: Scored) -> Linear:
    """Coefficient of determination, 1 − Σ(label − prediction)²/Σ(label − mean label)²; at most 1.

    Undefined in a group whose labels are all equal, where scikit-learn returns 0 or 1.
    """
    square = (scored.score - scored.label) ** 2
    around = (scored.label - scored.spread(scored.mean(scored.label))) ** 2
    error, spread = scored.mean(square), scored.mean(around)
    inverse = np.divide(1.0, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    unexplained = error * inverse
    return Linear(1 - unexplained, (around * scored.spread(unexplained) - square) * scored.spread(inverse))
