"""Standard errors of weighted means in groups of rows, where rows may come in clusters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy

from lockgate.gates.stats.scored import Codes, Floats, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Units:
    """What counts as independent within each group: clusters, or single rows.

    of_row: the unit of each row (n,); None if every row is its own unit. group: the group of each unit (U,); None if
    all are one group. size: the weight of each unit (U,). groups: S. alike: whether every row has the same weight.
    """

    of_row: Codes | None
    group: Codes | None
    size: Floats
    groups: int
    alike: bool

    @classmethod
    def of(cls, n: int, *, weight: Floats | None, cluster: Codes | None, code: Codes | None, groups: int) -> Units:
        """The units of n rows.

        Args:
            weight: float64 (n,), not negative; None weighs every row alike.
            cluster: codes 0 … G−1 (n,); None makes every row its own. A cluster in two groups is two units.
            code: the group of each row (n,); None if all rows are one group.
        """
        alike = weight is None
        if cluster is None:
            size = np.broadcast_to(1.0, n) if weight is None else weight
            return cls(of_row=None, group=code, size=size, groups=groups, alike=alike)
        if code is None:
            return cls(of_row=cluster, group=None, size=_sums(cluster, weight), groups=groups, alike=alike)
        wide = int(cluster.max(initial=-1)) + 1
        cell = code * wide
        cell += cluster
        if wide * groups > 4 * max(n, 1):  # most pairs of group and cluster have no row: number those that have
            pairs, of_row = np.unique(cell, return_inverse=True)
            return cls(of_row=of_row, group=pairs // wide, size=_sums(of_row, weight), groups=groups, alike=alike)
        size = _sums(cell, weight, minlength=wide * groups)
        group = np.repeat(np.arange(groups), wide)
        return cls(of_row=cell, group=group, size=size, groups=groups, alike=alike)

    def sums(self, values: Floats) -> Floats:
        """Sums of values that are multiplied by their weights already (n,) in each unit (U,)."""
        return values if self.of_row is None else _sums(self.of_row, values, minlength=self.size.size)

    def total(self, of_unit: Floats | NDArray[np.bool_]) -> Floats:
        """Sums in each group: (U,) → (S,)."""
        if self.group is None:
            return np.array([of_unit.sum()], dtype=np.float64)
        return _sums(self.group, of_unit, minlength=self.groups)

    def spread(self, of_group: Floats) -> Floats:
        """The value of each unit's group: (S,) → (U,), or (1,) for one group."""
        return of_group if self.group is None else of_group[self.group]

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
        per_mass = self.spread(ratio(np.ones_like(total), total))
        share = self.size * per_mass
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
        inverse *= per_mass
        estimable = (self.weighted_units >= 2) & (largest < total)
        return Leverage(factor=inverse, df=np.where(estimable, df, np.nan))

    @property
    def _largest(self) -> Floats:
        """The weight of each group's heaviest unit (S,)."""
        if self.group is None:
            return np.array([self.size.max(initial=0.0)])
        largest = np.zeros(self.groups)
        np.maximum.at(largest, self.group, self.size)
        return largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Leverage:
    """factor: 1/√(1 − h) divided by the group's weight, h being each unit's share of it (U,).

    df: Bell and McCaffrey's degrees of freedom (S,), NaN in a group where fewer than two units have weight.
    """

    factor: Floats
    df: Floats


def _sums(code: Codes, values: Floats | NDArray[np.bool_] | None, *, minlength: int = 0) -> Floats:
    return np.bincount(code, weights=values, minlength=minlength).astype(np.float64, copy=False)


def clustered_errors(influence: Floats, units: Units, *, weight: Floats | None) -> tuple[Floats, Floats]:
    """Standard errors and degrees of freedom of estimates from their influence values, one per group.

    The variance is CR2, the sum over clusters of g²/(1 − h), where g is a cluster's weighted sum of influences and
    h its share of the group's weight; the degrees of freedom are Bell and McCaffrey's for the mean under a working
    variance of 1/weight, so that copies of a row equal a weight if they share a cluster. Rows without clusters are
    clusters of one: without weights, the result is then sd/√n with n − 1 degrees of freedom.

    Args:
        influence: float64 (n,), with weighted mean 0 in each group.
        weight: float64 (n,), what the units were made with.

    Returns:
        (errors (S,), degrees of freedom (S,)), NaN in a group where fewer than two units have weight.

    Source: Bell and McCaffrey, Survey Methodology 28 (2002); Imbens and Kolesár, REStat 98 (2016).
    """
    if units.of_row is None and units.alike:
        n = units.weighted_units
        variance = ratio(units.total(influence**2), n * (n - 1))
        return np.sqrt(variance), np.where(n > 1, n - 1, np.nan)
    return errors_of_sums(units.sums(influence if weight is None else influence * weight), units)


def errors_of_sums(sums: Floats, units: Units) -> tuple[Floats, Floats]:
    """As `clustered_errors`, from the weighted sums of influence values in each unit (U,)."""
    scaled = sums * units.leverage.factor
    error = np.sqrt(units.total(scaled**2))
    return np.where(np.isnan(units.leverage.df), np.nan, error), units.leverage.df


def means_of_sums(sums: Floats, units: Units) -> tuple[Floats, Floats, Floats]:
    """Weighted means (S,) from weighted sums in each unit (U,), with errors and df as from `clustered_errors`."""
    mean = ratio(units.total(sums), units.total(units.size))
    return mean, *errors_of_sums(sums - units.spread(mean) * units.size, units)


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
