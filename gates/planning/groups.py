"""Samples for gates over groups: which groups count, and the gaps between them (fairness)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.grouped import Grouped
from lockgate.gates.kinds.fairness import MAX_COMPARED_GROUPS, Fairness
from lockgate.gates.metrics.estimate import count_hits, measure_uncertainty
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.planning.requirement import Gains, Requirement, format_short, times_for_information
from lockgate.gates.stats import gaps
from lockgate.gates.stats.scored import Codes, Floats

Highs = Callable[[float, float], Floats]
"""(level, times) → how far each pair's upper bound lies above its gap (K,), on `times` the sample."""


@dataclass(frozen=True, kw_only=True)
class JudgedGroups:
    """The groups that a gate judges."""

    split: GroupedRows
    index: Codes  # their numbers in `split`
    min_times: float  # how many times the sample makes the smallest of them large enough

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.split.groups.names[group] for group in self.index.tolist())

    def need_errors(self, error: Floats) -> None:
        """Raises UnjudgeableError where a group's error (S,) is NaN or infinite."""
        if unknown := [name for name, has_error in zip(self.names, np.isfinite(error), strict=True) if not has_error]:
            raise UnjudgeableError(f"slice {unknown[0]!r} has no standard error", expected="more rows in it")


def select_groups(check: Grouped, case: Case) -> JudgedGroups:
    """All groups, except that small ones do not count where the gate skips them (`small_slice: skip`)."""
    split = case.split(check.columns)
    skips = check.small_slice == "skip"
    index = np.flatnonzero(split.n >= check.min_rows if skips else split.n > 0)
    if not index.size:
        raise UnjudgeableError(f"no slice has {check.min_rows:,} rows")
    min_times = 0.0 if skips else float(check.min_rows / split.n[index].min())
    information = case.estimates(check.metric, check.columns).information
    needed = [times_for_information(case, information.of_group(group)) for group in index.tolist()]
    min_times = max(min_times, *needed)
    return JudgedGroups(split=split, index=index, min_times=min_times)


def plan_fairness(check: Fairness, case: Case, gains: Gains) -> Requirement:  # noqa: ARG001 (a planner's signature)
    """The gaps seen in the pilot are assumed to be true. Every pair must pass; chances combine by the union bound."""
    chosen = select_groups(check, case)
    if not 2 <= chosen.index.size <= MAX_COMPARED_GROUPS:
        raise UnjudgeableError(f"{chosen.index.size:,} groups to compare", expected=f"2 to {MAX_COMPARED_GROUPS:,}")
    value, error, highs = _gaps(check, case, chosen)
    first, second = gaps.group_pairs(chosen.index.size)
    gap = np.abs(value[first] - value[second])
    level = 0.5 if check.decide == "point" else case.confidence
    widest, hardest = int(np.argmax(gap)), int(np.argmax(error))

    def reach(times: float) -> Floats:
        return np.zeros_like(gap) if check.decide == "point" else highs(level, times)

    def chance(truth: float, times: float) -> float:  # noqa: ARG001 (all gaps are assumed, and `truth` is the widest)
        reached, missed = reach(times), 0.0
        for gap_of_side in (gap, -gap):
            missed += float((1 - _below(check.max - gap_of_side - reached, error / math.sqrt(times))).sum())
        return max(0.0, 1 - missed)

    def showing(power: float) -> float | None:
        widest_shown = check.max - float(reach(1.0)[hardest] + scipy.special.ndtri(power) * error[hardest])
        return widest_shown if widest_shown >= 0 else None

    def pair_names(pair: int) -> str:
        return " and ".join(chosen.names[group] for group in (first[pair], second[pair]))

    as_in_pilot = f"{check.metric} in {chosen.index.size} groups is as in the pilot"
    return Requirement(
        level=None if check.decide == "point" else case.confidence,
        truth=float(gap[widest]),
        supposed=f"{as_in_pilot}: the widest gap is {format_short(float(gap[widest]))}, of {pair_names(widest)}",
        chance=chance,
        shows=lambda gap: f"a gap of {format_short(gap)}, of {pair_names(hardest)}, the hardest pair",
        min_times=chosen.min_times,
        showing=showing,
    )


def _gaps(check: Fairness, case: Case, chosen: JudgedGroups) -> tuple[Floats, Floats, Highs]:
    """The metric in each group (S,), the standard error of every pair's gap (K,), and the reach of its bounds."""
    metric, split, index = case.metric(check.metric), chosen.split, chosen.index
    first, second = gaps.group_pairs(index.size)
    if metric.hits is not None and split.rows.plain:
        row_hits = metric.hits(split.rows.label, split.rows.challenger)
        hits, n = (of_group[index] for of_group in count_hits(row_hits, split.scored_by("challenger")))
        if not np.all(n > 0):
            raise UnjudgeableError(f"{check.metric} is undefined in a group", expected=metric.needs)
        share = hits / n
        of_group = share * (1 - share) / n
        error = np.sqrt(of_group[first] + of_group[second])
        return share, error, lambda level, times: _reach(share, gaps.newcombe(hits * times, n * times, level=level))
    linear = split.linear(metric)
    value = linear.value[index]
    uncertainty = measure_uncertainty(metric, linear, split).of_groups(index)
    chosen.need_errors(uncertainty.error + value)
    variance, covariance, between = uncertainty.error**2, None, np.zeros(first.size)
    rows = split.rows
    if rows.cluster is not None:
        shared = gaps.group_covariance(linear, split.carrying_units(metric), weight=rows.weight, cluster=rows.cluster)
        covariance = gaps.rescale_covariance(shared[np.ix_(index, index)], uncertainty.error)
        between = covariance[first, second]
    error = np.sqrt(np.maximum(variance[first] + variance[second] - 2 * between, 0.0))

    def reach(level: float, times: float) -> Floats:
        smaller = None if covariance is None else covariance / times
        return _reach(value, gaps.gap_bounds(value, uncertainty.on_sample(times), smaller, level=level))

    return value, error, reach


def _reach(value: Floats, bounds: tuple[Floats, Floats]) -> Floats:
    """How far the outer bound of each pair lies from its gap (K,)."""
    first, second = gaps.group_pairs(value.size)
    gap = value[first] - value[second]
    return np.where(gap >= 0, bounds[1] - gap, gap - bounds[0])


def _below(distance: Floats, error: Floats) -> Floats:
    """Probability that an estimate falls short of a limit `distance` above it; certain where there is no error."""
    moving = error > 0
    ratio = np.divide(distance, error, out=np.zeros_like(error), where=moving)
    return np.where(moving, scipy.special.ndtr(ratio), (distance >= 0).astype(np.float64))
