"""Where an estimate lies against its limits, by the bound or by the point, and how that is said."""

from __future__ import annotations

from typing import TypedDict

from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.stats.scored import TOLERANCE


class Numbers(TypedDict):
    """What a gate takes over from the part that decides it."""

    metric: str | None
    observed: float | None
    bounds: Bounds | None
    level: float | None
    p: float | None


def numbers(part: Outcome) -> Numbers:
    """A part's numbers, as `Check.outcome` takes them."""
    bounds = None if part.low is None or part.high is None else (part.low, part.high)
    return Numbers(metric=part.metric, observed=part.observed, bounds=bounds, level=part.level, p=part.p)


Bounds = tuple[float, float]


def against(value: float, bounds: Bounds | None, *, least: float | None, most: float | None, decide: str) -> Verdict:
    """PASS where `least <= truth <= most` is shown, FAIL where it is shown to be false, else INCONCLUSIVE.

    Conditions are written as what must hold, so that NaN never passes.
    """
    if decide == "point":
        met = (least is None or value >= least - TOLERANCE) and (most is None or value <= most + TOLERANCE)
        return Verdict.PASS if met else Verdict.FAIL
    if bounds is None:
        return Verdict.INCONCLUSIVE
    low, high = bounds
    if (least is None or low >= least - TOLERANCE) and (most is None or high <= most + TOLERANCE):
        return Verdict.PASS
    if (least is not None and high < least - TOLERANCE) or (most is not None and low > most + TOLERANCE):
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE


def gained(gain: Bounds | None, margin: float) -> Verdict:
    """PASS where a gain of `margin` or more is shown; at margin 0 the bound must lie strictly beyond 0."""
    if gain is None:
        return Verdict.INCONCLUSIVE
    low, high = gain
    if low > 0 if margin == 0 else low >= margin - TOLERANCE:
        return Verdict.PASS
    return Verdict.FAIL if high < margin - TOLERANCE else Verdict.INCONCLUSIVE


def show(value: float | None) -> str:
    """A number for a sentence: four significant digits."""
    return "unknown" if value is None else f"{value + 0.0:.4g}"  # −0 is 0


def interval(bounds: Bounds | None) -> str:
    """An interval for a sentence."""
    return "no interval" if bounds is None else f"{show(bounds[0])} to {show(bounds[1])}"
