from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.gate.check import MAX_INTEGER, Check, ComparedMetricName, Reads
from lockgate.gates.gate.grouped import group_bounds, group_clusters
from lockgate.gates.gate.limits import copy_numbers, judge_gain
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.kinds.improvement import describe_difference, gain_bounds
from lockgate.gates.metrics.estimate import Difference, estimate_difference, estimate_differences, measure_difference
from lockgate.gates.metrics.information import Informations
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows, cross_columns
from lockgate.gates.records.numbers import format_number
from lockgate.gates.records.outcome import SEVERITY_ORDER, Outcome, Verdict, summarise_parts, worst_verdict
from lockgate.gates.stats.gaps import group_covariance, rescale_covariance
from lockgate.gates.stats.periods import mean_covariance, mean_over_periods
from lockgate.gates.stats.proportions import holm
from lockgate.gates.stats.scored import TOLERANCE, Codes, Floats
from lockgate.gates.stats.uncertainty import Uncertainty
from lockgate.gates.strictness import Category, Changed, higher

_ROLLING = "{kind: rolling, periods: …}"
_OTHER_PROOF = Changed(Category.GATES, why="one bad period fails `every`; few periods make the interval of `mean` wide")


class Periods(Check):
    """The challenger's gain over the champion is there in every period of the holdout, or in their mean.

        monthly: {kind: periods, metric: log_loss, margin: 0, require: mean, min_periods: 6}
        no_bad_month: {kind: periods, metric: auc, margin: -0.02, require: every, min_periods: 3}

    | key | |
    |---|---|
    | `metric`, `margin` | as in `improvement` |
    | `require` | `every`: each period shows the gain by itself; `mean`: the mean of the periods' gains, each counted once, shows it |
    | `min_periods` | fewer periods show nothing |

    An interval of one month says how well the gain of *that* month is known. How much the next month's will differ can
    only be seen from several months. The rows of a period carry its name in the column `period`, which a holdout of
    kind `rolling` writes; each period is then scored by a model that was trained before it.

    `every` is PASS where each period's own interval shows the margin, which needs no correction, and FAIL where some
    period is shown to be worse, with Holm's correction. `mean` is decided by Student's t with one degree of freedom
    fewer than there are periods; its standard error is that of gains that differ from period to period, and never less
    than the rows within the periods leave. With few periods that is a wide interval: at one-sided .95 it reaches 2.9
    standard errors with three periods, 2.0 with six and 1.8 with twelve; at .9975, the level of one of twenty looks,
    14.1, 4.8 and 3.5. Each period is one of the `parts`, with what it shows alone.

    With a margin of 0 or more the gate is a scheduled look, as in `improvement`.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.BOTH_MODELS
    part_noun: ClassVar[str] = "period"
    unplanned: ClassVar[str] = (
        "its interval depends on how many periods there are and how much their gains differ, not on rows alone"
    )
    example: ClassVar[Mapping[str, Any]] = {
        "kind": "periods",
        "metric": "log_loss",
        "margin": 0.0,
        "require": "every",
        "min_periods": 3,
    }

    kind: Literal["periods"]
    metric: ComparedMetricName
    margin: Annotated[float, higher(Category.MARGIN)]
    require: Annotated[Literal["every", "mean"], _OTHER_PROOF]
    min_periods: Annotated[int, Field(ge=2, le=MAX_INTEGER), higher(Category.ROWS)]

    @property
    def is_scheduled(self) -> bool:
        return self.margin >= 0

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return (self.metric,)

    @property
    def metrics_of_all_rows(self) -> tuple[str, ...]:
        return ()

    @property
    def rule(self) -> str:
        gain = "gains more than 0" if self.margin == 0 else f"gains at least {self.margin:.12g}"
        where = "in every period" if self.require == "every" else "in the mean of the periods"
        return f"{self.metric} {gain if self.margin >= 0 else f'loses at most {-self.margin:.12g}'} {where}"

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        misfits = super().list_misfits(table)
        if table.periods == 0:
            misfits["kind"] = f"rows of the holdout have no period; expected holdout: {_ROLLING}"
        return misfits

    def judge(self, name: str, case: Case) -> Outcome:
        split = _split_by_period(case)
        level = case.scheduled_confidence if self.is_scheduled else case.confidence
        if case.no_champion:
            return self.outcome(name, *case.absence, case, metric=self.metric, level=level)
        need_champion(case)
        periods = np.flatnonzero(split.n)  # a period in which no row counts is none
        parts = self._parts(split, periods, case, level)
        if any(part.verdict is Verdict.ERROR for part in parts):
            problem = next(f"{part.name}: {part.message}" for part in parts if part.verdict is Verdict.ERROR)
            return self.outcome(name, Verdict.ERROR, problem, case, metric=self.metric, level=level, parts=tuple(parts))
        few = case.explain_shortfall(case.differences(self.metric).information.of_group(0))
        if len(parts) < self.min_periods:
            few = f"only {_count(parts)}, at least {self.min_periods} are asked"
        if self.require == "every":
            return self._judge_every(name, parts, case, few)
        return self._judge_mean(name, parts, split, periods, case, level=level, few=few)

    def _parts(self, split: GroupedRows, periods: Codes, case: Case, level: float) -> list[Outcome]:
        """What each period shows alone: a FAIL with Holm's correction, a PASS without."""
        metric = case.metric(self.metric)
        differences = estimate_differences(metric, split)
        low, high = differences.bounds(level)
        won, harm = differences.p_gain(self.margin), differences.p_harm(self.margin)
        tested = periods[~np.isnan(harm[periods])]
        adjusted = dict(zip(tested.tolist(), holm(harm[tested]).tolist(), strict=True))
        parts = []
        for period in periods.tolist():
            value, bounds = differences.value.item(period), group_bounds(low, high, period)
            information = differences.information.of_group(period)
            gain = gain_bounds(metric, bounds)
            verdict, message = Verdict.INCONCLUSIVE, describe_difference(metric, value, gain)
            if not np.isfinite(value):
                verdict, message = Verdict.ERROR, f"{self.metric} is undefined on these rows; it needs {metric.needs}"
            elif few := case.explain_shortfall(information):
                message += f"; {few}"
            elif adjusted.get(period, 1.0) <= 1 - level + TOLERANCE:
                verdict = Verdict.FAIL
            elif differences.exact and self.margin == 0:
                verdict = Verdict.PASS if won[period] <= 1 - level else Verdict.INCONCLUSIVE
            elif judge_gain(gain, self.margin) is Verdict.PASS:
                verdict = Verdict.PASS
            parts.append(
                self.outcome(
                    split.groups.names[period],
                    verdict,
                    message,
                    case,
                    metric=self.metric,
                    observed=value,
                    bounds=bounds,
                    level=level,
                    p=None if np.isnan(won[period]) else won.item(period),
                    rows=split.n.item(period),
                    clusters=group_clusters(split, period),
                    information=information,
                )
            )
        return parts

    def _judge_every(self, name: str, parts: Sequence[Outcome], case: Case, few: str) -> Outcome:
        verdict, note = self._reserve(worst_verdict([part.verdict for part in parts]), few, case)
        gain = case.metric(self.metric).gain
        lowest = min(parts, key=lambda part: (SEVERITY_ORDER.index(part.verdict), gain(part.observed or 0.0)))
        message = f"{summarise_parts(list(parts), self.part_noun)}; worst {lowest.name!r}: {lowest.message}"
        numbers = copy_numbers(lowest)
        if all(part.p is not None for part in parts):
            numbers["p"] = max(part.p or 0.0 for part in parts)  # all have to show the gain
        return self.outcome(name, verdict, f"{message}; asked: {self.rule}{note}", case, parts=tuple(parts), **numbers)

    def _judge_mean(
        self,
        name: str,
        parts: Sequence[Outcome],
        split: GroupedRows,
        periods: Codes,
        case: Case,
        *,
        level: float,
        few: str,
    ) -> Outcome:
        metric = case.metric(self.metric)
        difference = _estimate_mean(metric, split, periods) if len(parts) > 1 else None
        value = parts[0].observed if difference is None else difference.value
        bounds = None if difference is None else difference.bounds(level)
        gain = gain_bounds(metric, bounds)
        if bounds is None and not few:
            few = "a period has too few rows or clusters for a standard error"
        verdict, note = self._reserve(judge_gain(gain, self.margin), few, case)
        spread = ""
        if difference is not None:
            deviation = float(np.std([part.observed or 0.0 for part in parts], ddof=1))
            spread = f", whose gains have a standard deviation of {format_number(deviation)}"
        message = f"{describe_difference(metric, value or 0.0, gain)} in the mean of {_count(parts)}{spread}"
        return self.outcome(
            name,
            verdict,
            f"{message}; asked: {self.rule}{note}",
            case,
            metric=self.metric,
            observed=value,
            bounds=bounds,
            level=level,
            p=None if difference is None else difference.p_gain(self.margin),
            parts=tuple(parts),
        )

    def _reserve(self, verdict: Verdict, few: str, case: Case) -> tuple[Verdict, str]:
        """The verdict, unless there is too little to show anything or no look is left, and why in words."""
        if few:
            return Verdict.INCONCLUSIVE, f"; {few}"
        if verdict is Verdict.PASS and self.is_scheduled and case.spent:
            return Verdict.INCONCLUSIVE, f"; {case.spent}"
        return verdict, ""


