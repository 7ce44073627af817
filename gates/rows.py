"""The rows that gates look at, both models' scores on them, and how they are split into groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from gates.arrow_columns import Coded
from gates.errors import UnjudgeableError
from gates.metrics.metric import Hits, Linear, Metric, linear_share
from gates.stats.clusters import Units
from gates.stats.scored import Ascending, Codes, Floats, Scored, by_score

MANY_ROWS = 100_000
"""From here on both models' scores are sorted at the same time, each in a thread of its own."""

MAX_GROUPS = 10_000
"""More groups than this cannot be looked at one by one."""

Model = Literal["challenger", "champion"]


@dataclass(frozen=True, kw_only=True)
class Groups:
    """A partition of the rows: `code` (n,) gives each row's place in `names`; None where all are one group."""

    names: tuple[str, ...]
    code: Codes | None

    @property
    def count(self) -> int:
        return len(self.names)


EVERYTHING = Groups(names=("",), code=None)


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
            if self.champion is None:
                raise ValueError("rows without a champion have no scores of it")
            if self.label.size < MANY_ROWS:
                ours, theirs = (loss(self.label, score) for score in (self.challenger, self.champion))
            else:
                with ThreadPoolExecutor(2) as threads:
                    ours, theirs = threads.map(loss, (self.label, self.label), (self.challenger, self.champion))
            self._lost[name] = ours - theirs
        return self._lost[name]

    @cached_property
    def _lost(self) -> dict[str, Floats]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows, split into groups."""

    rows: Rows
    groups: Groups = EVERYTHING

    def scored(self, model: Model) -> Scored:
        """One model's scores. Raises ValueError where there is no champion."""
        rows = self.rows
        score = rows.challenger if model == "challenger" else rows.champion
        if score is None:
            raise ValueError("rows without a champion have no scores of it")
        return Scored(
            label=rows.label, score=score, weight=rows.weight, code=self.groups.code, groups=self.groups.count,
            query=rows.query, ascending=(lambda: rows.ascending[model]) if score.ndim == 1 else None,
        )  # fmt: skip

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
            return Linear(value, lost - scored.spread(value))
        if metric.hits is not None:
            scored, former = self.scored("challenger"), self.scored("champion")
            ours_hit, theirs_hit = (metric.hits(one.label, one.score) for one in (scored, former))
            return linear_share(Hits(ours_hit.hit - theirs_hit.hit, ours_hit.among), scored)
        if metric.name in self._linear or self.rows.label.size < MANY_ROWS:
            ours, theirs = self.linear(metric), metric.linearise(self.scored("champion"))
        else:
            with ThreadPoolExecutor(2) as threads:
                ours, theirs = threads.map(metric.linearise, (self.scored("challenger"), self.scored("champion")))
        influence = ours.influence if metric.name not in self._linear else ours.influence.copy()
        influence -= theirs.influence
        return Linear(ours.value - theirs.value, influence)

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
        rows, groups = self.rows, self.groups
        if groups.code is None:
            return np.array([float(rows.n)])
        counting = None if rows.weight is None else (rows.weight > 0).astype(np.float64)
        return np.bincount(groups.code, weights=counting, minlength=groups.count).astype(np.float64)

    @property
    def clusters(self) -> Floats | None:
        """How many clusters of each group have rows that count (S,); None where rows are not clustered."""
        return None if self.rows.cluster is None else self.units.carried


def relative(weight: Floats) -> Floats:
    """Weights of at most 1, scaled by a power of two: exact, and out of reach of overflow."""
    _, exponent = np.frexp(weight.max(initial=0.0))
    scaled: Floats = np.ldexp(weight, -exponent)
    return scaled


def crossed(columns: Sequence[Coded]) -> Groups:
    """The groups that the values of some columns form together: those that occur, named `UA` or `UA, EWR`.

    Raises:
        UnjudgeableError: more than 10,000 of them.
    """
    code = np.asarray(columns[0].codes, dtype=np.intp)
    names: list[tuple[str, ...]] = [(str(value),) for value in columns[0].values]
    code, names = _present(code, names)
    for column in columns[1:]:
        values = [str(value) for value in column.values]
        if len(names) * len(values) > MAX_GROUPS**2:
            raise _too_many(len(names) * len(values))
        code = code * len(values) + column.codes
        code, names = _present(code, [(*name, value) for name in names for value in values])
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), dtype=np.intp)
    place[order] = np.arange(len(names))
    return Groups(names=tuple(", ".join(names[at]) for at in order), code=place[code])


def _present(code: Codes, names: list[tuple[str, ...]]) -> tuple[Codes, list[tuple[str, ...]]]:
    held = np.bincount(code, minlength=len(names)) > 0
    if np.count_nonzero(held) > MAX_GROUPS:
        raise _too_many(int(np.count_nonzero(held)))
    return (np.cumsum(held) - 1)[code], [names[at] for at in np.flatnonzero(held)]


def _too_many(count: int) -> UnjudgeableError:
    return UnjudgeableError(f"the slice columns form {count:,} groups", expected=f"at most {MAX_GROUPS:,}")
