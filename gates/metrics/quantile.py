"""Quantiles of the absolute error, and metrics of models that predict a quantile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lockgate.gates.metrics.metric import Family, Hits, Metric, Quantile
from lockgate.gates.stats import quantiles
from lockgate.gates.stats.bootstrap import quantile_difference_errors
from lockgate.gates.stats.quantiles import SortedValues
from lockgate.gates.stats.scored import Floats, Linear, Scored, ratio
from lockgate.gates.stats.uncertainty import Uncertainty, measure_influence

if TYPE_CHECKING:
    from lockgate.gates.metrics.rows import GroupedRows

MIN_QUANTILE, MAX_QUANTILE = 0.001, 0.999
"""Quantiles that a metric's name may ask for."""


def absolute_error(label: Floats, score: Floats) -> Floats:
    """Quantile of |prediction − label| over rows, in the target's unit; `median_absolute_error` is the one at ½."""
    return np.abs(score - label)


def pinball(label: Floats, score: Floats, *, q: float) -> Floats:
    """Mean of q·(label − prediction) where that is positive, else of (1 − q)·(prediction − label).

    The q-quantile of the label minimises its expectation. Source: Koenker and Bassett, Econometrica 46 (1978).
    """
    gap = label - score
    return np.maximum(q * gap, (q - 1) * gap)


def coverage(label: Floats, score: Floats) -> Hits:
    """Share of rows with label <= prediction, which should be q for a model of the q-quantile.

    Neither direction is better: limit it on both sides, with `min` and `max`.
    """
    return Hits((label <= score).astype(np.float64))


def quantile_bounds(quantile: Quantile, split: GroupedRows) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of a quantile by level: order statistics, or Woodruff's if rows have weights or clusters."""
    scored = _values(quantile, split.scored_by("challenger"))
    ordered = SortedValues.of(scored)
    if split.rows.plain:
        return lambda level: quantiles.order_bounds(ordered, quantile.q, level=level)
    return quantiles.woodruff_bounds(scored, ordered, quantile.q, units=split.units)


def quantile_difference(quantile: Quantile, split: GroupedRows) -> tuple[Floats, Uncertainty]:
    """challenger − champion in each group (S,), and its uncertainty, the error of which is the bootstrap's.

    The bootstrap's spread is that of the sample it draws from, too narrow by a factor √(df/(df + 1)): it is divided
    out. It draws units without their order: what their dependence adds is that of the influence values.
    """
    ours, theirs = (_values(quantile, split.scored_by(model)) for model in ("challenger", "champion"))
    our_values, their_values = SortedValues.of(ours), SortedValues.of(theirs)
    error = quantile_difference_errors(
        our_values, their_values, quantile.q, units=split.units, weight=ours.weight, code=ours.code
    )
    influence = quantiles.quantile(ours, quantile.q).influence - quantiles.quantile(theirs, quantile.q).influence
    uncertainty = measure_influence(influence, split.units, weight=ours.weight)
    df = split.units.leverage.df if split.units.of_row is not None else uncertainty.df
    error = error * np.sqrt((df + 1) / df)
    if split.units.ordered:
        independent = measure_influence(influence, replace(split.units, ordered=False), weight=ours.weight).error
        error = error * np.where(independent > 0, ratio(uncertainty.error, independent), 1.0)
    uncertainty = replace(uncertainty, error=error)
    return our_values.quantile(quantile.q) - their_values.quantile(quantile.q), uncertainty


def _values(quantile: Quantile, scored: Scored) -> Scored:
    values = quantile.values(scored.label, scored.score)
    return Scored(label=scored.label, score=values, weight=scored.weight, code=scored.code, groups=scored.groups)


def _absolute_error(q: float, *, name: str = "") -> Metric:
    quantile = Quantile(absolute_error, q)

    def linearise(scored: Scored) -> Linear:
        return quantiles.quantile(_values(quantile, scored), q)

    linearise.__doc__ = absolute_error.__doc__
    return Metric(
        name=name or f"absolute_error@{q:.12g}",
        task="regression",
        higher_is_better=False,
        low=0.0,
        high=np.inf,
        unit="the target's",
        method="quantile",
        linearise=linearise,
        quantile=quantile,
    )


def _pinball(q: float) -> Metric:
    loss = partial(pinball, q=q)
    return Metric.of_loss(loss, name=f"pinball@{q:.12g}", task="regression", unit="the target's")


def _family(name: str, make: Callable[[float], Metric]) -> Family:
    return Family(
        name=name,
        task="regression",
        parameter="the quantile",
        default=None,
        low=MIN_QUANTILE,
        high=MAX_QUANTILE,
        whole=False,
        make=make,
    )


QUANTILE: tuple[Metric | Family, ...] = (
    _absolute_error(0.5, name="median_absolute_error"),
    _family("absolute_error", _absolute_error),
    _family("pinball", _pinball),
    Metric.of_hits(coverage, name="coverage", task="regression"),
)
