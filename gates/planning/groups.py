"""What a look at groups asks of a sample: which groups count, and the gaps between them (`fairness`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.grouped import Grouped
from lockgate.gates.kinds.fairness import MAX_GROUPS, Fairness
from lockgate.gates.metrics.estimate import count_hits, standard_errors
from lockgate.gates.metrics.rows import Split
from lockgate.gates.planning.ask import Ask, Gains, number
from lockgate.gates.stats import gaps
from lockgate.gates.stats.scored import Codes, Floats

Highs = Callable[[float, float], Floats]
"""(level, times) → by how much each pair's upper bound lies above its gap (K,), on so many times the sample."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Groups that count: their places in `split`, and how many times the sample makes the last of them large enough."""

    split: Split
    at: Codes
    least_times: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.split.groups.names[at] for at in self.at.tolist())

    def need_errors(self, error: Floats) -> None:
        """Raises UnjudgeableError where a group's error (S,) cannot be shown."""
        if unknown := [name for name, shown in zip(self.names, np.isfinite(error), strict=True) if not shown]:
            raise UnjudgeableError(f"slice {unknown[0]!r} has no standard error", expected="more rows in it")


def judged_groups(check: Grouped, case: Case) -> Judged:
    """Every group counts but those that are small by declaration (`small_slice: skip`)."""
    split = case.split(check.columns)
    skips = check.small_slice == "skip"
    at = np.flatnonzero(split.n >= check.min_rows if skips else split.n > 0)
    if not at.size:
        raise UnjudgeableError(f"no slice has {check.min_rows:,} rows")
    least = 0.0 if skips else float(check.min_rows / split.n[at].min())
    if split.clusters is not None:
        least = max(least, float(case.min_clusters / split.clusters[at].min()))
    return Judged(split=split, at=at, least_times=least)


def fairness(check: Fairness, case: Case, gains: Gains) -> Ask:  # noqa: ARG001 (a planner's signature)
    """The gaps that were seen are supposed to be true; every pair must be shown, by the union bound."""
    chosen = judged_groups(check, case)
    if not 2 <= chosen.at.size <= MAX_GROUPS:
        raise UnjudgeableError(f"{chosen.at.size:,} groups to compare", expected=f"2 to {MAX_GROUPS:,}")
    value, error, highs = _gaps(check, case, chosen)
    first, second = gaps.group_pairs(chosen.at.size)
    gap = np.abs(value[first] - value[second])
    level = 0.5 if check.decide == "point" else case.confidence
    widest, hardest = int(np.argmax(gap)), int(np.argmax(error))

    def reach(times: float) -> Floats:
        return np.zeros_like(gap) if check.decide == "point" else highs(level, times)

    def chance(truth: float, times: float) -> float:  # noqa: ARG001 (all gaps at once, of which it is the widest)
        held, missed = reach(times), 0.0
        for gap_of_side in (gap, -gap):
            missed += float((1 - _below(check.max - gap_of_side - held, error / math.sqrt(times))).sum())
        return max(0.0, 1 - missed)

    def showing(power: float) -> float | None:
        most = check.max - float(reach(1.0)[hardest] + scipy.special.ndtri(power) * error[hardest])
        return most if most >= 0 else None

    def named(pair: int) -> str:
        return " and ".join(chosen.names[at] for at in (first[pair], second[pair]))

    seen = (
        f"{check.metric} in {chosen.at.size} groups is as in the pilot: the widest gap is {number(float(gap[widest]))}"
    )
    return Ask(
        level=None if check.decide == "point" else case.confidence,
        truth=float(gap[widest]),
        supposed=f"{seen}, of {named(widest)}",
        chance=chance,
        shows=lambda gap: f"a gap of {number(gap)}, of {named(hardest)}, the hardest pair",
        least_times=chosen.least_times,
        showing=showing,
    )


def _gaps(check: Fairness, case: Case, chosen: Judged) -> tuple[Floats, Floats, Highs]:
    """The metric in each group (S,), the standard error of every pair's gap (K,), and the reach of its bounds."""
    metric, split, at = case.metric(check.metric), chosen.split, chosen.at
    first, second = gaps.group_pairs(at.size)
    if metric.hits is not None and split.rows.plain:
        found = metric.hits(split.rows.label, split.rows.challenger)
        hits, n = (of_group[at] for of_group in count_hits(found, split.scored_by("challenger")))
        if not np.all(n > 0):
            raise UnjudgeableError(f"{check.metric} is undefined in a group", expected=metric.needs)
        share = hits / n
        of_group = share * (1 - share) / n
        error = np.sqrt(of_group[first] + of_group[second])
        return share, error, lambda level, times: _reach(share, gaps.newcombe(hits * times, n * times, level=level))
    linear = split.linear(metric)
    value = linear.value[at]
    own, df = (of_group[at] for of_group in standard_errors(metric, linear, split))
    chosen.need_errors(own + value)
    variance, between = own**2, np.zeros(first.size)
    rows = split.rows
    if rows.cluster is not None:
        shared = gaps.group_covariance(linear, split.units, weight=rows.weight, cluster=rows.cluster)
        variance = shared[np.ix_(at, at)]
        between = variance[first, second]
    alone = variance if variance.ndim == 1 else np.diag(variance)
    error = np.sqrt(np.maximum(alone[first] + alone[second] - 2 * between, 0.0))
    return (
        value,
        error,
        lambda level, times: _reach(value, gaps.gap_bounds(value, variance / times, df * times, level=level)),
    )


def _reach(value: Floats, bounds: tuple[Floats, Floats]) -> Floats:
    """How far the bound of each pair that lies further out is from its gap (K,)."""
    first, second = gaps.group_pairs(value.size)
    gap = value[first] - value[second]
    return np.where(gap >= 0, bounds[1] - gap, gap - bounds[0])


def _below(distance: Floats, error: Floats) -> Floats:
    """Probability that an estimate is seen `distance` below where it may be at most."""
    moving = error > 0
    ratio = np.divide(distance, error, out=np.zeros_like(error), where=moving)
    return np.where(moving, scipy.special.ndtr(ratio), (distance >= 0).astype(np.float64))
