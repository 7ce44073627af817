"""Ranking statistics and their influence values, for groups of rows at once, each from one sort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.stats.scored import Codes, Floats, Linear, Scored, ratio


def auc(scored: Scored) -> Linear:
    """Area under the ROC curve, ties counting half; undefined in a group with rows of one label only.

    Labels are 0 or 1. The influence is n/P·(V − AUC) on the P positives and n/N·(V − AUC) on the N negatives,
    V being a row's placement among the other class of its group.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    by, placed = ByLabel.of(scored.label, scored.code, scored.groups, weight=scored.weight), placements(scored)
    sums, misses, hits = by.sums(placed), by.mass[::2], by.mass[1::2]
    earlier_misses = np.cumsum(misses) - misses  # placements count on from group to group
    value = np.minimum(ratio(sums[1::2] / 2 - hits * earlier_misses, hits * misses), 1.0)
    influence = by.deviations(placed, sums)
    influence *= scored.spread(per_placement(misses, hits))
    return Linear(value, influence)


def placements(scored: Scored) -> NDArray[Any]:
    """How many rows of the other label each row is ranked above, doubled so that ties count in whole numbers (n,).

    For a row of label 1 it is twice the mass of label 0 with a lower score, plus once that with the same score; for a
    row of label 0 it is minus the same of label 1. Rows keep their order; int32 or int64 without weights, else float64.

    The count continues from group to group. That adds the same number to all rows of a label in a group, the same for
    every model, and saves a pass.
    """
    order = scored.order
    positive = (scored.label == 1)[order]
    starts = _run_starts(scored)
    first = None if starts is None else np.flatnonzero(starts)
    if scored.weight is None:
        whole = np.int32 if order.size < 2**30 else np.int64
        hits, rows = np.cumsum(positive, dtype=whole), np.arange(1, order.size + 1, dtype=whole)
    else:
        mass = scored.weight[order]
        hits, rows = np.cumsum(mass * positive), np.cumsum(mass)
    placed = _before_and_with(rows, first)
    placed *= positive
    placed -= _before_and_with(hits, first)
    of_row = rows  # its values are not needed any more
    of_row[order] = placed
    return of_row


def per_placement(misses: Floats, hits: Floats) -> Floats:
    """What one unit of `placements` adds to influences in a group with this much mass of each label (S,)."""
    return (hits + misses) * _inverse(2 * hits) * _inverse(misses)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByLabel:
    """Rows by label within U units, which are groups or clusters.

    cell: of each row (n,), 2·unit + label. mass: of each cell (2U,). weight: of each row (n,); None weighs all alike.
    """

    cell: Codes
    mass: Floats
    weight: Floats | None

    @classmethod
    def of(cls, label: Floats, unit: Codes | None, units: int, *, weight: Floats | None) -> ByLabel:
        """Rows of label 0 or 1 (n,) in units 0 … units − 1 (n,); None if all rows are one unit."""
        cell = (label == 1).astype(np.intp)
        if unit is not None:
            cell += unit
            cell += unit
        mass = np.bincount(cell, weights=weight, minlength=2 * units).astype(np.float64)
        return cls(cell=cell, mass=mass, weight=weight)

    def sums(self, values: NDArray[Any]) -> Floats:
        """Weighted sums of `values` (n,) in each cell (2U,)."""
        masses = values if self.weight is None else values * self.weight
        sums: Floats = np.bincount(self.cell, weights=masses, minlength=self.mass.size).astype(np.float64, copy=False)
        return sums

    def deviations(self, values: NDArray[Any], sums: Floats) -> Floats:
        """`values` (n,) minus the mean of their cell, which follows from their sums (2U,)."""
        means: Floats = (sums * _inverse(self.mass))[self.cell]
        np.subtract(values, means, out=means)
        return means


