"""The scale on which an interval is symmetric: one where the metric's range has no ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from lockgate.gates.stats.scored import TOLERANCE, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The logit between two ends, the logarithm of the distance to a single one, the value itself without any.

    A loss that is estimated too low comes with too small an error, and near an end of the range the error is lopsided:
    the plain interval then misses the truth on one side far more often than its level says. See docs/simulations.md.
    """

    low: float
    high: float

    def within(self, value: Floats, half: Floats) -> tuple[Floats, Floats]:
        """value ± half (S,), cut at the ends; NaN where either is."""
        return np.maximum(self.low, value - half), np.minimum(self.high, value + half)

    def around(self, value: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Bounds of `value` (S,) with half-width `half` (S,) to first order; NaN where either is.

        At an end of the range the scale is undefined: there the bounds are value ± half, cut at the ends.
        """
        below, above = self.within(value, half)
        ended = np.isfinite(self.low), np.isfinite(self.high)
        if not any(ended):
            return below, above
        to_low, to_high = value - self.low, self.high - value
        with np.errstate(invalid="ignore"):
            inside = (to_low > TOLERANCE) & (to_high > TOLERANCE)
        if all(ended):
            width = self.high - self.low
            share = np.where(inside, to_low / width, 0.5)
            reach = half / (width * share * (1 - share))
            low, high = (
                self.low + width * scipy.special.expit(scipy.special.logit(share) + side * reach) for side in (-1, 1)
            )
        else:
            away = np.where(inside, to_low if ended[0] else to_high, 1.0)
            shrunk, grown = (away * np.exp(np.clip(side * half / away, -700, 700)) for side in (-1, 1))
            low, high = (self.low + shrunk, self.low + grown) if ended[0] else (self.high - grown, self.high - shrunk)
        return np.where(inside, low, below), np.where(inside, high, above)
