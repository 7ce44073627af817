"""Quantiles of values, in groups of rows, and bounds for them. The values are the scores of `Scored`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from lockgate.gates.stats.clusters import Units, clustered_errors, t_quantile
from lockgate.gates.stats.scored import Codes, Floats, Linear, Scored

Bounds = Callable[[float], tuple[Floats, Floats]]


def lowered(value: Floats, bounds: Bounds, *, least: float) -> Bounds:
    """The bounds of `value` (S,), the low one so much further away as Smirnov's is than that of one difference.

    The largest of many differences is too high on average. Smirnov's bound, √(−ln(1 − level)/2) times √(1/P + 1/N),
    holds for all at once; for one at its widest it is half the normal quantile times that. No low bound is below
    `least`; levels are above ½. Source: Smirnov, Annals of Mathematical Statistics 19 (1948).
    """

    def further(level: float) -> tuple[Floats, Floats]:
        low, high = bounds(level)
        factor = np.sqrt(-np.log1p(-level) / 2) / (scipy.special.ndtri(level) / 2)
        return np.maximum(least, value - (value - low) * factor), high

    return further


CLOSE = 1e-12
"""Shares this close to the one asked for count as equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Values that have weight, by group, then ascending: m of n rows, S groups.

    rows: the row of each (m,). values: float64 (m,). upto: which share of its group's weight each and those before
    it have (m,). starts, count: where each group starts and how many values it has (S,).
    """

    rows: Codes
    values: Floats
    upto: Floats
    starts: Codes
    count: Codes

    @classmethod
    def of(cls, scored: Scored) -> Sorted:
        rows, weight = scored.order, scored.weight
        if weight is not None:
            rows = rows[weight[rows] > 0]
        count = (
            np.array([rows.size]) if scored.code is None else np.bincount(scored.code[rows], minlength=scored.groups)
        )
        starts = np.cumsum(count) - count
        if weight is None:
            upto = (np.arange(rows.size) - np.repeat(starts, count) + 1) / np.repeat(count, count)
        else:
            summed = np.append(0.0, np.cumsum(weight[rows]))
            before, mass = summed[starts], summed[starts + count] - summed[starts]
            upto = (summed[1:] - np.repeat(before, count)) / np.repeat(mass, count)
        return cls(rows=rows, values=scored.score[rows], upto=upto, starts=starts, count=count)

    def quantile(self, q: Floats | float) -> Floats:
        """The averaged inverted distribution function at `q`, one number or (S,) → (S,); NaN for an empty group.

        The lowest value that reaches a share of q; where one has just that share, the mean of it and the next.
        """
        asked = np.broadcast_to(np.asarray(q, dtype=np.float64), self.count.shape)
        return (self.at(self._fewer(asked - CLOSE)) + self.at(self._fewer(asked + CLOSE))) / 2

    def at(self, place: Codes) -> Floats:
        """The value at a place 0 … of each group, the last one beyond it (S,); NaN for an empty group."""
        where = self.starts + np.clip(place, 0, np.maximum(self.count - 1, 0))
        return np.where(self.count > 0, np.append(self.values, np.nan)[where], np.nan)

    def _fewer(self, share: Floats) -> Codes:
        """How many values of each group reach less than a share of it (S,)."""
        below = np.append(0, np.cumsum(self.upto < np.repeat(share, self.count)))
        return np.asarray(below[self.starts + self.count] - below[self.starts])


def quantile(scored: Scored, q: float) -> Linear:
    """The q-quantile of each group (S,). At q = ½ it is scikit-learn's median, with weights too.

    The influence is (q − [value <= quantile]) over the density of the values there, which is estimated from the
    distance of two quantiles around it, Hall and Sheather's bandwidth apart.
    Source: Koenker, Quantile Regression, sections 3.4 and 4.10.
    """
    held = Sorted.of(scored)
    found = held.quantile(q)
    low, high = _around(q, held.count)
    sparsity = (held.quantile(high) - held.quantile(low)) / (high - low)
    return Linear(found, _excess(scored, found) * scored.spread(sparsity))


def _excess(scored: Scored, found: Floats) -> Floats:
    """The share of each row's group at or below the quantile found (S,), minus whether the row is (n,)."""
    below = (scored.score <= scored.spread(found)).astype(np.float64)
    return np.asarray(scored.spread(scored.mean(below)) - below)


def _around(q: float, count: Codes) -> tuple[Floats, Floats]:
    """Where the density at the q-quantile is estimated from so many values: (S,), (S,) in 0 … 1."""
    x = scipy.special.ndtri(q)
    shape = 1.5 * (np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)) ** 2 / (2 * x**2 + 1)
    width = np.maximum(count, 1.0) ** (-1 / 3) * scipy.special.ndtri(0.975) ** (2 / 3) * shape ** (1 / 3)
    return np.maximum(q - width, 0.0), np.minimum(q + width, 1.0)


def order_bounds(held: Sorted, q: float, *, level: float) -> tuple[Floats, Floats]:
    """Order statistics between which the q-quantile lies, each at one-sided `level`, for independent rows (S,).

    Exact: they hold with probability `level` or more, whatever the distribution. NaN in a group with too few rows
    for both. Source: Conover, Practical Nonparametric Statistics, section 3.2.
    """
    n = held.count.astype(np.float64)
    below, above = _binomial_quantile(1 - level, n, q) - 1, _binomial_quantile(level, n, q)
    shown = (below >= 0) & (above < n)
    low, high = (held.at(np.where(shown, at, 0).astype(np.intp)) for at in (below, above))
    return np.where(shown, low, np.nan), np.where(shown, high, np.nan)


def _binomial_quantile(p: float, n: Floats, q: float) -> Floats:
    """The least k with P(Bin(n, q) <= k) >= p (S,)."""
    some = np.maximum(n, 1.0)
    found = np.ceil(scipy.special.bdtrik(p, some, q))
    lower = np.maximum(found - 1, 0.0)
    return np.asarray(np.where(scipy.special.bdtr(lower, some.astype(np.int64), q) >= p, lower, found))


def woodruff_bounds(
    scored: Scored, held: Sorted, q: float, *, units: Units
) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of the q-quantile of rows with weights or in clusters: level → (low (S,), high (S,)).

    The share of rows at or below the quantile has a standard error; the bounds are the quantiles at q ± t of it.
    NaN in a group where those leave 0 … 1, or where no error can be shown. Source: Woodruff, JASA 47 (1952).
    """
    error, df = clustered_errors(_excess(scored, held.quantile(q)), units, weight=scored.weight)

    def bounds(level: float) -> tuple[Floats, Floats]:
        half = t_quantile(level, df) * error
        shown = (q - half > 0) & (q + half < 1)
        low, high = (held.quantile(np.where(shown, at, q)) for at in (q - half, q + half))
        return np.where(shown, low, np.nan), np.where(shown, high, np.nan)

    return bounds
