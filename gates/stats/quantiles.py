"""Quantiles of values in groups of rows, and bounds for them. The values are the scores of `Scored`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.scored import Codes, Floats, Linear, Scored
from lockgate.gates.stats.uncertainty import measure_influence

Bounds = Callable[[float], tuple[Floats, Floats]]

SHARE_TOLERANCE = 1e-12
"""Shares of weight that differ by less than this count as equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedValues:
    """Values of the rows that have weight, by group, then ascending: m of n rows, S groups.

    rows: the row of each value (m,). values: float64 (m,). share_upto: the share of its group's weight that has this
    value or comes before it (m,). starts, count: where each group starts and how many values it has (S,).
    """

    rows: Codes
    values: Floats
    share_upto: Floats
    starts: Codes
    count: Codes

    @classmethod
    def of(cls, scored: Scored) -> SortedValues:
        rows, weight = scored.order, scored.weight
        if weight is not None:
            rows = rows[weight[rows] > 0]
        count = (
            np.array([rows.size]) if scored.code is None else np.bincount(scored.code[rows], minlength=scored.groups)
        )
        starts = np.cumsum(count) - count
        if weight is None:
            share_upto = (np.arange(rows.size) - np.repeat(starts, count) + 1) / np.repeat(count, count)
        else:
            summed = np.append(0.0, np.cumsum(weight[rows]))
            before, mass = summed[starts], summed[starts + count] - summed[starts]
            share_upto = (summed[1:] - np.repeat(before, count)) / np.repeat(mass, count)
        return cls(rows=rows, values=scored.score[rows], share_upto=share_upto, starts=starts, count=count)

    def quantile(self, q: Floats | float) -> Floats:
        """The averaged inverted distribution function at `q`, one number or (S,) → (S,); NaN for an empty group.

        That is the lowest value that reaches a share of q, or the mean of it and the next if it reaches exactly q.
        """
        share = np.broadcast_to(np.asarray(q, dtype=np.float64), self.count.shape)
        return (
            self.value_at(self._count_below(share - SHARE_TOLERANCE))
            + self.value_at(self._count_below(share + SHARE_TOLERANCE))
        ) / 2

    def value_at(self, place: Codes) -> Floats:
        """The value at a place 0 … of each group, its last value beyond that (S,); NaN for an empty group."""
        where = self.starts + np.clip(place, 0, np.maximum(self.count - 1, 0))
        return np.where(self.count > 0, np.append(self.values, np.nan)[where], np.nan)

    def _count_below(self, share: Floats) -> Codes:
        """How many values of each group come before a share of its weight (S,)."""
        below = np.append(0, np.cumsum(self.share_upto < np.repeat(share, self.count)))
        return np.asarray(below[self.starts + self.count] - below[self.starts])


def quantile(scored: Scored, q: float) -> Linear:
    """The q-quantile of each group (S,). At q = ½ it is scikit-learn's median, with weights too.

    The influence is (q − [value <= quantile]) divided by the density of the values at the quantile. That density is
    estimated from the distance between two quantiles around it, with Hall and Sheather's bandwidth.
    Source: Koenker, Quantile Regression, sections 3.4 and 4.10.
    """
    ordered = SortedValues.of(scored)
    value = ordered.quantile(q)
    low, high = _around(q, ordered.count)
    sparsity = (ordered.quantile(high) - ordered.quantile(low)) / (high - low)
    return Linear(value, _excess(scored, value) * scored.spread(sparsity))


def _excess(scored: Scored, quantiles: Floats) -> Floats:
    """The share of each row's group at or below its quantile (S,), minus 1 if the row itself is (n,)."""
    below = (scored.score <= scored.spread(quantiles)).astype(np.float64)
    return np.asarray(scored.spread(scored.mean(below)) - below)


def _around(q: float, count: Codes) -> tuple[Floats, Floats]:
    """The shares below and above q between which the density is estimated, from so many values: (S,), (S,) in 0 … 1."""
    x = scipy.special.ndtri(q)
    shape = 1.5 * (np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)) ** 2 / (2 * x**2 + 1)
    width = np.maximum(count, 1.0) ** (-1 / 3) * scipy.special.ndtri(0.975) ** (2 / 3) * shape ** (1 / 3)
    return np.maximum(q - width, 0.0), np.minimum(q + width, 1.0)


def order_bounds(ordered: SortedValues, q: float, *, level: float) -> tuple[Floats, Floats]:
    """Order statistics between which the q-quantile lies, each at one-sided `level`, for independent rows (S,).

    They are exact: each holds with probability `level` or more, whatever the distribution. NaN in a group with too few
    rows for both. Source: Conover, Practical Nonparametric Statistics, section 3.2.
    """
    n = ordered.count.astype(np.float64)
    below, above = _binomial_quantile(1 - level, n, q) - 1, _binomial_quantile(level, n, q)
    in_sample = (below >= 0) & (above < n)
    low, high = (ordered.value_at(np.where(in_sample, place, 0).astype(np.intp)) for place in (below, above))
    return np.where(in_sample, low, np.nan), np.where(in_sample, high, np.nan)


def _binomial_quantile(p: float, n: Floats, q: float) -> Floats:
    """The smallest k with P(Bin(n, q) <= k) >= p (S,)."""
    rows = np.maximum(n, 1.0)
    count = np.ceil(scipy.special.bdtrik(p, rows, q))
    lower = np.maximum(count - 1, 0.0)
    return np.asarray(np.where(scipy.special.bdtr(lower, rows.astype(np.int64), q) >= p, lower, count))


def woodruff_bounds(
    scored: Scored, ordered: SortedValues, q: float, *, units: Units
) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of the q-quantile of rows with weights or in clusters: level → (low (S,), high (S,)).

    The bounds are the quantiles at q ± t times the standard error of the share of rows at or below the quantile. NaN in
    a group where these shares leave 0 … 1, or where the error is unknown. Source: Woodruff, JASA 47 (1952).
    """
    uncertainty = measure_influence(_excess(scored, ordered.quantile(q)), units, weight=scored.weight)

    def bounds(level: float) -> tuple[Floats, Floats]:
        below, above = uncertainty.reach(level)  # `_excess` falls as the share below the quantile grows
        inside = (q - below > 0) & (q + above < 1)
        low, high = (ordered.quantile(np.where(inside, share, q)) for share in (q - below, q + above))
        return np.where(inside, low, np.nan), np.where(inside, high, np.nan)

    return bounds


def widen_low_bound(value: Floats, bounds: Bounds, *, floor: float) -> Bounds:
    """The bounds of `value` (S,), the largest of many differences, with the low one widened as in Smirnov's bound.

    The largest of many differences is too high on average. Smirnov's bound, √(−ln(1 − level)/2) times √(1/P + 1/N),
    holds for all differences at once; that of a single one is at most half the normal quantile times √(1/P + 1/N). The
    low bound moves away from the value by the ratio of the two, but not below `floor`. Levels are above ½.

    Source: Smirnov, Annals of Mathematical Statistics 19 (1948).
    """

    def bounds_at(level: float) -> tuple[Floats, Floats]:
        low, high = bounds(level)
        factor = np.sqrt(-np.log1p(-level) / 2) / (scipy.special.ndtri(level) / 2)
        return np.maximum(floor, value - (value - low) * factor), high

    return bounds_at
