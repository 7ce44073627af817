"""The rows that gates look at, both models' scores on them, and how they are split into groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.columns import Coded
from lockgate.gates.metrics.metric import Hits, Metric, linear_share
from lockgate.gates.metrics.slice_names import slice_name
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.scored import Ascending, Codes, Floats, Linear, Scored, by_score

MANY_ROWS = 100_000
"""From here on both models' scores are sorted at the same time, each in a thread of its own."""

MAX_GROUPS = 10_000
"""More groups than this cannot be looked at one by one."""

Model = Literal["challenger", "champion"]
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Groups:
    """A partition of the rows: `code` (n,) gives each row's place in `keys`; None where all are one group.

    A group goes by its key, which is its values, one of each column. Its name is for people.
    """

    keys: tuple[tuple[str, ...], ...]
    code: Codes | None

    @property
    def count(self) -> int:
        return len(self.keys)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The groups in words, all different."""
        return tuple(map(slice_name, self.keys))


EVERYTHING = Groups(keys=((),), code=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The rows that only the challenger hits (`gained`) and only the champion (`lost`): their places.

    among: the rows (n,) that the share is among; None: all.
    """

    gained: Codes
    lost: Codes
    among: NDArray[np.bool_] | None

    def sums(self, code: Codes | None, size: int, *, weight: Floats | None = None) -> tuple[Floats, Floats]:
        """How much either set weighs in each of `size` parts of the rows, whose `code` (n,) is given; None: one."""
        gained, lost = (
            np.bincount(
                np.zeros_like(at) if code is None else code[at],
                weights=None if weight is None else weight[at],
                minlength=size,
            ).astype(np.float64)
            for at in (self.gained, self.lost)
        )
        return gained, lost


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Scored rows of one task, all arrays aligned; `cluster` holds codes 0 … G−1, `query` as well."""

    label: Floats
    challenger: Floats  # (n,); (n, k) for multiclass
    champion: Floats | None = None
    weight: Floats | None = None
    cluster: Codes | None = None
    query: Codes | None = None

    @property
    def n(self) -> int:
        """How many rows count: one of weight 0 does not."""
        return self.label.size if self.weight is None else int(np.count_nonzero(self.weight))

    @property
    def clusters(self) -> int | None:
        """How many clusters have rows that count; None where rows are not clustered."""
        return None if self.cluster is None else int(np.count_nonzero(np.bincount(self.cluster, weights=self.weight)))

    @property
    def plain(self) -> bool:
        """Whether rows are independent and count the same."""
        return self.weight is None and self.cluster is None

    @cached_property
    def ascending(self) -> dict[Model, Ascending]:
        """Rows by ascending score, for each model that there is: sorted once for every metric and every slice."""
        held: dict[Model, Floats] = {"challenger": self.challenger}
        if self.champion is not None:
            held["champion"] = self.champion
        with ThreadPoolExecutor(len(held) if self.label.size >= MANY_ROWS else 1) as threads:
            return dict(zip(held, threads.map(lambda score: by_score(score, self.weight), held.values()), strict=True))

    def lost(self, name: str, loss: Callable[[Floats, Floats], Floats]) -> Floats:
        """challenger − champion of a loss per row (n,), kept for every split of the rows."""
        if name not in self._lost:
            ours, theirs = self.of_both(lambda model: loss(self.label, self.scores(model)))
            self._lost[name] = ours - theirs
        return self._lost[name]

    def changed(self, name: str, hits: Callable[[Floats, Floats], Hits]) -> Changed:
        """The rows that only one model hits, kept for every split of the rows."""
        if name not in self._changed:
            ours, theirs = self.of_both(lambda model: hits(self.label, self.scores(model)))
            gap = ours.hit - theirs.hit
            if ours.among is not None:
                gap *= ours.among
            self._changed[name] = Changed(
                gained=np.flatnonzero(gap > 0), lost=np.flatnonzero(gap < 0), among=ours.among
            )
        return self._changed[name]

    def of_both(self, found: Callable[[Model], Found]) -> tuple[Found, Found]:
        """What is found of either model, the champion in a thread of its own where rows are many.

        Raises ValueError where there is no champion.
        """
        self.scores("champion")
        if self.label.size < MANY_ROWS:
            return found("challenger"), found("champion")
        with ThreadPoolExecutor(1) as thread:
            theirs = thread.submit(found, "champion")
            return found("challenger"), theirs.result()

    def scores(self, model: Model) -> Floats:
        """One model's scores. Raises ValueError where there is no champion."""
        held = self.challenger if model == "challenger" else self.champion
        if held is None:
            raise ValueError("rows without a champion have no scores of it")
        return held

    @cached_property
    def _lost(self) -> dict[str, Floats]:
        return {}

    @cached_property
    def _changed(self) -> dict[str, Changed]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows, split into groups."""

    rows: Rows
    groups: Groups = EVERYTHING

    def scored(self, model: Model) -> Scored:
        """One model's scores. Raises ValueError where there is no champion."""
        rows = self.rows
        score = rows.scores(model)
        return Scored(
            label=rows.label,
            score=score,
            weight=rows.weight,
            code=self.groups.code,
            groups=self.groups.count,
            query=rows.query,
            ascending=(lambda: rows.ascending[model]) if score.ndim == 1 else None,
        )

    def linear(self, metric: Metric) -> Linear:
        """The metric of the challenger. The last is kept: one gate asks for it, the next for the difference."""
        if metric.name not in self._linear:
            self._linear.clear()
            self._linear[metric.name] = metric.linearise(self.scored("challenger"))
        return self._linear[metric.name]

    def paired(self, metric: Metric) -> Linear:
        """challenger − champion of the metric."""
        if metric.loss is not None:
            scored, lost = self.scored("challenger"), self.rows.lost(metric.name, metric.loss)
            value = scored.mean(lost)
            return Linear(value, scored.deviations(lost, value))
        if metric.hits is not None:
            changed, gap = self.rows.changed(metric.name, metric.hits), np.zeros(self.rows.label.size)
            gap[changed.gained], gap[changed.lost] = 1.0, -1.0
            return linear_share(Hits(gap, changed.among), self.scored("challenger"))
        if metric.name in self._linear:
            ours, theirs = self.linear(metric), metric.linearise(self.scored("champion"))
            return Linear(ours.value - theirs.value, ours.influence - theirs.influence)
        ours, theirs = self.of_both(metric.linearise)
        influence = ours.influence
        influence -= theirs.influence
        return Linear(ours.value - theirs.value, influence)

    def of_both(self, found: Callable[[Scored], Found]) -> tuple[Found, Found]:
        """What is found of the challenger's and the champion's scores, in threads where rows are many."""
        return self.rows.of_both(lambda model: found(self.scored(model)))

    def paired_sums(self, metric: Metric) -> Floats | None:
        """Weighted sums of challenger − champion over the rows of each unit (U,), of a metric that is a plain mean.

        None of any other.
        """
        rows, units = self.rows, self.units
        if metric.loss is not None:
            lost = rows.lost(metric.name, metric.loss)
            return units.sums(lost if rows.weight is None else lost * rows.weight)
        if metric.hits is not None and units.of_row is not None:
            changed = rows.changed(metric.name, metric.hits)
            if changed.among is None:
                gained, lost = changed.sums(units.of_row, units.size.size, weight=rows.weight)
                return gained - lost
        return None

    @cached_property
    def _linear(self) -> dict[str, Linear]:
        return {}

    @cached_property
    def units(self) -> Units:
        """What counts as independent in each group."""
        rows, groups = self.rows, self.groups
        return Units.of(
            rows.label.size, weight=rows.weight, cluster=rows.cluster, code=groups.code, groups=groups.count
        )

    @cached_property
    def n(self) -> Floats:
        """How many rows of each group count (S,)."""
        if self.rows.weight is None:
            return self.units.weighted_units if self.rows.cluster is None else self.units.total(self.units.size)
        if self.groups.code is None:
            return np.array([float(self.rows.n)])
        counting = (self.rows.weight > 0).astype(np.float64)
        return np.bincount(self.groups.code, weights=counting, minlength=self.groups.count).astype(np.float64)

    @property
    def clusters(self) -> Floats | None:
        """How many clusters of each group have rows that count (S,); None where rows are not clustered."""
        return None if self.rows.cluster is None else self.units.weighted_units


