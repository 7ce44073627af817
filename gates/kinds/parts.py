"""A gate that looks at several things, and says the numbers of the one that decides."""

from __future__ import annotations

from typing import TypedDict

from gates.kinds.limits import Bounds
from gates.outcome import Outcome
from gates.report.wording import tally as counts

__all__ = ["Numbers", "counts", "numbers"]


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
