"""Ranking statistics and their influence values, for groups of rows at once, each from one sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gates.stats.scored import Codes, Floats, Linear, Scored, ratio


def auc(scored: Scored) -> Linear:
    """Area under the ROC curve, ties counting half; undefined where a group has rows of one label only.

    Labels are 0 or 1. The influence is n/P·(V − AUC) on the P positives and n/N·(V − AUC) on the N negatives,
    V being a row's placement among the other class of its group.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    runs = Runs.of(scored)
    below = runs.misses_before + runs.misses / 2
    above = runs.of_run(runs.all_hits) - runs.hits_before - runs.hits / 2
    value = np.minimum(ratio(runs.total(runs.hits * below), runs.all_hits * runs.all_misses), 1.0)
    own, mass = runs.of_run(value), runs.all_hits + runs.all_misses
    of_positive = (below * runs.of_run(_inverse(runs.all_misses)) - own) * runs.of_run(mass * _inverse(runs.all_hits))
    of_negative = (above * runs.of_run(_inverse(runs.all_hits)) - own) * runs.of_run(mass * _inverse(runs.all_misses))
    return Linear(value, runs.to_rows(of_positive, of_negative))


def average_precision(scored: Scored) -> Linear:
    """Average precision Σ (R_k − R_{k−1}) P_k over distinct scores; undefined where a group has no row of label 1.

    The influence of a row is (1/π)·[y·(P(s) − AP) + Σ_{t <= s} π_t·(y − P(t))/B(t)], π_t being the share of
    positives at t and B(t) the share of all rows at or above it: the derivative of AP in the direction of that row.
    """
    runs = Runs.of(scored)
    mass = runs.all_hits + runs.all_misses
    taken = runs.of_run(mass) - runs.hits_before - runs.misses_before
    precision = np.divide(
        runs.of_run(runs.all_hits) - runs.hits_before, taken, out=np.zeros_like(taken), where=taken > 0
    )
    value = ratio(runs.total(runs.hits * precision), runs.all_hits)
    per_mass = np.divide(runs.hits, taken, out=np.zeros_like(taken), where=taken > 0)
    slope, offset = runs.cumulative(per_mass), runs.cumulative(per_mass * precision)
    scale = runs.of_run(mass * _inverse(runs.all_hits))
    return Linear(value, runs.to_rows((precision - runs.of_run(value) + slope - offset) * scale, -offset * scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Rows by group and ascending score, as runs of tied scores: n rows, R runs, S groups.

    order: the rows (n,). positive: whether a row so ordered has label 1 (n,). lengths: rows in each run (R,).
    group: the group of each run (R,), ascending; None where all rows are one group.
    hits, misses: mass of label 1 and of label 0 in each run (R,); `…_before` that of the runs of the same group
    with lower scores (R,); `all_…` that of each group (S,).
    """

    order: Codes
    positive: NDArray[np.bool_]
    lengths: Codes
    group: Codes | None
    hits: Floats
    misses: Floats
    hits_before: Floats
    misses_before: Floats
    all_hits: Floats
    all_misses: Floats

    @classmethod
    def of(cls, scored: Scored) -> Runs:
        order = scored.order
        score, positive = scored.score[order], scored.label[order] == 1
        code = None if scored.code is None else scored.code[order]
        starts = np.empty(order.size, dtype=bool)
        starts[:1] = True
        np.not_equal(score[1:], score[:-1], out=starts[1:])
        if code is not None:
            starts[1:] |= code[1:] != code[:-1]
        first = np.flatnonzero(starts)
        mass = np.ones(order.size) if scored.weight is None else scored.weight[order]
        hits, misses = np.where(positive, mass, 0.0), np.where(positive, 0.0, mass)
        if first.size < order.size:
            hits, misses = np.add.reduceat(hits, first), np.add.reduceat(misses, first)
        group = None if code is None else code[first]
        return cls(
            order=order, positive=positive, lengths=np.diff(first, append=order.size), group=group,
            hits=hits, misses=misses,
            hits_before=_cumulative(hits, group) - hits, misses_before=_cumulative(misses, group) - misses,
            all_hits=_total(hits, group, scored.groups), all_misses=_total(misses, group, scored.groups),
        )  # fmt: skip

    def of_run(self, of_group: Floats) -> Floats:
        """The value of each run's group: (S,) → (R,), or (1,) where there is one group."""
        return of_group if self.group is None else of_group[self.group]

    def total(self, of_run: Floats) -> Floats:
        """Sums in each group: (R,) → (S,)."""
        return _total(of_run, self.group, self.all_hits.size)

    def cumulative(self, of_run: Floats) -> Floats:
        """Sums over the runs of the same group up to each, itself included: (R,) → (R,)."""
        return _cumulative(of_run, self.group)

    def to_rows(self, of_positive: Floats, of_negative: Floats) -> Floats:
        """Values for the rows of each run, by label: (R,) and (R,) → (n,), in the order that the rows came in."""
        if self.lengths.size < self.order.size:
            of_positive, of_negative = np.repeat(of_positive, self.lengths), np.repeat(of_negative, self.lengths)
        rows = np.empty(self.order.size)
        rows[self.order] = np.where(self.positive, of_positive, of_negative)
        return rows


def _inverse(values: Floats) -> Floats:
    """1 / values, 0 where a value is 0: of groups in which the statistic is undefined anyway."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values != 0)


def _total(values: Floats, group: Codes | None, groups: int) -> Floats:
    if group is None:
        return np.array([values.sum()])
    return np.bincount(group, weights=values, minlength=groups).astype(np.float64)


def _cumulative(values: Floats, group: Codes | None) -> Floats:
    summed = np.cumsum(values)
    if group is None or not group.size:
        return summed
    first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    before = (summed - values)[first]
    return summed - np.repeat(before, np.diff(first, append=group.size))