def relative(weight: Floats) -> Floats:
    """Weights of at most 1, scaled by a power of two: exact, and out of reach of overflow."""
    _, exponent = np.frexp(weight.max(initial=0.0))
    scaled: Floats = np.ldexp(weight, -exponent)
    return scaled


def crossed(columns: Sequence[Coded]) -> Groups:
    """The groups that the values of some columns form together: those that occur, in order of their values.

    Raises:
        UnjudgeableError: more than 10,000 of them.
    """
    code = np.asarray(columns[0].codes, dtype=np.intp)
    keys: list[tuple[str, ...]] = [(str(value),) for value in columns[0].values]
    code, keys = _present(code, keys)
    for column in columns[1:]:
        values = [str(value) for value in column.values]
        if len(keys) * len(values) > MAX_GROUPS**2:
            raise _too_many(len(keys) * len(values))
        code = code * len(values) + column.codes
        code, keys = _present(code, [(*key, value) for key in keys for value in values])
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order == list(range(len(keys))):
        return Groups(keys=tuple(keys), code=code)
    place = np.empty(len(keys), dtype=np.intp)
    place[order] = np.arange(len(keys))
    return Groups(keys=tuple(keys[at] for at in order), code=place[code])


def _present(code: Codes, keys: list[tuple[str, ...]]) -> tuple[Codes, list[tuple[str, ...]]]:
    held = np.bincount(code, minlength=len(keys)) > 0
    if np.count_nonzero(held) > MAX_GROUPS:
        raise _too_many(int(np.count_nonzero(held)))
    if np.all(held):
        return code, keys
    return (np.cumsum(held) - 1)[code], [keys[at] for at in np.flatnonzero(held)]


def _too_many(count: int) -> UnjudgeableError:
    return UnjudgeableError(f"the slice columns form {count:,} groups", expected=f"at most {MAX_GROUPS:,}")
