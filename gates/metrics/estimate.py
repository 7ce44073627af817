"""From a metric and scored rows to an estimate with bounds: one model, or challenger − champion.

Which method serves which metric:

| metric | without weights and clusters | with either |
|---|---|---|
| auc, one model | DeLong on the logit scale, z | linearised on the logit scale, t |
| auc, difference | paired DeLong, z | linearised, t |
| accuracy, one model | Wilson | linearised, t |
| accuracy, difference | Tango's score interval; exact McNemar p at margin 0 | linearised, t |
| everything else | linearised, t with n − 1 | linearised, t |

Where weighted or clustered accuracy does not vary at all, clusters (or rows) count as single trials instead.
"Linearised" is CR2 with Bell and McCaffrey's degrees of freedom (`gates.stats.clusters`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gates.metrics import classification
from gates.metrics.metric import Floats, Linear, Metric
from gates.outcome import TOLERANCE
from gates.stats import proportions
from gates.stats.clusters import clustered_error, t_quantile, t_tail

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Scored rows of one task, all arrays (n,) and aligned; `cluster` holds codes 0 … G−1."""

    label: Floats
    challenger: Floats
    champion: Floats | None = None
    weight: Floats | None = None
    cluster: Codes | None = None

    def take(self, index: Codes) -> Rows:
        """The rows at `index`, their clusters numbered anew without gaps."""

        def some(values: Floats | None) -> Floats | None:
            return None if values is None else values[index]

        cluster = None if self.cluster is None else np.unique(self.cluster[index], return_inverse=True)[1]
        return Rows(
            label=self.label[index],
            challenger=self.challenger[index],
            champion=some(self.champion),
            weight=some(self.weight),
            cluster=cluster,
        )

    @property
    def n(self) -> int:
        """How many rows count: one of weight 0 does not."""
        return self.label.size if self.weight is None else int(np.count_nonzero(self.weight))

    @property
    def clusters(self) -> int | None:
        """How many clusters have rows that count; None where rows are not clustered."""
        if self.cluster is None:
            return None
        return int(np.count_nonzero(np.bincount(self.cluster, weights=self.weight)))

    def with_label(self, value: float) -> int:
        """How many rows that count have this label."""
        held = self.label == value
        return int(np.count_nonzero(held if self.weight is None else held & (self.weight > 0)))

    @property
    def plain(self) -> bool:
        return self.weight is None and self.cluster is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number and what is known of its error.

    `bounds(level)` gives (low, high), each at one-sided `level`, or None where the rows cannot show an error.
    """

    value: float
    bounds: Callable[[float], tuple[float, float] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Estimate):
    """challenger − champion, as the metric is written.

    `p_gain(margin)` is the one-sided p that the gain (positive is better) exceeds `margin`;
    `p_harm(margin)` that it falls short of it. None where the rows cannot show an error.
    """

    p_gain: Callable[[float], float | None]
    p_harm: Callable[[float], float | None]
    exact: bool = False  # p comes from an exact test, not from the interval


def estimate(metric: Metric, rows: Rows) -> Estimate:
    """The metric of the challenger on `rows`. The caller has checked that the metric is defined there."""
    linear = metric.linearise(rows.label, rows.challenger, rows.weight)
    value = linear.value
    if metric.method == "proportion" and rows.plain:
        return Estimate(value=value, bounds=lambda level: proportions.wilson(value * rows.n, rows.n, level=level))
    error = _standard_error(metric, linear, rows)
    if metric.method == "delong":
        return Estimate(value=value, bounds=lambda level: _logit_bounds(value, error, rows, level))
    if metric.method == "proportion" and error is not None and error[0] <= TOLERANCE:
        # no variation was seen at all: count clusters (or rows) as single trials
        trials = rows.clusters or rows.n
        return Estimate(value=value, bounds=lambda level: proportions.wilson(value * trials, trials, level=level))

    def bounds(level: float) -> tuple[float, float] | None:
        around = _symmetric(value, error, level)
        return around and (max(metric.low, around[0]), min(metric.high, around[1]))

    return Estimate(value=value, bounds=bounds)


def difference(metric: Metric, rows: Rows) -> Difference:
    """challenger − champion on the same `rows`, which must have a champion."""
    if rows.champion is None:
        raise ValueError("rows without a champion have no difference")
    ours = metric.linearise(rows.label, rows.challenger, rows.weight)
    theirs = metric.linearise(rows.label, rows.champion, rows.weight)
    if metric.method == "proportion" and rows.plain:
        return _paired_proportions(rows.label, rows.challenger, rows.champion)
    paired = Linear(ours.value - theirs.value, ours.influence - theirs.influence)
    error = _standard_error(metric, paired, rows)
    if metric.method == "proportion" and error is not None and error[0] <= TOLERANCE:
        return _paired_trials(paired.value, rows.clusters or rows.n)

    def p(margin: float, sign: float) -> float | None:
        if error is None:
            return None
        excess = sign * (metric.gain(paired.value) - margin)
        if abs(excess) <= TOLERANCE:
            excess = 0.0  # a limit that is met is met, whatever the last bits say
        if error[0] == 0:
            return 0.0 if excess > 0 else 1.0
        tail = t_tail(excess / error[0], error[1])
        return None if math.isnan(tail) else tail

    return Difference(
        value=paired.value,
        bounds=lambda level: _symmetric(paired.value, error, level),
        p_gain=lambda margin: p(margin, 1.0),
        p_harm=lambda margin: p(margin, -1.0),
    )


def _standard_error(metric: Metric, linear: Linear, rows: Rows) -> tuple[float, float] | None:
    if metric.method == "delong" and rows.plain:
        return _stratified_error(linear.influence, rows.label)
    return clustered_error(linear.influence, weight=rows.weight, cluster=rows.cluster)


def _stratified_error(influence: Floats, label: Floats) -> tuple[float, float] | None:
    """DeLong's error: s²/P over positives plus s²/N over negatives, in placements."""
    variance = 0.0
    for of_class in (influence[label == 1], influence[label == 0]):
        if of_class.size < 2:
            return None
        variance += float(of_class.var(ddof=1)) * of_class.size / influence.size**2
    return math.sqrt(variance), math.inf


