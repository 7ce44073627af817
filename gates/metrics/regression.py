"""Metrics of a prediction against a number."""

from __future__ import annotations

import math

import numpy as np

from gates.metrics.metric import Floats, Linear, mean_of


def mae(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Mean absolute error, in the target's unit."""
    return mean_of(np.abs(score - label), weight)


def rmse(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Root mean squared error, in the target's unit; its influence is that of the mean square over 2·rmse."""
    square = mean_of((score - label) ** 2, weight)
    root = math.sqrt(square.value)
    return Linear(root, square.influence / (2 * root) if root > 0 else np.zeros_like(score))