def average_precision(scored: Scored) -> Linear:
    """Average precision Σ (R_k − R_{k−1}) P_k over distinct scores; undefined in a group without rows of label 1.

    The influence of a row is (1/π)·[y·(P(s) − AP) + Σ_{t <= s} π_t·(y − P(t))/B(t)], π_t being the share of
    positives at t and B(t) the share of all rows at or above it: the derivative of AP in the direction of that row.
    """
    runs = Runs.of(scored)
    mass = runs.all_hits + runs.all_misses
    at_or_above = runs.of_run(mass) - runs.hits_before - runs.misses_before
    precision = np.divide(
        runs.of_run(runs.all_hits) - runs.hits_before,
        at_or_above,
        out=np.zeros_like(at_or_above),
        where=at_or_above > 0,
    )
    value = ratio(runs.total(runs.hits * precision), runs.all_hits)
    per_mass = np.divide(runs.hits, at_or_above, out=np.zeros_like(at_or_above), where=at_or_above > 0)
    slope, offset = runs.cumulative(per_mass), runs.cumulative(per_mass * precision)
    scale = runs.of_run(mass * _inverse(runs.all_hits))
    return Linear(value, runs.to_rows((precision - runs.of_run(value) + slope - offset) * scale, -offset * scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Rows by group and ascending score, as runs of tied scores: n rows, R runs, S groups.

    order: the rows (n,). positive: whether each row in that order has label 1 (n,). lengths: rows in each run (R,);
    None if no scores are tied. in_group: runs in each group (S,).
    hits, misses: mass of label 1 and of label 0 in each run (R,); `…_before`: in the runs of the same group with lower
    scores (R,); `all_…`: in each group (S,).
    """

    order: Codes
    positive: NDArray[np.bool_]
    lengths: Codes | None
    in_group: Codes
    hits: Floats
    misses: Floats
    hits_before: Floats
    misses_before: Floats
    all_hits: Floats
    all_misses: Floats

    @classmethod
    def of(cls, scored: Scored) -> Runs:
        order, rows = scored.order, _rows(scored)
        positive = (scored.label == 1)[order]
        starts = _run_starts(scored)
        hits = positive.astype(np.float64)
        misses = 1.0 - hits
        if scored.weight is not None:
            mass = scored.weight[order]
            hits, misses = hits * mass, misses * mass
        lengths, in_group = None, rows
        if starts is not None:
            first = np.flatnonzero(starts)
            hits, misses = np.add.reduceat(hits, first), np.add.reduceat(misses, first)
            lengths = np.diff(first, append=order.size)
            in_group = np.diff(np.searchsorted(first, np.append(0, np.cumsum(rows))))
        return cls(
            order=order,
            positive=positive,
            lengths=lengths,
            in_group=in_group,
            hits=hits,
            misses=misses,
            hits_before=_before(hits, in_group),
            misses_before=_before(misses, in_group),
            all_hits=_total(hits, in_group),
            all_misses=_total(misses, in_group),
        )

    def of_run(self, of_group: Floats) -> Floats:
        """The value of each run's group: (S,) → (R,), or (1,) if there is one group."""
        return of_group if self.in_group.size == 1 else np.repeat(of_group, self.in_group)

    def total(self, of_run: Floats) -> Floats:
        """Sums in each group: (R,) → (S,)."""
        return _total(of_run, self.in_group)

    def cumulative(self, of_run: Floats) -> Floats:
        """Sums over the runs of the same group up to and including each: (R,) → (R,)."""
        return _before(of_run, self.in_group) + of_run

    def to_rows(self, of_positive: Floats, of_negative: Floats) -> Floats:
        """Values for the rows of each run, by label: (R,) and (R,) → (n,), in the rows' own order."""
        if self.lengths is not None:
            of_positive, of_negative = np.repeat(of_positive, self.lengths), np.repeat(of_negative, self.lengths)
        rows = np.empty(self.order.size)
        rows[self.order] = np.where(self.positive, of_positive, of_negative)
        return rows


def _rows(scored: Scored) -> Codes:
    """How many rows each group has (S,)."""
    if scored.code is None:
        return np.array([scored.label.size])
    return np.bincount(scored.code, minlength=scored.groups)


def _before_and_with(summed: NDArray[Any], first: Codes | None) -> NDArray[Any]:
    """The cumulative sum before each row's run of ties plus the one after it (n,); `first` are the runs' first rows."""
    upto = summed if first is None else summed[np.append(first[1:], summed.size) - 1]
    both = upto.copy()
    both[1:] += upto[:-1]
    return both if first is None else np.repeat(both, np.diff(first, append=summed.size))


def _run_starts(scored: Scored) -> NDArray[np.bool_] | None:
    """Where a run of tied scores, or a group, starts in `scored.order` (n,); None if no scores are tied."""
    run = scored.by_group.run
    if run is None:
        return None
    starts = np.empty(run.size, dtype=bool)
    starts[:1] = True
    np.not_equal(run[1:], run[:-1], out=starts[1:])
    first = np.cumsum(_rows(scored))[:-1]
    starts[first[first < run.size]] = True
    return None if starts.all() else starts


def _inverse(values: Floats) -> Floats:
    """1 / values; 0 where a value is 0, in groups where the statistic is undefined anyway."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values != 0)


def _total(values: Floats, in_group: Codes) -> Floats:
    """Sums of consecutive values, `in_group` of them in each group (S,)."""
    sums = np.zeros(in_group.size)
    filled = in_group > 0
    if values.size:
        sums[filled] = np.add.reduceat(values, (np.cumsum(in_group) - in_group)[filled])
    return sums


def _before(values: Floats, in_group: Codes) -> Floats:
    """Sums of the values before each one in its group; `in_group` consecutive values are in each group (S,)."""
    summed = np.cumsum(values)
    summed -= values
    if in_group.size > 1 and values.size:
        first = np.minimum(np.cumsum(in_group) - in_group, values.size - 1)
        summed -= np.repeat(summed[first], in_group)
    return summed
