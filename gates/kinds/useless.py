"""Limits that decide nothing: those that no model can meet, and those that every model meets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic_core import PydanticCustomError

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.check import Check
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics import METRICS, Metric, metric

AnyKind = TypeVar("AnyKind", bound=Check)


def reachable(check: AnyKind) -> AnyKind:
    """The check, whose limits some model can meet and some model can miss.

    The range is the metric's, over all tasks that have it; margins are compared with its width. A limit that only
    the worst of all models meets counts as one that none meets; one for the best of all, such as `auc: {min: 1}`,
    does not.

    Raises:
        PydanticCustomError: with the key that is at fault as `below`.
    """
    if isinstance(check, Threshold):
        _limits(check)
    elif isinstance(check, Improvement | Slices):
        _margin(check)
    return check


def _limits(check: Threshold) -> None:
    found = list(_metrics(check.metric))
    low, high = _range(check.metric)
    upward = any(one.higher_is_better for one in found)
    if check.min is not None and (check.min > high or (check.min == high and not upward)):
        raise _useless(f"no model has {check.metric} >= {check.min:.12g}", low, high, "min")
    if check.max is not None and (check.max < low or (check.max == low and upward)):
        raise _useless(f"no model has {check.metric} <= {check.max:.12g}", low, high, "max")
    if (check.min is None or check.min <= low) and (check.max is None or check.max >= high):
        raise _useless(f"every model meets {check.rule}", low, high, "max" if check.min is None else "min")


def _margin(check: Improvement | Slices) -> None:
    low, high = _range(check.metric)
    width = high - low
    if check.margin > width:
        raise _useless(f"no model gains {check.margin:.12g} {check.metric}", -width, width, "margin")
    if check.margin <= -width:
        raise _useless(f"no model loses more than {-check.margin:.12g} {check.metric}", -width, width, "margin")


def _range(name: str) -> tuple[float, float]:
    found = list(_metrics(name))
    return min(one.low for one in found), max(one.high for one in found)


def _metrics(name: str) -> Iterator[Metric]:
    for task in METRICS:
        try:
            yield metric(name, task)
        except UnjudgeableError:  # this task has none of that name
            continue


def _useless(problem: str, low: float, high: float, key: str) -> PydanticCustomError:
    def said(value: float) -> str:
        return f"{value:.12g}".replace("inf", "∞")

    what = "margin" if key == "margin" else "limit"
    return PydanticCustomError(
        "useless",
        "{problem}; expected a {what} inside {low} … {high}",
        {"problem": problem, "what": what, "low": said(low), "high": said(high), "below": key},
    )
