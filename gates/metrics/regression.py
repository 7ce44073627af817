"""Metrics of a prediction against a number."""

from __future__ import annotations

import numpy as np

from gates.metrics.metric import Floats, Linear, Scored


def mae(label: Floats, score: Floats) -> Floats:
    """Mean absolute error, in the target's unit."""
    return np.abs(score - label)


def rmse(scored: Scored) -> Linear:
    """Root mean squared error, in the target's unit; its influence is that of the mean square over 2·rmse."""
    square = (scored.score - scored.label) ** 2
    mean = scored.mean(square)
    root = np.sqrt(mean)
    half = np.divide(0.5, root, out=np.zeros_like(root), where=root > 0)
    return Linear(root, (square - scored.spread(mean)) * scored.spread(half))
