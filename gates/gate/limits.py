"""Estimates against limits, by the whole interval or by the point."""

from __future__ import annotations

from typing import TypedDict

from lockgate.gates.records.numbers import Bounds
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.stats.scored import TOLERANCE


class Numbers(TypedDict):
    """Numbers that a gate takes over from the part that decides it."""

    metric: str | None
    observed: float | None
    bounds: Bounds | None
    level: float | None
    p: float | None


def copy_numbers(part: Outcome) -> Numbers:
    """A part's numbers, as `Check.outcome` takes them."""
    bounds = None if part.low is None or part.high is None else (part.low, part.high)
    return Numbers(metric=part.metric, observed=part.observed, bounds=bounds, level=part.level, p=part.p)


def compare_with_limits(
    value: float, bounds: Bounds | None, *, minimum: float | None, maximum: float | None, decide: str
) -> Verdict:
    """PASS where `minimum <= truth <= maximum` is shown, FAIL where the opposite is shown, else INCONCLUSIVE.

    Conditions are written as what must hold, so that NaN never passes. The tolerance makes a limit of 0.1 met by a
    value that is 0.1 but for the last binary digit.
    """
    if decide == "point":
        within = (minimum is None or value >= minimum - TOLERANCE) and (maximum is None or value <= maximum + TOLERANCE)
        return Verdict.PASS if within else Verdict.FAIL
    if bounds is None:
        return Verdict.INCONCLUSIVE
    low, high = bounds
    if (minimum is None or low >= minimum - TOLERANCE) and (maximum is None or high <= maximum + TOLERANCE):
        return Verdict.PASS
    if (minimum is not None and high < minimum - TOLERANCE) or (maximum is not None and low > maximum + TOLERANCE):
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE


def judge_gain(gain: Bounds | None, margin: float) -> Verdict:
    """PASS where a gain of at least `margin` is shown; at margin 0 the bound must lie above 0, as equal is no gain."""
    if gain is None:
        return Verdict.INCONCLUSIVE
    low, high = gain
    if low > 0 if margin == 0 else low >= margin - TOLERANCE:
        return Verdict.PASS
    return Verdict.FAIL if high < margin - TOLERANCE else Verdict.INCONCLUSIVE
