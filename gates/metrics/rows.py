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
from lockgate.gates.evidence.columns import CodedColumn
from lockgate.gates.metrics.carriers import Carriers
from lockgate.gates.metrics.metric import Hits, Metric, linear_share
from lockgate.gates.metrics.slice_names import slice_name
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.scored import Ascending, Codes, Floats, Linear, Scored, by_score

MIN_ROWS_FOR_THREADS = 100_000
"""From this many rows on, both models are computed at the same time: below, starting a thread costs more."""

MAX_GROUPS = 10_000
"""Each group is judged by itself: more than this are refused rather than waited for."""

Model = Literal["challenger", "champion"]
Computed = TypeVar("Computed")


@dataclass(frozen=True, kw_only=True)
class Groups:
    """A partition of the rows: `code` (n,) is the index of each row's group in `keys`; None if all rows are one group.

    A group's key is its values, one per slice column. Code compares keys; names are for people.
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
class ChangedHits:
    """Row numbers of the hits that only the challenger has (`gained`) and that only the champion has (`lost`).

    among: the rows (n,) that the share is of; None means all.
    """

    gained: Codes
    lost: Codes
    among: NDArray[np.bool_] | None

    def sums(self, code: Codes | None, size: int, *, weight: Floats | None = None) -> tuple[Floats, Floats]:
        """The weight of gained and of lost hits in each of `size` parts of the rows (size,), by each row's `code` (n,).

        A code of None means that all rows are one part.
        """
        gained, lost = (
            np.bincount(
                np.zeros_like(numbers) if code is None else code[numbers],
                weights=None if weight is None else weight[numbers],
                minlength=size,
            ).astype(np.float64)
            for numbers in (self.gained, self.lost)
        )
        return gained, lost


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Scored rows of one task. All arrays are aligned; `cluster` and `query` hold codes 0 … G−1."""

    label: Floats
    challenger: Floats  # (n,); (n, k) for multiclass
    champion: Floats | None = None
    weight: Floats | None = None
    cluster: Codes | None = None
    query: Codes | None = None
    ordered: bool = False  # whether clusters follow each other in time, in the order of their codes

    @property
    def n(self) -> int:
        """How many rows have weight."""
        return self.label.size if self.weight is None else int(np.count_nonzero(self.weight))

    @property
    def clusters(self) -> int | None:
        """How many clusters have rows with weight; None if rows are not clustered."""
        return None if self.cluster is None else int(np.count_nonzero(np.bincount(self.cluster, weights=self.weight)))

    @property
    def plain(self) -> bool:
        """Whether rows are independent and have equal weights."""
        return self.weight is None and self.cluster is None

    @cached_property
    def ascending(self) -> dict[Model, Ascending]:
        """Rows by ascending score for each model, sorted once for all metrics and slices."""
        scores: dict[Model, Floats] = {"challenger": self.challenger}
        if self.champion is not None:
            scores["champion"] = self.champion
        with ThreadPoolExecutor(len(scores) if self.label.size >= MIN_ROWS_FOR_THREADS else 1) as threads:
            return dict(
                zip(scores, threads.map(lambda score: by_score(score, self.weight), scores.values()), strict=True)
            )

    def loss_difference(self, name: str, loss: Callable[[Floats, Floats], Floats]) -> Floats:
        """challenger − champion of a loss per row (n,), computed once for all splits of the rows."""
        if name not in self._loss_differences:
            ours, theirs = self.for_both(lambda model: loss(self.label, self.scores(model)))
            self._loss_differences[name] = ours - theirs
        return self._loss_differences[name]

    def changed_hits(self, name: str, hits: Callable[[Floats, Floats], Hits]) -> ChangedHits:
        """The hits that only one model has, computed once for all splits of the rows."""
        if name not in self._changed_hits:
            ours, theirs = self.for_both(lambda model: hits(self.label, self.scores(model)))
            gap = ours.hit - theirs.hit
            if ours.among is not None:
                gap *= ours.among
            self._changed_hits[name] = ChangedHits(
                gained=np.flatnonzero(gap > 0), lost=np.flatnonzero(gap < 0), among=ours.among
            )
        return self._changed_hits[name]

    def for_both(self, compute: Callable[[Model], Computed]) -> tuple[Computed, Computed]:
        """`compute` for the challenger and for the champion, the latter in its own thread if there are many rows.

        Raises ValueError if there is no champion.
        """
        self.scores("champion")
        if self.label.size < MIN_ROWS_FOR_THREADS:
            return compute("challenger"), compute("champion")
        with ThreadPoolExecutor(1) as thread:
            theirs = thread.submit(compute, "champion")
            return compute("challenger"), theirs.result()

    def scores(self, model: Model) -> Floats:
        """One model's scores. Raises ValueError if there is no champion."""
        scores = self.challenger if model == "challenger" else self.champion
        if scores is None:
            raise ValueError("rows without a champion have no scores of it")
        return scores

    @cached_property
    def _loss_differences(self) -> dict[str, Floats]:
        return {}

    @cached_property
    def _changed_hits(self) -> dict[str, ChangedHits]:
        return {}


