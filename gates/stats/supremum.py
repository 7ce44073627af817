"""Bounds of a statistic that is the largest of many, such as Kolmogorov and Smirnov's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

from gates.stats.scored import Floats

Bounds = Callable[[float], tuple[Floats, Floats]]


def lowered(value: Floats, bounds: Bounds, *, least: float) -> Bounds:
    """The bounds of `value` (S,), the low one so much further away as Smirnov's is than that of one difference.

    The largest of many differences is too high on average. Smirnov's bound, √(−ln(1 − level)/2) times √(1/P + 1/N),
    holds for all at once; for one at its widest it is half the normal quantile times that. No low bound is below
    `least`; levels are above ½. Source: Smirnov, Annals of Mathematical Statistics 19 (1948).
    """

    def further(level: float) -> tuple[Floats, Floats]:
        low, high = bounds(level)
        factor = np.sqrt(-np.log1p(-level) / 2) / (scipy.special.ndtri(level) / 2)
        return np.maximum(least, value - (value - low) * factor), high

    return further