def _symmetric(value: float, error: tuple[float, float] | None, level: float) -> tuple[float, float] | None:
    if error is None:
        return None
    half = t_quantile(level, error[1]) * error[0]
    return value - half, value + half


def _logit_bounds(
    value: float, error: tuple[float, float] | None, rows: Rows, level: float
) -> tuple[float, float] | None:
    """Bounds of an area on the logit scale; at a perfect 0 or 1, Clopper–Pearson on the smaller class.

    The logit has no error where the classes are separated, which is no proof of a perfect model.
    """
    if error is None:
        return None
    if not TOLERANCE < value < 1 - TOLERANCE:
        trials = float(min(rows.with_label(1.0), rows.with_label(0.0)))
        if rows.clusters is not None:
            trials = min(trials, rows.clusters)
        worst = (1 - level) ** (1 / trials)
        return (worst, 1.0) if value > 0.5 else (0.0, 1 - worst)
    around = _symmetric(float(special.logit(value)), (error[0] / (value * (1 - value)), error[1]), level)
    return around and (float(special.expit(around[0])), float(special.expit(around[1])))


def _paired_trials(value: float, trials: int) -> Difference:
    """A paired difference in which no variation was seen: clusters (or rows) count as single trials, by Tango's score.

    No variation among a dozen clusters is no proof that there is none.
    """
    won, lost = max(value, 0.0) * trials, max(-value, 0.0) * trials

    def p(margin: float, won: float, lost: float) -> float:
        return float(special.ndtr(-proportions.tango_statistic(won, lost, trials, difference=margin)))

    return Difference(
        value=value,
        bounds=lambda level: proportions.tango(won, lost, trials, level=level),
        p_gain=lambda margin: p(margin, won, lost),
        p_harm=lambda margin: p(-margin, lost, won),
    )


def _paired_proportions(label: Floats, challenger: Floats, champion: Floats) -> Difference:
    ours, theirs = classification.hits(label, challenger), classification.hits(label, champion)
    b, c, n = int(np.sum(ours > theirs)), int(np.sum(theirs > ours)), label.size

    def p(margin: float, won: int, lost: int) -> float:
        if margin == 0:
            return proportions.mcnemar_p(won, lost)
        return float(special.ndtr(-proportions.tango_statistic(won, lost, n, difference=margin)))

    return Difference(
        value=(b - c) / n,
        bounds=lambda level: proportions.tango(b, c, n, level=level),
        p_gain=lambda margin: p(margin, b, c),
        p_harm=lambda margin: p(-margin, c, b),
        exact=True,
    )
