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

    def within(self, value: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
        """value − below and value + above (S,), cut at the ends; NaN where either is."""
        return np.maximum(self.low, value - below), np.minimum(self.high, value + above)

    def bend(self, value: Floats) -> Floats:
        """The scale's second by its first derivative at `value` (S,): how it changes the skewness of an estimate.

        0 at the ends of the range, where `around` does without a scale.
        """
        bend = np.zeros_like(value)
        for end in (self.low, self.high):
            if np.isfinite(end):
                distance = value - end
                with np.errstate(invalid="ignore"):
                    inside = np.abs(distance) > TOLERANCE
                bend -= np.divide(1.0, distance, out=np.zeros_like(value), where=inside)
        return bend

    def around(self, value: Floats, downwards: Floats, upwards: Floats) -> tuple[Floats, Floats]:
        """Bounds of `value` (S,) that reach `downwards` and `upwards` (S,) to first order; NaN where either is.

        At an end of the range the scale is undefined: there the bounds are cut at the ends.
        """
        below, above = self.within(value, downwards, upwards)
        ended = np.isfinite(self.low), np.isfinite(self.high)
        if not any(ended):
            return below, above
        to_low, to_high = value - self.low, self.high - value
        with np.errstate(invalid="ignore"):
            inside = (to_low > TOLERANCE) & (to_high > TOLERANCE)
        if all(ended):
            width = self.high - self.low
            share = np.where(inside, to_low / width, 0.5)
            slope = width * share * (1 - share)
            low, high = (
                self.low + width * scipy.special.expit(scipy.special.logit(share) + reach / slope)
                for reach in (-downwards, upwards)
            )
        else:
            away = np.where(inside, to_low if ended[0] else to_high, 1.0)
            nearer, farther = (downwards, upwards) if ended[0] else (upwards, downwards)
            shrunk, grown = (away * np.exp(np.clip(reach / away, -700, 700)) for reach in (-nearer, farther))
            low, high = (self.low + shrunk, self.low + grown) if ended[0] else (self.high - grown, self.high - shrunk)
        return np.where(inside, low, below), np.where(inside, high, above)
