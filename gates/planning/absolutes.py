"""What gates on the challenger alone ask of a sample: `threshold` and `calibration`. Its pilot says what is true."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from gates.case import Case
from gates.errors import UnjudgeableError
from gates.kinds.calibration import MEASURES, Calibration
from gates.kinds.threshold import Threshold
from gates.metrics.estimate import counted, errors
from gates.planning.ask import Ask, Gains, enough_clusters, finite, number, power_beyond
from gates.stats.clusters import clustered_errors
from gates.stats.sample_size import share_power

FAR = 1e3
"""So many standard errors beyond a limit anything is shown."""


def threshold(check: Threshold, case: Case, gains: Gains) -> Ask:  # noqa: ARG001 (a planner's signature)
    """The value seen is supposed to be true: on Wilson's scale for shares of independent rows, the logit for areas."""
    metric, split = case.metric(check.metric), case.split()
    _refuse_ece(metric.name)
    if metric.quantile is not None:
        raise UnjudgeableError("the level of a quantile is not planned: its interval is of order statistics")
    alpha = 0.5 if check.decide == "point" else 1 - case.confidence
    if metric.hits is not None and case.rows.plain:
        hits, rows = counted(metric.hits(case.rows.label, case.rows.challenger), split.scored("challenger"))
        value, n = float(hits[0] / rows[0]) if rows[0] else math.nan, float(rows[0])
        finite(value, 0.0, check.metric)
        spread = 1.0

        def beyond(truth: float, limit: float, side: float, times: float) -> float:
            share, least = (truth, limit) if side > 0 else (1 - truth, 1 - limit)
            return share_power(rows=n * times, share=share, least=least, alpha=alpha)

    else:
        linear = split.linear(metric)
        value, error, df = float(linear.value[0]), *(float(of[0]) for of in errors(metric, linear, split))
        finite(value, error, check.metric)
        spread = FAR * error

        def beyond(truth: float, limit: float, side: float, times: float) -> float:
            distance, by = side * (truth - limit), error
            if metric.method == "delong" and 0 < value < 1 and 0 < limit < 1:
                within = min(max(truth, 1e-12), 1 - 1e-12)
                distance = side * float(special.logit(within) - special.logit(limit))
                by = error / (value * (1 - value))
            return power_beyond(distance, by, df, alpha=alpha, times=times)

    limits = [(limit, side) for limit, side in ((check.min, 1.0), (check.max, -1.0)) if limit is not None]

    def chance(truth: float, times: float) -> float:
        return max(0.0, 1 - sum(1 - beyond(truth, limit, side, times) for limit, side in limits))

    farthest = None
    if len(limits) == 1:
        limit, side = limits[0]
        farthest = min(limit + spread, metric.high) if side > 0 else max(limit - spread, metric.low)
    return Ask(
        level=None if check.decide == "point" else case.confidence,
        truth=value,
        supposed=f"{check.metric} is {number(value)}, as in the pilot",
        chance=chance,
        shows=lambda truth: f"{check.metric} of {number(truth)}",
        least_times=0.0 if check.decide == "point" else enough_clusters(case),
        lowest=limits[0][0] if farthest is not None else None,
        highest=farthest,
    )


def calibration(check: Calibration, case: Case, gains: Gains) -> Ask:  # noqa: ARG001 (a planner's signature)
    """The deviation from the ideal that was seen is supposed to be true."""
    split, task = case.split(), case.evidence.task
    _refuse_ece(check.measure)
    linearise = MEASURES.get((task, check.measure))
    if linearise is None:
        raise UnjudgeableError(f"{check.measure} is not defined for {task}")
    found = linearise(split.scored("challenger"))
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
