"""What a metric is: a value, a direction, a range, and influence values that any interval can be built on.

Everything is computed for S groups of rows at once: one group of all rows, or one per slice. A metric is written once
and then works for both, with weights, with clusters, and for the paired difference of two models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.evidence.task import Task
from lockgate.gates.metrics.carriers import Carriers
from lockgate.gates.stats.scored import Floats, Linear, Scored, ratio

Method = Literal["mean", "proportion", "delong", "smooth", "supremum", "quantile"]
Gain = TypeVar("Gain", float, Floats)


@dataclass(frozen=True, slots=True)
class Hits:
    """A share as what it counts: `hit` float64 (n,) of 0 and 1, among the rows where `among` bool (n,) is true.

    `among` must not depend on the scores. None means all rows.
    """

    hit: Floats
    among: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Quantile:
    """The `q`-quantile, 0 < q < 1, of `values(label, score)`, float64 (n,)."""

    values: Callable[[Floats, Floats], Floats]
    q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric by name.

    linearise: takes checked rows: finite, in range, at least one.
    needs: the rows without which the metric is undefined, in words.
    method: how its interval is made (`lockgate.gates.metrics.estimate`). Method "proportion" counts `hits`, "mean"
        averages the `loss` of each row (or its score), "quantile" takes a quantile of the values in `quantile`.
    carriers: the rows that carry the metric, which are all where it is None. A value at an end of the range, such as a
        precision of 1, rests on so many.
    symmetric: one model's interval is value ± half, cut at the ends of the range, instead of one on the scale of that
        range. For estimates that noise biases upwards, whose low bound must reach far.
    incomparable: why two models cannot be compared in the metric, and what to compare instead; empty where they can.
    """

    name: str
    task: Task
    higher_is_better: bool
    low: float
    high: float
    unit: str
    method: Method
    linearise: Callable[[Scored], Linear]
    needs: str = "at least one row"
    hits: Callable[[Floats, Floats], Hits] | None = None
    loss: Callable[[Floats, Floats], Floats] | None = None
    quantile: Quantile | None = None
    carriers: Carriers | None = None
    symmetric: bool = False
    incomparable: str = ""

    @classmethod
    def of_loss(
        cls,
        loss: Callable[[Floats, Floats], Floats],
        *,
        name: str,
        task: Task,
        unit: str,
        high: float = math.inf,
        carriers: Carriers | None = None,
    ) -> Metric:
        """The weighted mean of a loss per row, `loss(label, score)` → float64 (n,), 0 … `high`; lower is better."""
        return cls.of_mean(
            loss, name=name, task=task, unit=unit, low=0.0, high=high, higher_is_better=False, carriers=carriers
        )

    @classmethod
    def of_mean(
        cls,
        of_row: Callable[[Floats, Floats], Floats],
        *,
        name: str,
        task: Task,
        unit: str,
        low: float,
        high: float,
        higher_is_better: bool,
        carriers: Carriers | None = None,
    ) -> Metric:
        """The weighted mean of a number per row, `of_row(label, score)` → float64 (n,), `low` … `high`."""

        def linearise(scored: Scored) -> Linear:
            numbers = of_row(scored.label, scored.score)
            value = scored.mean(numbers)
            return Linear(value, numbers - scored.spread(value))

        linearise.__doc__ = of_row.__doc__
        return cls(
            name=name,
            task=task,
            higher_is_better=higher_is_better,
            low=low,
            high=high,
            unit=unit,
            method="mean",
            linearise=linearise,
            loss=of_row,
            carriers=carriers,
        )

    @classmethod
    def of_hits(
        cls,
        hits: Callable[[Floats, Floats], Hits],
        *,
        name: str,
        task: Task,
        unit: str = "share of rows",
        needs: str = "at least one row",
        higher_is_better: bool = True,
        carriers: Carriers | None = None,
    ) -> Metric:
        """The weighted share of hits, `hits(label, score)`, among the rows that count; undefined if no row counts."""

        def linearise(scored: Scored) -> Linear:
            return linear_share(hits(scored.label, scored.score), scored)

        linearise.__doc__ = hits.__doc__
        return cls(
            name=name,
            task=task,
            higher_is_better=higher_is_better,
            low=0.0,
            high=1.0,
            unit=unit,
            method="proportion",
            linearise=linearise,
            needs=needs,
            hits=hits,
            carriers=carriers,
        )

    def gain(self, difference: Gain) -> Gain:
        """A difference challenger − champion with the sign that makes positive better."""
        return difference if self.higher_is_better else -difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Metrics of one name that differ by a number, which a policy writes after an @: `recall@0.3`, `ndcg@10`.

    `default` is used if a policy writes no number; without a default it has to.
    """

    name: str
    task: Task
    parameter: str  # what the number is, in words
    default: float | None
    low: float
    high: float
    whole: bool  # whether it must be a whole number
    make: Callable[[float], Metric]


def linear_share(hits: Hits, scored: Scored) -> Linear:
    """The weighted share of hits in each group; NaN in a group where no row counts."""
    if hits.among is None:
        value = scored.mean(hits.hit)
        return Linear(value, hits.hit - scored.spread(value))
    counted = hits.among.astype(np.float64)
    size = scored.total(counted)
    value = ratio(scored.total(hits.hit * counted), size)
    per_row = scored.spread(ratio(scored.mass, size))
    return Linear(value, np.where(hits.among, (hits.hit - scored.spread(value)) * per_row, 0.0))
