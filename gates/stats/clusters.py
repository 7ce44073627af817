"""What counts as independent in groups of rows, clusters or rows, and what each carries of a metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

import numpy as np
import scipy

from lockgate.gates.stats.scored import Codes, Floats, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Units:
    """What counts as independent within each group: clusters, or single rows.

    of_row: the unit of each row (n,); None if every row is its own unit. group: the group of each unit (U,), ascending
    where units are clusters; None if all are one group. size: the weight of the unit's rows that carry the metric (U,).
    rows: that of all its rows (U,). groups: S. alike: whether every row has the same weight and carries the metric.
    ordered: whether the units of a group follow each other in time.
    """

    of_row: Codes | None
    group: Codes | None
    size: Floats
    rows: Floats
    groups: int
    alike: bool
    ordered: bool = False

    @classmethod
    def of(
        cls,
        n: int,
        *,
        weight: Floats | None,
        cluster: Codes | None,
        code: Codes | None,
        groups: int,
        ordered: bool = False,
    ) -> Self:
        """The units of n rows, all of which carry the metric.

        Args:
            weight: float64 (n,), not negative; None weighs every row alike.
            cluster: codes 0 … G−1 (n,); None makes every row its own. A cluster in two groups is two units.
            code: the group of each row (n,); None if all rows are one group.
            ordered: whether the codes of clusters ascend in time.
        """

        alike = weight is None
        make = partial(cls, groups=groups, alike=alike, ordered=ordered and cluster is not None)

        if cluster is None:
            size = np.broadcast_to(1.0, n) if weight is None else weight
            return make(of_row=None, group=code, size=size, rows=size)
        if code is None:
            size = _sums(cluster, weight)
            return make(of_row=cluster, group=None, size=size, rows=size)
        wide = int(cluster.max(initial=-1)) + 1
        cell = code * wide
        cell += cluster
        if wide * groups > 4 * max(n, 1):  # most pairs of group and cluster have no row: number those that have
            pairs, of_row = np.unique(cell, return_inverse=True)
            size = _sums(of_row, weight)
            return make(of_row=of_row, group=pairs // wide, size=size, rows=size)
        size = _sums(cell, weight, minlength=wide * groups)
        return make(of_row=cell, group=np.repeat(np.arange(groups), wide), size=size, rows=size)

    def carrying(self, rows: NDArray[np.bool_], *, weight: Floats | None) -> Self:
        """The same units where only some rows carry the metric: bool (n,), with the weight the units were made with."""
        mass = rows.astype(np.float64) if weight is None else rows * weight
        return replace(self, size=self.sums(mass), alike=False)

    def sums(self, values: Floats) -> Floats:
        """Sums of values that are multiplied by their weights already (n,) in each unit (U,)."""
        return values if self.of_row is None else _sums(self.of_row, values, minlength=self.size.size)

    def total(self, of_unit: Floats | NDArray[np.bool_]) -> Floats:
        """Sums in each group: (U,) → (S,)."""
        if self.group is None:
            return np.array([of_unit.sum()], dtype=np.float64)
        if self.of_row is None:
            return _sums(self.group, of_unit, minlength=self.groups)
        sums = np.zeros(self.groups)
        filled = self._in_group > 0
        if of_unit.size:  # units are in the order of their groups
            sums[filled] = np.add.reduceat(of_unit, self._starts[filled], dtype=np.float64)
        return sums

    def spread(self, of_group: Floats) -> Floats:
        """The value of each unit's group: (S,) → (U,), or (1,) for one group."""
        if self.group is None:
            return of_group
        return of_group[self.group] if self.of_row is None else np.repeat(of_group, self._in_group)

    @cached_property
    def _in_group(self) -> Codes:
        """How many units each group has (S,)."""
        return (
            np.zeros(self.groups, dtype=np.intp)
            if self.group is None
            else np.bincount(self.group, minlength=self.groups)
        )

    @cached_property
    def _starts(self) -> Codes:
        """The first unit of each group (S,), where units are clusters."""
        return np.cumsum(self._in_group) - self._in_group

    @cached_property
    def weighted_units(self) -> Floats:
        """How many units of each group have weight (S,)."""
        if self.of_row is None and self.alike and self.group is not None:
            return _sums(self.group, None, minlength=self.groups)
        return self.total(self.size > 0)

    @cached_property
    def leverage(self) -> Leverage:
        """What CR2 needs to know of the units. It depends on their weights alone, so it is computed once."""
        total, largest = self.total(self.size), self._largest
        share = self.size * self.spread(ratio(np.ones_like(total), total))
        heaviest = (self.size == self.spread(largest)) & (self.size > 0)
        count = self.total(heaviest)
        # the heaviest's 1 − share would cancel where one cluster has nearly all the weight: add up the others
        others = self.total(np.where(heaviest, 0.0, share)) + (count - 1) * ratio(largest, total)
        inverse = np.where(heaviest, self.spread(others), 1.0 - share)
        whole = inverse <= np.finfo(np.float64).epsneg
        inverse[whole] = 1.0
        np.divide(1.0, inverse, out=inverse)
        inverse[whole] = 0.0
        df = _bell_mccaffrey(share, inverse, heaviest, self)
        np.sqrt(inverse, out=inverse)
        of_rows = total if self.rows is self.size else self.total(self.rows)
        inverse *= self.spread(ratio(np.ones_like(of_rows), of_rows))
        estimable = (self.weighted_units >= 2) & (largest < total)
        return Leverage(factor=inverse, df=np.where(estimable, df, np.nan))

    @cached_property
    def with_rows(self) -> Floats:
        """How many units of each group have rows with weight (S,)."""
        return self.total(self.rows > 0)

    @cached_property
    def size_skew(self) -> Floats:
        """Σ r³/(Σ r²)^1.5 over the units' shares r of the rows (S,): 1/√G for equal units; NaN without rows."""
        share = self._share(self.rows)
        power = share * share
        second = self.total(power)
        power *= share
        return ratio(self.total(power), second**1.5)

    @cached_property
    def effective(self) -> Floats:
        """How many units of equal size would carry as much in each group, 1/Σh² (S,); NaN where none carries any."""
        if self.of_row is None and self.alike:
            return self.weighted_units
        share = self._share(self.size)
        return ratio(np.ones(self.groups), self.total(share * share))

    def _share(self, size: Floats) -> Floats:
        """Of each unit in its group, so that squares of large weights are finite: (U,) → (U,)."""
        total = self.total(size)
        share: Floats = size * self.spread(ratio(np.ones_like(total), total))
        return share

    @property
    def _largest(self) -> Floats:
        """The weight of each group's heaviest unit (S,)."""
        if self.group is None:
            return np.array([self.size.max(initial=0.0)])
        largest = np.zeros(self.groups)
        if self.of_row is None:
            np.maximum.at(largest, self.group, self.size)
        elif self.size.size:
            filled = self._in_group > 0
            largest[filled] = np.maximum.reduceat(self.size, self._starts[filled])
        return largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Leverage:
    """factor: 1/√(1 − h) divided by the weight of the group's rows (U,), h being a unit's share of what carries.

    df: Bell and McCaffrey's degrees of freedom (S,), NaN in a group where fewer than two units have weight.
    """

    factor: Floats
    df: Floats


