from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import scipy

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, ComparedMetricName, Reads
from lockgate.gates.gate.limits import judge_gain
from lockgate.gates.metrics.estimate import Difference
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.records.numbers import Bounds, format_fitting, format_interval, format_times
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.strictness import Category, higher


class Improvement(Check):
    """The challenger is better than the champion, or not worse by more than a margin, on the same rows.

        log_loss: {kind: improvement, metric: log_loss, margin: 0.001}   # superiority: a gain of at least .001
        auc_kept: {kind: improvement, metric: auc, margin: -0.01}        # non-inferiority: may lose at most .01

    | key | |
    |---|---|
    | `metric` | any metric of the task |
    | `margin` | in the metric's own units, in the direction of better: positive asks for a gain, 0 for any gain above 0, negative allows a loss |

    The paired difference decides, by its interval: clustered where the evidence has clusters. With a margin of 0
    or more the check is a scheduled look: its level is 1 − alpha/looks, and on a holdout whose looks are spent,
    or that is retired, a PASS becomes INCONCLUSIVE. Identical scores are never a gain.
    """  # noqa: E501 (a table row)

    reads: ClassVar[Reads] = Reads.BOTH_MODELS
    example: ClassVar[Mapping[str, Any]] = {"kind": "improvement", "metric": "log_loss", "margin": 0.0}

    kind: Literal["improvement"]
    metric: ComparedMetricName
    margin: Annotated[float, higher(Category.MARGIN)]

    @property
    def is_scheduled(self) -> bool:
        return self.margin >= 0

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return (self.metric,)

    @property
    def rule(self) -> str:
        if self.margin < 0:
            return f"{self.metric} loses at most {-self.margin:.12g}"
        return f"{self.metric} gains {'more than 0' if self.margin == 0 else f'at least {self.margin:.12g}'}"

    def judge(self, name: str, case: Case) -> Outcome:
        level = case.scheduled_confidence if self.is_scheduled else case.confidence
        if case.no_champion:
            return self.outcome(name, *case.absence, case, metric=self.metric, level=level)
        difference, metric = case.difference(self.metric), case.metric(self.metric)
        bounds = difference.bounds(level)
        gain = gain_bounds(metric, bounds)
        verdict = judge_gain(gain, self.margin)
        note = ""
        if difference.exact and self.margin == 0:
            verdict, note = (
                _judge_exactly(difference, 1 - level),
                "; the exact McNemar test decides, Tango's interval is shown",
            )
        information = difference.information
        if shortfall := case.explain_shortfall(information, metric):
            verdict, note = Verdict.INCONCLUSIVE, f"; {shortfall}"
        elif verdict is Verdict.PASS and self.is_scheduled and case.spent:
            verdict, note = Verdict.INCONCLUSIVE, f"; {case.spent}"
        elif verdict is Verdict.INCONCLUSIVE and gain is not None and math.isinf(gain[0]):
            note = f"; {case.name_heaviest_rows(metric)}: too few for a bound at level {level:.6g}"
        elif verdict is Verdict.INCONCLUSIVE:
            note += _explain_straddling(metric.gain(difference.value), gain, self.margin, level=level)
        return self.outcome(
            name,
            verdict,
            f"{describe_difference(metric, difference.value, gain)}; asked: {self.rule}{note}",
            case,
            metric=self.metric,
            observed=difference.value,
            bounds=bounds,
            level=level,
            p=difference.p_gain(self.margin),
            information=information if math.isfinite(metric.high - metric.low) else information.with_unseen(level),
        )


def gain_bounds(metric: Metric, bounds: Bounds | None) -> Bounds | None:
    """Bounds of a difference, turned so that positive is better."""
    return bounds and (bounds if metric.higher_is_better else (-bounds[1], -bounds[0]))


def describe_difference(metric: Metric, value: float, gain: Bounds | None) -> str:
    """The observed difference, in words."""
    if value == 0:
        return f"{metric.name} did not change (gain {format_interval(gain)})"
    word = "better" if metric.gain(value) > 0 else "worse"
    return f"{metric.name} is {word} by {format_fitting([abs(value)], gain)[0]} (gain {format_interval(gain)})"


def _judge_exactly(difference: Difference, alpha: float) -> Verdict:
    gain, harm = difference.p_gain(0.0), difference.p_harm(0.0)
    if gain is not None and gain <= alpha:
        return Verdict.PASS
    return Verdict.FAIL if harm is not None and harm <= alpha else Verdict.INCONCLUSIVE


PLANNED_POWER = 0.8
"""The probability of a PASS for which an INCONCLUSIVE says how many more rows it takes."""


def _explain_straddling(observed: float, gain: Bounds | None, margin: float, *, level: float) -> str:
    """What a PASS takes, if the observed gain is the true one."""
    if gain is None:
        return "; too few rows to show either"
    if observed <= margin:
        return "; the gain seen is not more than asked, and the interval straddles the margin: neither is shown"
    # half the distance from the bound to the margin is known: the error that it is a quantile of, and so many more
    quantile, power = (float(scipy.special.ndtri(chance)) for chance in (level, PLANNED_POWER))
    times = max(1.1, ((observed - gain[0]) / (observed - margin) * (1 + power / quantile)) ** 2)
    return (
        f"; the interval straddles the margin: were the gain seen the true one, {format_times(times)} the rows or "
        f"clusters would show it with probability {PLANNED_POWER:g}"
    )
