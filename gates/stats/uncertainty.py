"""How far estimates may lie from the truth: errors of weighted means in groups of units that may be skewed, or ordered.

An estimate's error follows from its influence values, summed in each unit: a cluster, or a single row. Four things are
allowed for, each from the units themselves:

1. units of unequal size: CR2 with Bell and McCaffrey's degrees of freedom, from the mass that carries the metric;
2. units that follow each other in time and resemble their neighbours: the variance grows by the autocorrelation of a
   first-order process, whose lag 1 is corrected for its bias and taken half a standard error larger than estimated;
3. skew to the side on which a bound errs: Hall's transformation, with a skewness one standard error worse than
   estimated (half of one for ordered units), never better than none;
4. single rows of which a handful carry the skewness: from the level on at which Hall's correction is more than a
   second-order one, there is no bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import scipy
from numpy.typing import NDArray

from lockgate.gates.stats.clusters import Units, t_quantile, t_tail
from lockgate.gates.stats.scored import Codes, Floats, ratio

SLACK_ERRORS = 1.0
"""By how many of its standard errors a skewness is taken to be worse than estimated."""

ORDERED_SLACK_ERRORS = 0.5
"""The same where units are ordered in time: the allowance for dependence is conservative already."""

LAG_ERRORS = 0.5
"""By how many of its standard errors a lag-1 correlation is taken to be higher than estimated."""

MAX_LAG_CORRELATION = 0.9

MAX_LAGS = 40
"""Autocorrelations further apart than this are left out; at the highest correlation they are 1% of the variance."""

MAX_CORRECTION = 0.5
"""The largest second-order correction for skew, in standard errors, with which a bound is still given for rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """What is known of the errors of S estimates.

    error: standard errors (S,); NaN where fewer than two units carry the metric.
    df: their degrees of freedom (S,); infinite for the normal.
    skew: the estimate's skewness (S,), as estimated. slack: how much worse it may be (S,), not negative.
    few: whether a handful of units may carry the skewness, so that beyond some level there is no bound (S,).
    units: how many clusters or rows carry the metric (S,).
    effective: how many units of equal mass would carry as much, 1/Σh² (S,).
    lag_1: the correlation of neighbours in time (S,), NaN where units have no order.
    span: how far apart the values of two rows can be; infinite where nothing limits it.
    """

    error: Floats
    df: Floats
    skew: Floats
    slack: Floats
    few: NDArray[np.bool_]
    units: Floats
    effective: Floats
    lag_1: Floats
    span: float = math.inf

    @classmethod
    def of_normal(cls, error: Floats) -> Self:
        """Errors (S,) of estimates that are normal, of independent rows."""
        none = np.zeros_like(error)
        endless, unknown = np.full_like(error, np.inf), np.full_like(error, np.nan)
        return cls(
            error=error,
            df=endless,
            skew=none,
            slack=none,
            few=np.zeros(error.shape, dtype=bool),
            units=endless,
            effective=endless,
            lag_1=unknown,
        )

    def reach(self, level: float) -> tuple[Floats, Floats]:
        """How far below and above the estimate its bounds lie, each at one-sided `level` (S,).

        Infinite where a handful of rows carries the skewness; NaN where `error` is.
        """
        return self._reach_of_skew(level, self._skew_low), self._reach_of_skew(level, self._skew_high)

    def critical(self, level: float) -> tuple[Floats, Floats]:
        """How many errors below and above the estimate its bounds lie (S,); infinite where `reach` needs a span."""
        quantile = t_quantile(level, self.df)
        low, high = (
            np.where(self._is_distrusted(level, skew), np.inf, invert_hall(quantile, skew))
            for skew in (self._skew_low, self._skew_high)
        )
        return low, high

    def p_above(self, distance: Floats) -> Floats:
        """One-sided p of a truth that lies `distance` below its estimate (S,); it agrees with the low bound."""
        return self._p(distance, self._skew_low)

    def p_below(self, distance: Floats) -> Floats:
        """One-sided p of a truth that lies `distance` above its estimate (S,); it agrees with the high bound."""
        return self._p(distance, self._skew_high)

    def of_groups(self, groups: Codes) -> Self:
        """The uncertainty of some of the estimates, by their numbers (K,)."""
        arrays = ("error", "df", "skew", "slack", "few", "units", "effective", "lag_1")
        return replace(self, **{name: getattr(self, name)[groups] for name in arrays})

    def on_scale(self, bend: Floats) -> Self:
        """The same for a function of the estimate with second by first derivative `bend` (S,); errors stay as they are.

        To second order, the skewness grows by three times the error times `bend`.
        """
        return replace(self, skew=self.skew + 3 * np.nan_to_num(self.error * bend))

    def scale_error(self, factor: Floats | float) -> Self:
        """The same with errors multiplied by a factor (S,)."""
        return replace(self, error=self.error * factor)

    def on_sample(self, times: float) -> Self:
        """The same for a sample that is `times` as large: what is planned with."""
        return replace(
            self,
            error=self.error / math.sqrt(times),
            df=self.df * times,
            skew=self.skew / math.sqrt(times),
            slack=self.slack / times,
            units=self.units * times,
            effective=self.effective * times,
        )

    @property
    def _skew_low(self) -> Floats:
        return np.minimum(self.skew - self.slack, 0.0)

    @property
    def _skew_high(self) -> Floats:
        return np.minimum(-self.skew - self.slack, 0.0)

    def _reach_of_skew(self, level: float, skew: Floats) -> Floats:
        reach = self.error * invert_hall(t_quantile(level, self.df), skew)
        distrusted = self._is_distrusted(level, skew)
        return np.where(distrusted, np.maximum(self._reach_of_span(level), reach), reach)

    def _is_distrusted(self, level: float, skew: Floats) -> NDArray[np.bool_]:
        """Whether a handful of rows carries too much skewness for Hall's correction at this level (S,)."""
        largest = _largest_trusted(float(scipy.special.ndtri(level)))
        return self.few & (-skew > largest) & ~np.isnan(self.df)

    def _p(self, distance: Floats, skew: Floats) -> Floats:
        moving = self.error > 0
        statistic = np.divide(distance, self.error, out=np.zeros_like(self.error), where=moving)
        tail = t_tail(transform_hall(statistic, skew), self.df)
        if np.any(self.few):
            smallest = scipy.special.ndtr(-_largest_quantile(-skew))
            of_span = np.minimum(self._p_of_span(distance), smallest)
            tail = np.where(self.few & (tail < smallest), np.maximum(tail, of_span), tail)
        return np.where(moving | np.isnan(self.error), tail, np.where(distance > 0, 0.0, 1.0))

    def _reach_of_span(self, level: float) -> Floats | float:
        """Maurer and Pontil's bound for values that are at most `span` apart; infinite without one."""
        if math.isinf(self.span):
            return math.inf
        log = math.log(2 / (1 - level))
        reach: Floats = math.sqrt(2 * log) * self.error + 7 * self.span * log / (3 * np.maximum(self.units - 1, 1))
        return reach

    def _p_of_span(self, distance: Floats) -> Floats:
        """The p that `_reach_of_span` inverts; 1 without a span."""
        if math.isinf(self.span):
            return np.ones_like(distance)
        slope, square = math.sqrt(2) * self.error, 7 * self.span / (3 * np.maximum(self.units - 1, 1))
        root = (np.sqrt(slope**2 + 4 * square * np.maximum(distance, 0.0)) - slope) / (2 * square)
        p: Floats = np.minimum(2 * np.exp(-(root * root)), 1.0)
        return p