def _sums(code: Codes, values: Floats | NDArray[np.bool_] | None, *, minlength: int = 0) -> Floats:
    return np.bincount(code, weights=values, minlength=minlength).astype(np.float64, copy=False)


def _bell_mccaffrey(share: Floats, inverse: Floats, heaviest: NDArray[np.bool_], units: Units) -> Floats:
    # (trace Ω)² / trace Ω², Ω_gk = (share_g [g = k] − share_g share_k) / √((1 − share_g)(1 − share_k)); trace Ω = 1.
    # The sum over pairs is (Σ square)² − Σ square² with square = share²/(1 − share). The heaviest units are summed
    # separately, since their square would swamp that difference.
    square = share * share
    squares = units.total(square)
    square *= inverse
    count = units.total(heaviest)
    heavy = ratio(units.total(np.where(heaviest, square, 0.0)), count)
    square[heaviest] = 0.0
    of_light = units.total(square)
    np.multiply(square, square, out=square)
    pairs = np.maximum(of_light**2 - units.total(square), 0.0)
    pairs = pairs + 2 * count * heavy * of_light + count * (count - 1) * heavy**2
    return ratio(np.ones_like(pairs), squares + pairs)


def t_quantile(level: float, df: Floats) -> Floats:
    """The `level` quantile of Student's t, of the normal if `df` is infinite; NaN for NaN."""
    finite = np.isfinite(df)
    of_t = scipy.special.stdtrit(np.where(finite, df, np.nan), level)
    return np.asarray(np.where(finite | np.isnan(df), of_t, scipy.special.ndtri(level)))


def t_tail(statistic: Floats, df: Floats) -> Floats:
    """P(T >= statistic) under Student's t with `df` degrees of freedom, under the normal if `df` is infinite."""
    finite = np.isfinite(df)
    of_t = scipy.special.stdtr(np.where(finite, df, np.nan), -statistic)
    return np.asarray(np.where(finite | np.isnan(df), of_t, scipy.special.ndtr(-statistic)))
