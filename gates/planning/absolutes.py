"""Samples for values against fixed limits: gates of kind threshold, calibration and disagreement.

The values seen in the pilot are assumed to be true.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.kinds.calibration import CALIBRATION_MEASURES, Calibration
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics.estimate import count_hits, measure_uncertainty
from lockgate.gates.planning.requirement import (
    FAR,
    Gains,
    Requirement,
    format_short,
    need_second_model,
    power_beyond,
    require_finite,
    times_for_information,
)
from lockgate.gates.stats.sample_size import share_power
from lockgate.gates.stats.uncertainty import Uncertainty, measure_influence

METHODS_BY_WIDTH = ("quantile", "supremum")
"""Methods whose bounds do not follow from a standard error: their own width is scaled instead."""

Beyond = Callable[[float, float, float, float], float]
"""(truth, limit, side, times) → probability of showing it; the side is 1 above the limit, −1 below it."""


def plan_threshold(check: Threshold, case: Case, gains: Gains) -> Requirement:  # noqa: ARG001 (a planner's signature)
    """By Wilson's interval for shares of independent rows, on the logit scale for areas, else by Student's t."""
    metric, split = case.metric(check.metric), case.split()
    _refuse_ece(metric.name)
    level = None if check.decide == "point" else case.confidence
    alpha = 0.5 if level is None else 1 - level
    if metric.hits is not None and case.rows.plain:
        hits, rows = count_hits(metric.hits(case.rows.label, case.rows.challenger), split.scored_by("challenger"))
        value, n = float(hits[0] / rows[0]) if rows[0] else math.nan, float(rows[0])
        require_finite(value, 0.0, check.metric)
        spread, beyond, pilot_df = 1.0, share_beyond(n, alpha=alpha), math.inf
    else:
        linear = split.linear(metric)
        value, uncertainty = float(linear.value[0]), measure_uncertainty(metric, linear, split)
        pilot_df = float(uncertainty.df[0])
        of_side = dict.fromkeys((1.0, -1.0), float(uncertainty.error[0]))
        if metric.method in METHODS_BY_WIDTH:
            of_side = _by_width(case, check.metric, value, uncertainty)
        for side in of_side.values():
            require_finite(value, side, check.metric)
        spread = FAR * max(of_side.values())

        def beyond(truth: float, limit: float, side: float, times: float) -> float:
            distance, by = side * (truth - limit), of_side[side]
            if metric.method == "delong" and 0 < value < 1 and 0 < limit < 1:
                within = min(max(truth, 1e-12), 1 - 1e-12)
                distance = side * float(scipy.special.logit(within) - scipy.special.logit(limit))
                by = by / (value * (1 - value))
            scaled = replace(uncertainty, error=np.array([by]))
            return float(power_beyond(distance, scaled, alpha=alpha, times=times, side=side)[0])

    limits = [(limit, side) for limit, side in ((check.min, 1.0), (check.max, -1.0)) if limit is not None]

    def chance(truth: float, times: float) -> float:
        return max(0.0, 1 - sum(1 - beyond(truth, limit, side, times) for limit, side in limits))

    farthest = None
    if len(limits) == 1:
        limit, side = limits[0]
        farthest = min(limit + spread, metric.high) if side > 0 else max(limit - spread, metric.low)
    return Requirement(
        level=level,
        truth=value,
        supposed=f"{check.metric} is {format_short(value)}, as in the pilot",
        chance=chance,
        shows=lambda truth: f"{check.metric} of {format_short(truth)}",
        min_times=0.0 if level is None else times_for_information(case, case.estimate(check.metric).information),
        lowest=limits[0][0] if farthest is not None else None,
        highest=farthest,
        pilot_df=pilot_df,
    )


def share_beyond(rows: float, *, alpha: float) -> Beyond:
    """For a share of so many independent rows: the probability that Wilson's bound meets the limit."""

    def beyond(truth: float, limit: float, side: float, times: float) -> float:
        share, limit_met = (truth, limit) if side > 0 else (1 - truth, 1 - limit)
        return share_power(rows=rows * times, share=share, floor=limit_met, alpha=alpha)

    return beyond


