"""Limits that decide nothing, as no model can meet them or every model meets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic_core import PydanticCustomError

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.check import Check
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.periods import Periods
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics import METRICS, Metric, find_metric

AnyKind = TypeVar("AnyKind", bound=Check)


def check_reachable(check: AnyKind) -> AnyKind:
    """The same check, if some model can meet its limits and some model can miss them.

    Limits are compared with the metric's range over all tasks that have it, margins with the width of that range. A
    limit that only the worst possible model meets is refused; one that only the best possible model meets, such as
    `auc: {min: 1}`, is not.

    Raises:
        PydanticCustomError: with the key at fault under `below`.
    """
    if isinstance(check, Threshold):
        _check_limits(check)
    elif isinstance(check, Improvement | Slices | Periods):
        _check_margin(check)
    return check


def _check_limits(check: Threshold) -> None:
    metrics = list(_metrics(check.metric))
    low, high = _range(check.metric)
    upward = any(each.higher_is_better for each in metrics)
    if check.min is not None and (check.min > high or (check.min == high and not upward)):
        raise _useless_limit(f"no model has {check.metric} >= {check.min:.12g}", low, high, "min")
    if check.max is not None and (check.max < low or (check.max == low and upward)):
        raise _useless_limit(f"no model has {check.metric} <= {check.max:.12g}", low, high, "max")
    if (check.min is None or check.min <= low) and (check.max is None or check.max >= high):
        raise _useless_limit(f"every model meets {check.rule}", low, high, "max" if check.min is None else "min")


def _check_margin(check: Improvement | Slices | Periods) -> None:
    low, high = _range(check.metric)
    width = high - low
    if check.margin > width:
        raise _useless_limit(f"no model gains {check.margin:.12g} {check.metric}", -width, width, "margin")
    if check.margin <= -width:
        raise _useless_limit(f"no model loses more than {-check.margin:.12g} {check.metric}", -width, width, "margin")


def _range(name: str) -> tuple[float, float]:
    metrics = list(_metrics(name))
    return min(each.low for each in metrics), max(each.high for each in metrics)


def _metrics(name: str) -> Iterator[Metric]:
    for task in METRICS:
        try:
            yield find_metric(name, task)
        except UnjudgeableError:  # this task has none of that name
            continue


def _useless_limit(problem: str, low: float, high: float, key: str) -> PydanticCustomError:
    def bound(value: float) -> str:
        return f"{value:.12g}".replace("inf", "∞")

    subject = "margin" if key == "margin" else "limit"
    return PydanticCustomError(
        "useless",
        "{problem}; expected a {what} inside {low} … {high}",
        {"problem": problem, "what": subject, "low": bound(low), "high": bound(high), "below": key},
    )