@dataclass(frozen=True, kw_only=True)
class GroupedRows:
    """Rows split into groups, with what several gates need of them."""

    rows: Rows
    groups: Groups = EVERYTHING

    def scored_by(self, model: Model) -> Scored:
        """One model's scores in these groups. Raises ValueError if there is no champion."""
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
        """The metric of the challenger. The last one is cached: one gate needs it, the next one the difference."""
        if metric.name not in self._linear:
            self._linear.clear()
            self._linear[metric.name] = metric.linearise(self.scored_by("challenger"))
        return self._linear[metric.name]

    def paired_difference(self, metric: Metric) -> Linear:
        """challenger − champion of the metric."""
        if metric.loss is not None:
            scored, gap = self.scored_by("challenger"), self.rows.loss_difference(metric.name, metric.loss)
            value = scored.mean(gap)
            return Linear(value, scored.deviations(gap, value))
        if metric.hits is not None:
            changed, gap = self.rows.changed_hits(metric.name, metric.hits), np.zeros(self.rows.label.size)
            gap[changed.gained], gap[changed.lost] = 1.0, -1.0
            return linear_share(Hits(gap, changed.among), self.scored_by("challenger"))
        if metric.name in self._linear:
            ours, theirs = self.linear(metric), metric.linearise(self.scored_by("champion"))
            return Linear(ours.value - theirs.value, ours.influence - theirs.influence)
        ours, theirs = self.for_both(metric.linearise)
        influence = ours.influence
        influence -= theirs.influence
        return Linear(ours.value - theirs.value, influence)

    def for_both(self, compute: Callable[[Scored], Computed]) -> tuple[Computed, Computed]:
        """`compute` for the challenger's and for the champion's scores, as `Rows.for_both`."""
        return self.rows.for_both(lambda model: compute(self.scored_by(model)))

    def paired_difference_sums(self, metric: Metric) -> Floats | None:
        """Weighted sums of challenger − champion over the rows of each unit (U,), for a metric that is a plain mean.

        None for any other metric.
        """
        rows, units = self.rows, self.units
        if metric.loss is not None:
            gap = rows.loss_difference(metric.name, metric.loss)
            return units.sums(gap if rows.weight is None else gap * rows.weight)
        if metric.hits is not None and units.of_row is not None:
            changed = rows.changed_hits(metric.name, metric.hits)
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
            rows.label.size,
            weight=rows.weight,
            cluster=rows.cluster,
            code=groups.code,
            groups=groups.count,
            ordered=rows.ordered,
        )

    def carrying_units(self, metric: Metric, *, paired: bool = False) -> Units:
        """`units`, by the rows that carry the metric alone; `paired` takes those of either model."""
        if metric.carriers is None or not metric.carriers.alone:
            return self.units
        key = self._carriers_key(metric.carriers, paired=paired)
        if key not in self._carrying:
            self._carrying[key] = self.units.carrying(
                self._carrier_rows(metric.carriers, paired=paired), weight=self.rows.weight
            )
        return self._carrying[key]

    def class_rows(self, metric: Metric, *, paired: bool = False) -> Floats | None:
        """How many rows with weight carry the metric in each group (S,); None if all do."""
        if metric.carriers is None:
            return None
        key = self._carriers_key(metric.carriers, paired=paired)
        if key not in self._class_rows:
            mask = self._carrier_rows(metric.carriers, paired=paired)
            if self.rows.weight is not None:
                mask = mask & (self.rows.weight > 0)
            code, count = self.groups.code, self.groups.count
            self._class_rows[key] = (
                np.array([float(np.count_nonzero(mask))])
                if code is None
                else np.bincount(code, weights=mask, minlength=count).astype(np.float64)
            )
        return self._class_rows[key]

    def _carrier_rows(self, carriers: Carriers, *, paired: bool) -> NDArray[np.bool_]:
        key = self._carriers_key(carriers, paired=paired)
        if key not in self._carrier_masks:
            mask = carriers.find(self.scored_by("challenger"))
            if paired and carriers.by_score:
                mask = mask | carriers.find(self.scored_by("champion"))
            self._carrier_masks[key] = mask
        return self._carrier_masks[key]

    @staticmethod
    def _carriers_key(carriers: Carriers, *, paired: bool) -> tuple[object, bool]:
        return carriers.find, paired and carriers.by_score

    @cached_property
    def _carrier_masks(self) -> dict[tuple[object, bool], NDArray[np.bool_]]:
        return {}

    @cached_property
    def _carrying(self) -> dict[tuple[object, bool], Units]:
        return {}

    @cached_property
    def _class_rows(self) -> dict[tuple[object, bool], Floats]:
        return {}

    @cached_property
    def n(self) -> Floats:
        """How many rows of each group have weight (S,)."""
        if self.rows.weight is None:
            return self.units.weighted_units if self.rows.cluster is None else self.units.total(self.units.size)
        if self.groups.code is None:
            return np.array([float(self.rows.n)])
        counting = (self.rows.weight > 0).astype(np.float64)
        return np.bincount(self.groups.code, weights=counting, minlength=self.groups.count).astype(np.float64)

    @property
    def clusters(self) -> Floats | None:
        """How many clusters of each group have rows with weight (S,); None if rows are not clustered."""
        return None if self.rows.cluster is None else self.units.weighted_units


