"""What statistics are computed from, scored rows in groups, and what they return, values with influences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

TOLERANCE = 1e-12
"""A value that misses a limit by no more than this meets it: less than rounding can add up to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ascending:
    """Rows by ascending score: `order` (n,), and the number of each one's run of tied scores in that order, `run` (n,).

    `run` is None if no two rows have the same score.
    """

    order: Codes
    run: NDArray[np.int32] | None


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One model's scores on rows that are split into groups. All arrays are aligned.

    label: float64 (n,): 0 or 1 for binary, the index of the class for multiclass, a number for regression,
        the relevance (not negative) for ranking, 0 for score.
    score: float64 (n,); (n, k) probabilities of the k classes for multiclass.
    weight: float64 (n,), not negative, any scale; None weighs every row alike.
    code: the group of each row, 0 … groups − 1; None if all rows are one group.
    query: the query of each row, for ranking and score.
    ascending: returns the rows by ascending score, for callers that have sorted them already.
    """

    label: Floats
    score: Floats
    weight: Floats | None = None
    code: Codes | None = None
    groups: int = 1
    query: Codes | None = None
    ascending: Callable[[], Ascending] | None = None

    @cached_property
    def by_group(self) -> Ascending:
        """Rows by group, then by ascending score. Tied rows keep their order if rows have weights."""
        ascending = by_score(self.score, self.weight) if self.ascending is None else self.ascending()
        if self.code is None:
            return ascending
        few = next((kind for kind in (np.uint8, np.uint16) if self.groups <= np.iinfo(kind).max), np.intp)
        place = np.argsort(self.code.astype(few)[ascending.order], kind="stable")  # of one or two bytes: a radix sort
        order, run = (
            ascending.order.take(place, mode="clip"),
            ascending.run,
        )  # of what it has to check, clipping is the fastest
        return Ascending(order=order, run=None if run is None else run.take(place, mode="clip"))

    @property
    def order(self) -> Codes:
        """Rows by group, then by ascending score, as in `by_group`."""
        return self.by_group.order

    @cached_property
    def mass(self) -> Floats:
        """The sum of weights of each group (S,); its number of rows if there are no weights."""
        return self.total(None)

    def total(self, values: Floats | None) -> Floats:
        """Weighted sums of `values` (n,) in each group (S,); None counts every row as 1."""
        if self.weight is not None:
            values = self.weight if values is None else values * self.weight
        if self.code is None:
            return np.array([float(self.label.size) if values is None else values.sum()])
        return np.bincount(self.code, weights=values, minlength=self.groups).astype(np.float64)

    def mean(self, values: Floats) -> Floats:
        """Weighted means of `values` (n,) in each group (S,); NaN in a group without weight."""
        return ratio(self.total(values), self.mass)

    def spread(self, of_group: Floats) -> Floats:
        """The value of each row's group: (S,) → (n,), or (1,) if all rows are one group."""
        return of_group if self.code is None else of_group[self.code]

    def deviations(self, values: Floats, of_group: Floats) -> Floats:
        """`values` (n,) less the value of each row's group (S,)."""
        if self.code is None:
            return values - of_group
        spread = self.spread(of_group)
        return np.subtract(values, spread, out=spread)


def by_score(score: Floats, weight: Floats | None) -> Ascending:
    """Rows by ascending score. Ties keep their order if rows have weights, because sums of weights depend on it."""
    # the default kind is several times faster; its order of ties depends on the machine, but counts do not depend on it
    order = np.argsort(score, kind=None if weight is None else "stable")
    ranked = score[order]
    differs = ranked[1:] != ranked[:-1]
    return Ascending(order=order, run=None if np.all(differs) else np.cumsum(np.append(True, differs), dtype=np.int32))


def ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole; NaN where the whole is 0."""
    share: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0)
    return share


@dataclass(frozen=True, slots=True)
class Linear:
    """A metric's value in each group and how each row moves it.

    value: float64 (S,), NaN in a group where the metric is undefined.
    influence: float64 (n,); value ≈ truth + weighted mean of it over the group's rows, where it has mean 0.
    """

    value: Floats
    influence: Floats
