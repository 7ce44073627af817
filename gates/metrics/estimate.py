"""From a metric and scored rows to estimates with bounds for each group, of one model or of challenger − champion.

Which method is used for which metric:

| metric | without weights and clusters | with weights or clusters |
|---|---|---|
| auc, one model | DeLong on the logit scale, t of Welch | linearised on the logit scale, t |
| auc, difference | paired DeLong, t of Welch | linearised, t |
| a share of hits, one model | Wilson | linearised, t |
| a share of hits, difference | Tango's score interval; exact McNemar p at margin 0 | linearised, t |
| a quantile, one model | order statistics | Woodruff's, t |
| a quantile, difference | Poisson bootstrap over rows, t | over clusters, t |
| ks, one model | as everything else, low bound widened as Smirnov's | linearised, t; likewise |
| ece, one model | linearised, t with n − 1, cut at the ends of its range | linearised, t; likewise |
| everything else, one model | linearised, t with n − 1, on the scale of its range | linearised, t; likewise |
| everything else, difference | linearised, t with n − 1 | linearised, t |

If a weighted or clustered share does not vary at all, each cluster (or row) counts as one trial instead.
The scale of a range is the logit between two ends and the logarithm beside a single one
(`lockgate.gates.metrics.scale`). "Linearised" is CR2 with Bell and McCaffrey's degrees of freedom, from the rows that
carry the metric, and allows for skew, and for the order of clusters in time (`lockgate.gates.stats.uncertainty`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy

from lockgate.gates.metrics import area, quantile
from lockgate.gates.metrics.information import Informations
from lockgate.gates.metrics.metric import Hits, Metric, linear_share
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.metrics.scale import Scale
from lockgate.gates.records.outcome import Information
from lockgate.gates.stats import proportions
from lockgate.gates.stats.quantiles import widen_low_bound
from lockgate.gates.stats.scored import TOLERANCE, Floats, Linear, Scored, ratio
from lockgate.gates.stats.uncertainty import Uncertainty, measure_influence, measure_means

FloatsPair = tuple[Floats, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its bounds.

    `bounds(level)` returns (low, high), each at one-sided `level`, or None if the rows are too few for a standard
    error. A bound that the rows cannot give, because a handful of them carries the skewness, is infinite.
    """

    value: float
    bounds: Callable[[float], tuple[float, float] | None]
    information: Information


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Estimate):
    """challenger − champion, as the metric is written.

    `p_gain(margin)` is the one-sided p-value for a gain (positive is better) above `margin`, `p_harm(margin)` that for
    a gain below it. None if the rows are too few for a standard error.
    """

    p_gain: Callable[[float], float | None]
    p_harm: Callable[[float], float | None]
    exact: bool = False  # whether p comes from an exact test rather than from the interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """One number for each of S groups; NaN where it is undefined. Bounds are NaN where no standard error is known."""

    value: Floats
    bounds: Callable[[float], FloatsPair]
    information: Informations

    def of_group(self, group: int = 0) -> Estimate:
        """The estimate of one group."""
        return Estimate(
            value=float(self.value[group]),
            bounds=lambda level: _pair(self.bounds(level), group),
            information=self.information.of_group(group),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences(Estimates):
    """challenger − champion for each of S groups; `p_gain` and `p_harm` as in `Difference`, NaN where unknown."""

    p_gain: Callable[[float], Floats]
    p_harm: Callable[[float], Floats]
    exact: bool = False

    def of_group(self, group: int = 0) -> Difference:
        """The difference in one group."""
        return Difference(
            value=float(self.value[group]),
            bounds=lambda level: _pair(self.bounds(level), group),
            p_gain=lambda margin: _number(self.p_gain(margin), group),
            p_harm=lambda margin: _number(self.p_harm(margin), group),
            exact=self.exact,
            information=self.information.of_group(group),
        )


def _pair(bounds: FloatsPair, group: int) -> tuple[float, float] | None:
    low, high = float(bounds[0][group]), float(bounds[1][group])
    return None if np.isnan(low) or np.isnan(high) else (low, high)


def _number(values: Floats, group: int) -> float | None:
    return None if np.isnan(values[group]) else float(values[group])


def estimate_metric(metric: Metric, split: GroupedRows) -> Estimates:
    """The metric of the challenger in each group."""
    if metric.hits is not None:
        return estimate_hits(metric.hits(split.rows.label, split.rows.challenger), split, metric)
    linear = split.linear(metric)
    uncertainty = measure_uncertainty(metric, linear, split)
    information = Informations.of(split, metric, uncertainty)
    if metric.quantile is not None:
        return Estimates(
            value=linear.value, bounds=quantile.quantile_bounds(metric.quantile, split), information=information
        )
    trials, carried = _trials(split), split.class_rows(metric)
    if carried is not None and metric.carriers is not None and metric.carriers.alone:
        trials = np.minimum(trials, carried)
    if metric.method == "delong":
        bounds = area.logit_bounds(linear.value, uncertainty, trials)
        return Estimates(value=linear.value, bounds=bounds, information=information)
    plain = _estimate(
        linear.value,
        uncertainty,
        split,
        information=information,
        low=metric.low,
        high=metric.high,
        trials=trials,
        symmetric=metric.symmetric,
    )
    if metric.method == "supremum":
        return replace(plain, bounds=widen_low_bound(plain.value, plain.bounds, floor=metric.low))
    return plain


def estimate_hits(hits: Hits, split: GroupedRows, metric: Metric | None = None) -> Estimates:
    """A share of hits in each group: Wilson's interval, or linearised if rows have weights or clusters."""
    scored = split.scored_by("challenger")
    if split.rows.plain:
        won, n = count_hits(hits, scored)
        return Estimates(
            value=ratio(won, n),
            bounds=lambda level: proportions.wilson(won, n, level=level),
            information=Informations.of(split, metric),
        )
    linear = linear_share(hits, scored)
    units = split.units if metric is None else split.carrying_units(metric)
    uncertainty = measure_influence(linear.influence, units, weight=split.rows.weight)
    return _estimate(
        linear.value,
        uncertainty,
        split,
        information=Informations.of(split, metric, uncertainty),
        low=0.0,
        high=1.0,
        share=True,
    )


def count_hits(hits: Hits, scored: Scored) -> FloatsPair:
    """The hits in each group, and the rows that they are a share of: (S,), (S,)."""
    if hits.among is None:
        return scored.total(hits.hit), scored.mass
    among = hits.among.astype(np.float64)
    return scored.total(hits.hit * among), scored.total(among)


def estimate_linear(linear: Linear, split: GroupedRows, *, low: float = -np.inf, high: float = np.inf) -> Estimates:
    """Estimates from influence values of all rows, with bounds inside `low` … `high`."""
    uncertainty = measure_influence(linear.influence, split.units, weight=split.rows.weight)
    information = Informations.of(split, None, uncertainty)
    return _estimate(linear.value, uncertainty, split, information=information, low=low, high=high)


def _estimate(
    value: Floats,
    uncertainty: Uncertainty,
    split: GroupedRows,
    *,
    information: Informations,
    low: float,
    high: float,
    share: bool = False,
    trials: Floats | None = None,
    symmetric: bool = False,
) -> Estimates:
    """Estimates with bounds inside `low` … `high` from a scale without ends (`Scale`).

    Args:
        share: whether the value is a share. If it does not vary at all, each cluster (or row) counts as one trial: no
            variation among a dozen of them does not prove that there is none.
        trials: how many rows the value rests on (S,). A value at an end of its range without error then gets Clopper
            and Pearson's bound for a rate that was 0 in so many trials.
        symmetric: bounds are value ± half, cut at the ends of the range.
    """
    scale, error = Scale(low=low, high=high), uncertainty.error
    on_scale = uncertainty if symmetric else uncertainty.on_scale(scale.bend(value))

    def bounds(level: float) -> FloatsPair:
        reach = on_scale.reach(level)
        below, above = scale.within(value, *reach) if symmetric else scale.around(value, *reach)
        if share and np.any(error <= TOLERANCE):
            alike = _trials(split)
            by_trial = proportions.wilson(value * alike, alike, level=level)
            below, above = (np.where(error <= TOLERANCE, *both) for both in zip(by_trial, (below, above), strict=True))
        if trials is not None and np.isfinite(high - low):
            still, width = error <= TOLERANCE, (high - low) * (1 - (1 - level) ** (1 / np.maximum(trials, 1)))
            below = np.where(still & (value >= high - TOLERANCE), high - width, below)
            above = np.where(still & (value <= low + TOLERANCE), low + width, above)
        return below, above

    return Estimates(value=value, bounds=bounds, information=information)


def estimate_differences(metric: Metric, split: GroupedRows) -> Differences:
    """challenger − champion in each group, on the same rows. Raises ValueError if there is no champion."""
    split.rows.scores("champion")
    if metric.hits is not None and split.rows.plain:
        changed, groups = split.rows.changed_hits(metric.name, metric.hits), split.groups
        n = split.n if changed.among is None else split.scored_by("challenger").total(changed.among.astype(np.float64))
        counts = changed.sums(groups.code, groups.count)
        return _paired_shares(*counts, n, sign=metric.gain(1.0), information=Informations.of(split, metric))
    value, uncertainty = measure_difference(metric, split)
    information = Informations.of(split, metric, uncertainty, paired=True)
    linear = estimate_difference(value, uncertainty, sign=metric.gain(1.0), information=information)
    still = uncertainty.error <= TOLERANCE
    if metric.hits is None or not np.any(still):
        return linear
    trials = _trials(split)
    counted_as = _paired_shares(
        np.maximum(value, 0.0) * trials,
        np.maximum(-value, 0.0) * trials,
        trials,
        sign=metric.gain(1.0),
        exact=False,
        information=information,
    )
    return Differences(
        value=value,
        bounds=lambda level: (
            np.where(still, counted_as.bounds(level)[0], linear.bounds(level)[0]),
            np.where(still, counted_as.bounds(level)[1], linear.bounds(level)[1]),
        ),
        p_gain=lambda margin: np.where(still, counted_as.p_gain(margin), linear.p_gain(margin)),
        p_harm=lambda margin: np.where(still, counted_as.p_harm(margin), linear.p_harm(margin)),
        information=information,
    )


def estimate_difference(
    value: Floats, uncertainty: Uncertainty, *, sign: float, information: Informations
) -> Differences:
    """Differences from their uncertainty: `sign` is 1 where higher is better, −1 where lower is.

    A difference that is the same in every row shows no spread, which does not prove that there is none: it has no
    bounds, unless it is 0, as between models with the same scores.
    """
    rigid = (uncertainty.error <= TOLERANCE * np.abs(value)) & (np.abs(value) > TOLERANCE)  # but for rounding

    def p(margin: float, side: float) -> Floats:
        excess = side * (sign * value - margin)
        excess = np.where(np.abs(excess) <= TOLERANCE, 0.0, excess)  # rounding must not decide at the limit
        tail = uncertainty.p_above(excess) if side * sign > 0 else uncertainty.p_below(excess)
        return np.where(rigid & (side > 0), 1.0, tail)  # no gain is proven without spread; harm that all rows show is

    def bounds(level: float) -> FloatsPair:
        below, above = uncertainty.reach(level)
        return value - np.where(rigid, np.inf, below), value + np.where(rigid, np.inf, above)

    return Differences(
        value=value,
        bounds=bounds,
        p_gain=lambda margin: p(margin, 1.0),
        p_harm=lambda margin: p(margin, -1.0),
        information=information,
    )


def measure_difference(metric: Metric, split: GroupedRows) -> tuple[Floats, Uncertainty]:
    """challenger − champion of a metric in each group (S,), and its uncertainty."""
    if metric.quantile is not None:
        return quantile.quantile_difference(metric.quantile, split)
    if metric.method == "delong" and split.rows.weight is None:
        return area.paired_difference(metric, split)
    units = split.carrying_units(metric, paired=True)
    if split.units.of_row is not None and (sums := split.paired_difference_sums(metric)) is not None:
        value, uncertainty = measure_means(sums, units)
    else:
        difference = split.paired_difference(metric)
        value = difference.value
        uncertainty = measure_uncertainty(metric, difference, split, paired=True)
    if metric.loss is not None and split.rows.plain:
        uncertainty = replace(uncertainty, span=2 * (metric.high - metric.low))
    return value, uncertainty


def measure_uncertainty(metric: Metric, linear: Linear, split: GroupedRows, *, paired: bool = False) -> Uncertainty:
    """The uncertainty of a metric, or of a difference of it, in each group."""
    if metric.method == "delong" and split.rows.plain:
        return area.delong_uncertainty(linear, split)
    return measure_influence(linear.influence, split.carrying_units(metric, paired=paired), weight=split.rows.weight)


def _trials(split: GroupedRows) -> Floats:
    return split.n if split.clusters is None else split.clusters


def _paired_shares(
    won: Floats, lost: Floats, n: Floats, *, sign: float, information: Informations, exact: bool = True
) -> Differences:
    """(won − lost)/n with Tango's score interval. `exact`: at margin 0 McNemar's exact test gives p."""
    gained, harmed = (won, lost) if sign > 0 else (lost, won)

    def p(margin: float, won: Floats, lost: Floats) -> Floats:
        if exact and margin == 0:
            return np.where(n > 0, proportions.mcnemar_p(won, lost), np.nan)
        rows = np.where(n > 0, n, 1.0)
        tail = scipy.special.ndtr(-proportions.tango_statistic(won, lost, rows, difference=np.full_like(rows, margin)))
        return np.where(n > 0, tail, np.nan)

    return Differences(
        value=ratio(won - lost, n),
        bounds=lambda level: proportions.tango(won, lost, n, level=level),
        exact=exact,
        information=information,
        p_gain=lambda margin: p(margin, gained, harmed),
        p_harm=lambda margin: p(-margin, harmed, gained),
    )