def measure_sums(sums: Floats, units: Units) -> Uncertainty:
    """The uncertainty of estimates from the sums of their influence values in each unit.

    Args:
        sums: float64 (U,), weighted sums of influence values, which add up to 0 in each group.
        units: `size` is the mass that carries the metric; their order is that of time if they are `ordered`.

    Sources: Bell and McCaffrey, Survey Methodology 28 (2002); Hall, JRSS B 54 (1992), for the transformation; Marriott
    and Pope, Biometrika 41 (1954), for the bias of a lag-1 correlation.
    """
    scaled = sums * units.leverage.factor
    variance = units.total(scaled * scaled)
    df = units.leverage.df
    lag_1 = np.full_like(variance, np.nan)
    if units.ordered:
        lag_1, inflation, kept = _measure_dependence(scaled, units)
        variance = variance * inflation
        df = np.maximum(df * kept, 1.0)
    skew, slack = _measure_skew(sums, units)
    return Uncertainty(
        error=np.where(np.isnan(units.leverage.df), np.nan, np.sqrt(variance)),
        df=df,
        skew=skew,
        slack=slack,
        few=np.full(variance.shape, units.of_row is None),
        units=units.weighted_units,
        effective=units.effective,
        lag_1=lag_1,
    )


def measure_influence(influence: Floats, units: Units, *, weight: Floats | None) -> Uncertainty:
    """The uncertainty of estimates from their influence values.

    Copies of a row equal a weight if they share a cluster. Rows without clusters are units of their own: without
    weights, the error is then sd/√n with n − 1 degrees of freedom.

    Args:
        influence: float64 (n,), with weighted mean 0 in each group.
        weight: float64 (n,), what the units were made with.
    """
    if units.of_row is not None or not units.alike:
        return measure_sums(units.sums(influence if weight is None else influence * weight), units)
    n = units.weighted_units
    square = influence * influence
    squares = units.total(square)
    square *= influence
    return Uncertainty(
        error=np.where(n > 1, np.sqrt(ratio(squares, n * (n - 1))), np.nan),
        df=np.where(n > 1, n - 1, np.nan),
        skew=np.nan_to_num(ratio(units.total(square), squares**1.5)),
        slack=np.nan_to_num(np.sqrt(6.0) * ratio(np.ones_like(n), n)),
        few=np.full(n.shape, True),
        units=n,
        effective=n,
        lag_1=np.full_like(n, np.nan),
    )


