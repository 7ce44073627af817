"""Samples for comparisons with the champion: gates of kind improvement and slices."""

from __future__ import annotations

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.metrics.estimate import count_hits
from lockgate.gates.metrics.metric import Hits, Metric
from lockgate.gates.planning.groups import select_groups
from lockgate.gates.planning.requirement import (
    FAR,
    Gains,
    Requirement,
    estimate_paired,
    format_short,
    need_second_model,
    power_beyond,
    require_finite,
    times_for_information,
)
from lockgate.gates.stats.label_bounds import hoeffding_rows
from lockgate.gates.stats.sample_size import paired_power, t_distance
from lockgate.gates.stats.uncertainty import Uncertainty


def assume_gain(metric: str, margin: float, gains: Gains) -> tuple[float | None, str]:
    """The true gain to plan for, and in words: the given one, else twice a positive margin, or 0 for a negative one."""
    if metric in gains:
        return gains[metric], f"a gain of {format_short(gains[metric])}"
    if margin < 0:
        return 0.0, "no difference"
    if margin > 0:
        return 2 * margin, f"a gain of {format_short(2 * margin)}, twice the margin"
    return None, ""


def plan_improvement(check: Improvement, case: Case, gains: Gains) -> Requirement:
    """A paired share of independent rows is planned from its disagreement, anything else from its standard error."""
    need_second_model(case)
    metric = case.metric(check.metric)
    if metric.hits is not None and case.rows.plain:
        rows, disagreement = pilot_disagreement(case, metric)
        return plan_improvement_share(check, case, gains, rows=rows, disagreement=disagreement)
    alpha = 1 - (case.scheduled_confidence if check.is_scheduled else case.confidence)
    values, uncertainty = estimate_paired(case, check.metric)
    value, error = float(values[0]), float(uncertainty.error[0])
    require_finite(value, error, check.metric)
    side = metric.gain(1.0)
    truth, supposed = assume_gain(check.metric, check.margin, gains)
    return Requirement(
        level=1 - alpha,
        truth=truth,
        supposed=supposed,
        chance=lambda truth, times: float(
            power_beyond(truth - check.margin, uncertainty, alpha=alpha, times=times, side=side)[0]
        ),
        shows=_show_gain,
        min_times=times_for_information(case, case.difference(check.metric).information),
        lowest=check.margin,
        highest=check.margin + FAR * error,
        pilot_df=float(uncertainty.df[0]),
    )


def plan_improvement_share(
    check: Improvement, case: Case, gains: Gains, *, rows: float, disagreement: float
) -> Requirement:
    """A paired share of independent rows, of which exactly one model gets the share `disagreement` right.

    Only the levels of the case are used: without a pilot its row means nothing, and `rows` is 1.
    """
    alpha = 1 - (case.scheduled_confidence if check.is_scheduled else case.confidence)
    truth, supposed = assume_gain(check.metric, check.margin, gains)
    if truth is not None and abs(truth) > disagreement:
        raise UnjudgeableError(
            f"a gain of {format_short(truth)} is more than the {format_short(disagreement)} of the rows that change",
            expected="a gain that is smaller than the disagreement",
        )
    bound = None
    if truth is not None and truth > check.margin:
        looks = round((1 - case.confidence) / alpha)
        bound = hoeffding_rows((1, 1), tolerance=truth - check.margin, error=1 - case.confidence, steps=looks)

    def chance(truth: float, times: float) -> float:
        return paired_power(rows=rows * times, disagreement=disagreement, gain=truth, margin=check.margin, alpha=alpha)

    return Requirement(
        level=1 - alpha,
        truth=truth,
        supposed=f"{supposed}, {format_short(disagreement)} of the rows change",
        chance=chance,
        shows=_show_gain,
        lowest=max(check.margin, -disagreement),
        highest=disagreement,
        bound_rows=bound,
    )


def pilot_disagreement(case: Case, metric: Metric) -> tuple[float, float]:
    """How many rows a share counts, and the share of them that exactly one model gets right."""
    scored = case.split().scored_by("challenger")
    if metric.hits is None or case.rows.champion is None:
        raise UnjudgeableError(f"{metric.name} is no share of hits")
    ours, theirs = (metric.hits(case.rows.label, score) for score in (case.rows.challenger, case.rows.champion))
    differing, n = count_hits(Hits(np.abs(ours.hit - theirs.hit), ours.among), scored)
    if not (n[0] > 0 and differing[0] > 0):
        raise UnjudgeableError("both models are right on the same rows", expected="a pilot in which they differ")
    return float(n[0]), float(differing[0] / n[0])


def plan_slices(check: Slices, case: Case, gains: Gains) -> Requirement:
    """Every slice that the gate does not skip must pass; chances combine by the union bound."""
    need_second_model(case)
    chosen = select_groups(check, case)
    uncertainty = estimate_paired(case, check.metric, check.columns)[1].of_groups(chosen.index)
    error, side = uncertainty.error, case.metric(check.metric).gain(1.0)
    chosen.need_errors(error)
    names, min_times = chosen.names, chosen.min_times
    alpha = 1 - case.confidence
    if check.require == "no_proven_harm":
        return _no_proven_harm(check, uncertainty, names, alpha=alpha, min_times=min_times, side=-side)
    truth, supposed = assume_gain(check.metric, check.margin, gains)
    hardest = names[int(np.argmax(error))]

    def chance(truth: float, times: float) -> float:
        missed = 1 - power_beyond(truth - check.margin, uncertainty, alpha=alpha, times=times, side=side)
        return max(0.0, 1 - float(missed.sum()))

    return Requirement(
        level=case.confidence,
        truth=truth,
        supposed=f"{supposed} in each of {len(names)} slices; {hardest} is the hardest" if supposed else "",
        chance=chance,
        shows=lambda gain: f"{_show_gain(gain)} in every slice",
        min_times=min_times,
        lowest=check.margin,
        highest=check.margin + FAR * float(error.max()),
        pilot_df=float(uncertainty.df[int(np.argmax(error))]),
    )


def _no_proven_harm(
    check: Slices,
    uncertainty: Uncertainty,
    names: tuple[str, ...],
    *,
    alpha: float,
    min_times: float,
    side: float,
) -> Requirement:
    """The gate passes unless harm is proven, so rows are only needed to catch harm, at Holm's first step."""
    share = alpha / len(names)

    def chance(truth: float, times: float) -> float:
        caught = power_beyond(check.margin - truth, uncertainty, alpha=share, times=times, side=side)
        return max(0.0, 1 - float(caught.sum()))

    hardest = int(np.argmax(uncertainty.error))
    critical = uncertainty.critical(1 - share)[0 if side > 0 else 1]
    return Requirement(
        level=1 - alpha,
        truth=max(0.0, check.margin),
        supposed=f"no difference in each of {len(names)} slices",
        chance=chance,
        shows=lambda loss: f"a loss of {format_short(-loss)} in {names[hardest]}, the hardest slice",
        min_times=min_times,
        showing=lambda power: (
            check.margin
            - float(t_distance(uncertainty.error, uncertainty.df, alpha=share, power=power, critical=critical)[hardest])
        ),
        passes_unless="it passes unless harm is proven: rows only decide what harm it catches",
    )


def _show_gain(gain: float) -> str:
    return f"a gain of {format_short(gain)}" if gain >= 0 else f"a loss of no more than {format_short(-gain)}"
