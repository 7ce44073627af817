"""Metrics of quantiles: of the size of errors, and of models that predict a quantile."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lockgate.gates.metrics.metric import Family, Hits, Metric, Quantile
from lockgate.gates.stats import quantiles
from lockgate.gates.stats.bootstrap import quantile_difference_errors
from lockgate.gates.stats.clusters import clustered_errors
from lockgate.gates.stats.quantiles import SortedValues
from lockgate.gates.stats.scored import Floats, Linear, Scored

if TYPE_CHECKING:
    from lockgate.gates.metrics.rows import Split

LEAST, MOST = 0.001, 0.999
"""Quantiles that can be asked for."""


def absolute_error(label: Floats, score: Floats) -> Floats:
    """Quantile of |prediction − label| over rows, in the target's unit; `median_absolute_error` is that at ½."""
    return np.abs(score - label)


def pinball(label: Floats, score: Floats, *, q: float) -> Floats:
    """Mean of q·(label − prediction) where that is positive, (1 − q)·(prediction − label) where not.

    Its least expectation is at the q-quantile of the label. Source: Koenker and Bassett, Econometrica 46 (1978).
    """
    gap = label - score
    return np.maximum(q * gap, (q - 1) * gap)


def coverage(label: Floats, score: Floats) -> Hits:
    """Share of rows with label <= prediction: of a model of the q-quantile it should be q.

    It has no better direction: limit it on both sides, with `min` and `max`.
    """
    return Hits((label <= score).astype(np.float64))


def bounds(asked: Quantile, split: Split) -> Callable[[float], tuple[Floats, Floats]]:
    """Bounds of a quantile by level: order statistics; Woodruff's where rows have weights or clusters."""
    scored = _values(asked, split.scored("challenger"))
    held = SortedValues.of(scored)
    if split.rows.plain:
        return lambda level: quantiles.order_bounds(held, asked.q, level=level)
    return quantiles.woodruff_bounds(scored, held, asked.q, units=split.units)


def difference(asked: Quantile, split: Split) -> tuple[Floats, Floats, Floats]:
    """challenger − champion in each group, its bootstrap standard error, and degrees of freedom: (S,) each.

    The bootstrap knows the spread of what it draws from, which is too narrow by the share of one in those degrees.
    """
    ours, theirs = (_values(asked, split.scored(model)) for model in ("challenger", "champion"))
    left, right = SortedValues.of(ours), SortedValues.of(theirs)
    error = quantile_difference_errors(left, right, asked.q, units=split.units, weight=ours.weight, code=ours.code)
    _, df = clustered_errors(np.zeros(ours.label.size), split.units, weight=ours.weight)
    return left.quantile(asked.q) - right.quantile(asked.q), error * np.sqrt((df + 1) / df), df


def _values(asked: Quantile, scored: Scored) -> Scored:
    values = asked.of(scored.label, scored.score)
    return Scored(label=scored.label, score=values, weight=scored.weight, code=scored.code, groups=scored.groups)


def _absolute_error(q: float, *, name: str = "") -> Metric:
    asked = Quantile(absolute_error, q)

    def linearise(scored: Scored) -> Linear:
        return quantiles.quantile(_values(asked, scored), q)

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
        quantile=asked,
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
        low=LEAST,
        high=MOST,
        whole=False,
        make=make,
    )


QUANTILE: tuple[Metric | Family, ...] = (
    _absolute_error(0.5, name="median_absolute_error"),
    _family("absolute_error", _absolute_error),
    _family("pinball", _pinball),
    Metric.of_hits(coverage, name="coverage", task="regression"),
)