def _count(parts: Sequence[Outcome]) -> str:
    return f"{len(parts)} period{'s' * (len(parts) != 1)}"


def _split_by_period(case: Case) -> GroupedRows:
    if case.evidence.period is None:
        raise UnjudgeableError(
            "the evidence does not say which period a row belongs to",
            expected="a column `period`",
            hint="holdout: {kind: rolling, periods: 3} in conf/data holds out three, each by a model of its own",
        )
    return GroupedRows(rows=case.rows, groups=cross_columns([case.evidence.period]))


def _estimate_mean(metric: Metric, split: GroupedRows, periods: Codes) -> Difference:
    """challenger − champion in the mean of at least two periods, given by their numbers."""
    value, variance, shared = _estimate_periods(metric, split)
    covariance = 0.0 if shared is None else mean_covariance(shared[np.ix_(periods, periods)])
    estimate = mean_over_periods(value[None, periods], variance[None, periods], shared=covariance)
    mean, error, df = estimate
    uncertainty = replace(Uncertainty.of_normal(error), df=df)
    information = Informations(rows=np.array([split.n[periods].sum()]), class_rows=None, df=df)
    return estimate_difference(mean, uncertainty, sign=metric.gain(1.0), information=information).of_group()


def _estimate_periods(metric: Metric, split: GroupedRows) -> tuple[Floats, Floats, Floats | None]:
    """challenger − champion in each period, its variance (S,), and the covariances (S, S) where periods share clusters.

    A quantile has no influence values to take covariances of: periods that share clusters then count as if their
    errors were the same, which is the most that they can have in common.
    """
    rows, units = split.rows, split.units
    shares = rows.cluster is not None and units.weighted_units.sum() > (rows.clusters or 0)
    value, uncertainty = measure_difference(metric, split)
    error, covariances = uncertainty.error, None
    if shares and metric.quantile is not None:
        covariances = np.outer(error, error)
    elif shares and rows.cluster is not None:
        difference, carrying = split.paired_difference(metric), split.carrying_units(metric, paired=True)
        unordered = group_covariance(difference, carrying, weight=rows.weight, cluster=rows.cluster)
        covariances = rescale_covariance(unordered, error)  # as wide as the errors, which allow for order
    return value, error**2, covariances