def scale_weights(weight: Floats) -> Floats:
    """Weights scaled by a power of two to at most 1: that is exact, and sums cannot overflow."""
    _, exponent = np.frexp(weight.max(initial=0.0))
    scaled: Floats = np.ldexp(weight, -exponent)
    return scaled


def cross_columns(columns: Sequence[CodedColumn]) -> Groups:
    """The groups formed by the combinations of values that occur in some columns, in order of their values.

    Raises:
        UnjudgeableError: there are more than 10,000 groups.
    """
    code = np.asarray(columns[0].codes, dtype=np.intp)
    keys: list[tuple[str, ...]] = [(str(value),) for value in columns[0].values]
    code, keys = _drop_empty(code, keys)
    for column in columns[1:]:
        values = [str(value) for value in column.values]
        if len(keys) * len(values) > MAX_GROUPS**2:
            raise _too_many(len(keys) * len(values))
        code = code * len(values) + column.codes
        code, keys = _drop_empty(code, [(*key, value) for key in keys for value in values])
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order == list(range(len(keys))):
        return Groups(keys=tuple(keys), code=code)
    place = np.empty(len(keys), dtype=np.intp)
    place[order] = np.arange(len(keys))
    return Groups(keys=tuple(keys[index] for index in order), code=place[code])


def _drop_empty(code: Codes, keys: list[tuple[str, ...]]) -> tuple[Codes, list[tuple[str, ...]]]:
    """Codes and keys without the keys that no row has."""
    present = np.bincount(code, minlength=len(keys)) > 0
    if np.count_nonzero(present) > MAX_GROUPS:
        raise _too_many(int(np.count_nonzero(present)))
    if np.all(present):
        return code, keys
    return (np.cumsum(present) - 1)[code], [keys[index] for index in np.flatnonzero(present)]


def _too_many(count: int) -> UnjudgeableError:
    return UnjudgeableError(f"the slice columns form {count:,} groups", expected=f"at most {MAX_GROUPS:,}")
