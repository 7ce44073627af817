"""What a value against fixed limits asks of a sample: `threshold`, `calibration`, `disagreement`.

The pilot says what is true.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.kinds.calibration import CALIBRATION_MEASURES, Calibration
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics.estimate import count_hits, standard_errors
from lockgate.gates.planning.ask import Ask, Gains, enough_clusters, finite, need_second_model, number, power_beyond
from lockgate.gates.stats.clusters import clustered_errors, t_quantile
from lockgate.gates.stats.sample_size import share_power

FAR = 1e3
"""So many standard errors beyond a limit anything is shown."""

BY_WIDTH = ("quantile", "supremum")
"""Methods whose bounds are not as far from the value as an error would say."""

Beyond = Callable[[float, float, float, float], float]
"""(truth, limit, side, times) → probability of showing it; the side is 1 above the limit, −1 below it."""


def threshold(check: Threshold, case: Case, gains: Gains) -> Ask:  # noqa: ARG001 (a planner's signature)
    """The value seen is supposed to be true: on Wilson's scale for shares of independent rows, the logit for areas."""
    metric, split = case.metric(check.metric), case.split()
    _refuse_ece(metric.name)
    level = None if check.decide == "point" else case.confidence
    alpha = 0.5 if level is None else 1 - level
    if metric.hits is not None and case.rows.plain:
        hits, rows = count_hits(metric.hits(case.rows.label, case.rows.challenger), split.scored_by("challenger"))
        value, n = float(hits[0] / rows[0]) if rows[0] else math.nan, float(rows[0])
        finite(value, 0.0, check.metric)
        spread, beyond = 1.0, share_beyond(n, alpha=alpha)
    else:
        linear = split.linear(metric)
        value, error, df = float(linear.value[0]), *(float(of[0]) for of in standard_errors(metric, linear, split))
        of_side = {1.0: error, -1.0: error}
        if metric.method in BY_WIDTH:
            of_side = _by_width(case, check.metric, value, df)
        for side in of_side.values():
            finite(value, side, check.metric)
        spread = FAR * max(of_side.values())

        def beyond(truth: float, limit: float, side: float, times: float) -> float:
            distance, by = side * (truth - limit), of_side[side]
            if metric.method == "delong" and 0 < value < 1 and 0 < limit < 1:
                within = min(max(truth, 1e-12), 1 - 1e-12)
                distance = side * float(scipy.special.logit(within) - scipy.special.logit(limit))
                by = by / (value * (1 - value))
            return power_beyond(distance, by, df, alpha=alpha, times=times)

    limits = [(limit, side) for limit, side in ((check.min, 1.0), (check.max, -1.0)) if limit is not None]

    def chance(truth: float, times: float) -> float:
        return max(0.0, 1 - sum(1 - beyond(truth, limit, side, times) for limit, side in limits))

    farthest = None
    if len(limits) == 1:
        limit, side = limits[0]
        farthest = min(limit + spread, metric.high) if side > 0 else max(limit - spread, metric.low)
    return Ask(
        level=level,
        truth=value,
        supposed=f"{check.metric} is {number(value)}, as in the pilot",
        chance=chance,
        shows=lambda truth: f"{check.metric} of {number(truth)}",
        least_times=0.0 if level is None else enough_clusters(case),
        lowest=limits[0][0] if farthest is not None else None,
        highest=farthest,
    )


def share_beyond(rows: float, *, alpha: float) -> Beyond:
    """Of a share of so many independent rows: Wilson's bound reaches a limit from the side that meets it."""

    def beyond(truth: float, limit: float, side: float, times: float) -> float:
        share, least = (truth, limit) if side > 0 else (1 - truth, 1 - limit)
        return share_power(rows=rows * times, share=share, floor=least, alpha=alpha)

    return beyond