def measure_means(sums: Floats, units: Units) -> tuple[Floats, Uncertainty]:
    """Weighted means (S,) from weighted sums in each unit (U,), and their uncertainty."""
    mean = ratio(units.total(sums), units.total(units.size))
    return mean, measure_sums(sums - units.spread(mean) * units.size, units)


def transform_hall(statistic: Floats, skew: Floats) -> Floats:
    """Hall's monotone transformation of a studentised mean whose skewness is `skew` <= 0; never above the statistic.

    T = ((1 + k t/3)³ − 1)/k + k/6, with k the skewness of the mean.
    """
    bent = skew < -_NO_SKEW
    k = np.where(bent, skew, -1.0)
    return np.where(bent, np.minimum(((1 + k * statistic / 3) ** 3 - 1) / k + k / 6, statistic), statistic)


def invert_hall(quantile: Floats, skew: Floats) -> Floats:
    """The smallest statistic that `transform_hall` takes to `quantile`: the critical value of the statistic."""
    bent = skew < -_NO_SKEW
    k = np.where(bent, skew, -1.0)
    return np.where(bent, np.maximum(3 / k * (np.cbrt(1 + k * (quantile - k / 6)) - 1), quantile), quantile)


_NO_SKEW = 1e-8


def _largest_trusted(quantile: float) -> float:
    """The largest skewness k with which rows still get a bound at a normal quantile z: k (1 + 2z²)/6 <= ½."""
    return 6 * MAX_CORRECTION / (1 + 2 * quantile * quantile)


def _largest_quantile(skew: Floats) -> Floats:
    """The inverse of `_largest_trusted` (S,)."""
    return np.sqrt(np.maximum((6 * MAX_CORRECTION / np.maximum(skew, 1e-300) - 1) / 2, 0.0))


def _measure_skew(sums: Floats, units: Units) -> tuple[Floats, Floats]:
    """Skewness of the estimates (S,), from the skewness of the units' own means, and its slack (S,)."""
    rows = units.rows
    live = rows > 0
    means = np.divide(sums, rows, out=np.zeros_like(sums), where=live)
    count = units.with_rows
    means -= units.spread(ratio(units.total(means), count))
    means *= live
    square = means * means
    squares = units.total(square)
    square *= means
    skewness = ratio(units.total(square) * np.sqrt(count), squares**1.5)
    shape = units.size_skew
    # the standard error of a normal sample's skewness: Fisher, Proceedings of the London Mathematical Society 30 (1930)
    slack = np.sqrt(6 * np.maximum(count - 2, 1) / ((count + 1) * (count + 3)))
    slack *= ORDERED_SLACK_ERRORS if units.ordered else SLACK_ERRORS
    return np.nan_to_num(skewness * shape), np.nan_to_num(slack * shape)


def _measure_dependence(scaled: Floats, units: Units) -> tuple[Floats, Floats, Floats]:
    """Lag-1 correlations of the units in time (S,), what the variance grows by, and what is left of the df."""
    live = np.flatnonzero(units.rows > 0)
    rows = units.rows[live]
    group = None if units.group is None else units.group[live]
    count = units.with_rows
    root = np.sqrt(rows)
    z = scaled[live] / root

    def pair(values: Floats, lag: int) -> Floats:
        products = values[lag:] * values[:-lag]
        if group is None:
            return np.array([products.sum()])
        first = group[:-lag]
        products *= first == group[lag:]
        return _sums(first, products, units.groups)

    whole = np.array([(z * z).sum()]) if group is None else _sums(group, z * z, units.groups)
    enough = count > 4
    safe = np.where(enough, count, 5.0)
    lag_1 = np.where(enough, (safe * np.nan_to_num(ratio(pair(z, 1), whole)) + 1) / (safe - 4), MAX_LAG_CORRELATION)
    lag_1 = np.clip(lag_1, -1.0, 1.0)
    margin = np.sqrt(np.maximum(1 - np.clip(lag_1, 0, 1) ** 2, 0.05) / np.maximum(count, 1))
    high = np.clip(lag_1 + LAG_ERRORS * margin, 0.0, MAX_LAG_CORRELATION)
    inflation, total = np.ones_like(high), units.total(units.rows)
    largest = float(high.max(initial=0.0))
    for lag in range(1, min(int(count.max(initial=0.0)), MAX_LAGS)):
        if largest**lag < _NEGLIGIBLE:
            break
        inflation += 2 * high**lag * np.nan_to_num(ratio(pair(root, lag), total))
    inflation /= np.maximum(1 - (inflation - 1) / np.maximum(count, 1), 0.2)
    return np.where(enough, lag_1, np.nan), inflation, (1 - high**2) / (2 + high**2)


_NEGLIGIBLE = 1e-5


def _sums(code: Codes, values: Floats, groups: int) -> Floats:
    return np.bincount(code, weights=values, minlength=groups).astype(np.float64, copy=False)