def _by_width(case: Case, name: str, value: float, uncertainty: Uncertainty) -> dict[float, float]:
    """Standard errors towards either side, which the interval of the gate corresponds to."""
    bounds = case.estimate(name).bounds(case.confidence)
    if bounds is None:
        raise UnjudgeableError(f"{name} has no interval on these rows", expected="more rows or clusters")
    low, high = (float(critical[0]) for critical in uncertainty.critical(case.confidence))
    return {1.0: (value - bounds[0]) / low, -1.0: (bounds[1] - value) / high}


def plan_disagreement(check: Disagreement, case: Case, gains: Gains) -> Requirement:  # noqa: ARG001 (a planner's signature)
    """By Wilson's interval for independent rows, else by Student's t."""
    need_second_model(case)
    outcome, source = check.judge("", case), "as in the pilot"
    if outcome.observed is None or outcome.high is None:
        raise UnjudgeableError("the share of rows that change has no interval", expected="more rows or clusters")
    if case.rows.plain:
        return plan_disagreement_share(check, case, rows=float(case.rows.n), share=outcome.observed, source=source)
    influence = check.differs(case) - outcome.observed
    uncertainty = measure_influence(influence, case.split().units, weight=case.rows.weight)
    error = (outcome.high - outcome.observed) / float(uncertainty.critical(case.confidence)[1][0])
    uncertainty = replace(uncertainty, error=np.array([error]))
    point = check.decide == "point"
    alpha = 0.5 if point else 1 - case.confidence
    return Requirement(
        level=None if point else case.confidence,
        truth=outcome.observed,
        supposed=_describe_share(outcome.observed, source),
        chance=lambda truth, times: float(
            power_beyond(check.max - truth, uncertainty, alpha=alpha, times=times, side=-1.0)[0]
        ),
        shows=_show_share,
        min_times=0.0 if point else times_for_information(case, case.information),
        lowest=check.max,
        highest=0.0,
    )


def plan_disagreement_share(check: Disagreement, case: Case, *, rows: float, share: float, source: str) -> Requirement:
    """A share of independent rows against its limit. Without a pilot `rows` is 1."""
    level = None if check.decide == "point" else case.confidence
    beyond = share_beyond(rows, alpha=0.5 if level is None else 1 - level)
    return Requirement(
        level=level,
        truth=share,
        supposed=_describe_share(share, source),
        shows=_show_share,
        chance=lambda truth, times: beyond(truth, check.max, -1.0, times),
        lowest=check.max,
        highest=0.0,
    )


def _describe_share(share: float, source: str) -> str:
    return f"{format_short(share)} of the rows change, {source}"


def _show_share(share: float) -> str:
    return f"{format_short(share)} of the rows changing"


def plan_calibration(check: Calibration, case: Case, gains: Gains) -> Requirement:  # noqa: ARG001 (a planner's signature)
    """The deviation from the ideal, by Student's t."""
    split, task = case.split(), case.evidence.task
    _refuse_ece(check.measure)
    linearise = CALIBRATION_MEASURES.get((task, check.measure))
    if linearise is None:
        raise UnjudgeableError(f"{check.measure} is not defined for {task}")
    linear = linearise(split.scored_by("challenger"))
    uncertainty = measure_influence(linear.influence, split.units, weight=case.rows.weight)
    value, error = float(linear.value[0]) - check.ideal, float(uncertainty.error[0])
    require_finite(value, error, check.measure)
    alpha = 0.5 if check.decide == "point" else 1 - case.confidence

    def chance(truth: float, times: float) -> float:
        sides = ((check.max - truth, -1.0), (check.max + truth, 1.0))
        shown = (
            float(power_beyond(distance, uncertainty, alpha=alpha, times=times, side=side)[0])
            for distance, side in sides
        )
        return max(0.0, 1 - sum(1 - chance for chance in shown))

    return Requirement(
        level=None if check.decide == "point" else case.confidence,
        truth=abs(value),
        supposed=f"{check.measure} is {format_short(value + check.ideal)}, as in the pilot",
        chance=chance,
        shows=lambda off: f"|{check.measure}{' - 1' if check.ideal else ''}| of {format_short(off)}",
        min_times=0.0 if check.decide == "point" else times_for_information(case, case.information),
        lowest=check.max,
        highest=float(np.clip(check.max - FAR * error, 0.0, check.max)),
    )


def _refuse_ece(name: str) -> None:
    if name == "ece":
        raise UnjudgeableError(
            "ece falls as rows grow, even for the same model: the pilot says nothing about other sizes"
        )