def _by_width(case: Case, name: str, value: float, df: float) -> dict[float, float]:
    """Standard errors towards either side, from the interval that the gate would show: it shrinks as they do."""
    bounds = case.estimate(name).bounds(case.confidence)
    if bounds is None:
        raise UnjudgeableError(f"{name} has no interval on these rows", expected="more rows or clusters")
    quantile = float(t_quantile(case.confidence, np.array([df]))[0])
    return {1.0: (value - bounds[0]) / quantile, -1.0: (bounds[1] - value) / quantile}


def disagreement(check: Disagreement, case: Case, gains: Gains) -> Ask:  # noqa: ARG001 (a planner's signature)
    """The share of rows that change in the pilot is supposed to be true."""
    need_second_model(case)
    found, seen = check.judge("", case), "as in the pilot"
    if found.observed is None or found.high is None:
        raise UnjudgeableError("the share of rows that change has no interval", expected="more rows or clusters")
    if case.rows.plain:
        return share_disagreement(check, case, rows=float(case.rows.n), share=found.observed, seen=seen)
    split = case.split()
    df = float(clustered_errors(np.zeros(case.rows.label.size), split.units, weight=case.rows.weight)[1][0])
    error = (found.high - found.observed) / float(t_quantile(case.confidence, np.array([df]))[0])
    point = check.decide == "point"
    alpha = 0.5 if point else 1 - case.confidence
    return Ask(
        level=None if point else case.confidence,
        truth=found.observed,
        supposed=_supposed(found.observed, seen),
        chance=lambda truth, times: power_beyond(check.max - truth, error, df, alpha=alpha, times=times),
        shows=_changing,
        least_times=0.0 if point else enough_clusters(case),
        lowest=check.max,
        highest=0.0,
    )


def share_disagreement(check: Disagreement, case: Case, *, rows: float, share: float, seen: str) -> Ask:
    """A share of so many independent rows against its limit. Without a pilot `rows` is 1."""
    level = None if check.decide == "point" else case.confidence
    beyond = share_beyond(rows, alpha=0.5 if level is None else 1 - level)
    return Ask(
        level=level,
        truth=share,
        supposed=_supposed(share, seen),
        shows=_changing,
        chance=lambda truth, times: beyond(truth, check.max, -1.0, times),
        lowest=check.max,
        highest=0.0,
    )


def _supposed(share: float, seen: str) -> str:
    return f"{number(share)} of the rows change, {seen}"


def _changing(share: float) -> str:
    return f"{number(share)} of the rows changing"


def calibration(check: Calibration, case: Case, gains: Gains) -> Ask:  # noqa: ARG001 (a planner's signature)
    """The deviation from the ideal that was seen is supposed to be true."""
    split, task = case.split(), case.evidence.task
    _refuse_ece(check.measure)
    linearise = CALIBRATION_MEASURES.get((task, check.measure))
    if linearise is None:
        raise UnjudgeableError(f"{check.measure} is not defined for {task}")
    found = linearise(split.scored_by("challenger"))
    errors_of = clustered_errors(found.influence, split.units, weight=case.rows.weight)
    value, error, df = float(found.value[0]) - check.ideal, *(float(of[0]) for of in errors_of)
    finite(value, error, check.measure)
    alpha = 0.5 if check.decide == "point" else 1 - case.confidence

    def chance(truth: float, times: float) -> float:
        distances = (check.max - truth, check.max + truth)
        return max(0.0, 1 - sum(1 - power_beyond(d, error, df, alpha=alpha, times=times) for d in distances))

    return Ask(
        level=None if check.decide == "point" else case.confidence,
        truth=abs(value),
        supposed=f"{check.measure} is {number(value + check.ideal)}, as in the pilot",
        chance=chance,
        shows=lambda off: f"|{check.measure}{' - 1' if check.ideal else ''}| of {number(off)}",
        least_times=0.0 if check.decide == "point" else enough_clusters(case),
        lowest=check.max,
        highest=float(np.clip(check.max - FAR * error, 0.0, check.max)),
    )


def _refuse_ece(name: str) -> None:
    if name == "ece":
        raise UnjudgeableError("ece falls as rows grow, model unchanged: the pilot's says nothing of other sizes")
