"""What gates share that look at groups of rows: their keys, and what a group is a part of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.case import Case, too_few
from lockgate.gates.gate.check import MOST, Check, MetricName, Text
from lockgate.gates.gate.limits import Bounds
from lockgate.gates.metrics.rows import Split
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.stats.scored import Floats
from lockgate.gates.strictness import Category, Depends, Direction, Finding, Members, Place, Ranked, finding, higher

Name = Annotated[Text, Field(min_length=1)]


class SmallestJudged:
    """Of slices that are skipped when they are small: more rows leave slices out, fewer judge slices on little."""

    def compare(self, before: int, after: int, place: Place) -> Iterator[Finding]:
        if after > before:
            why = "small slices are skipped: more of them are no longer looked at"
            yield finding(Category.GATES, Direction.WEAKER, place.where, before, after, why)
        else:
            why = "more slices are looked at, but on fewer rows, on which less harm can be proven"
            yield finding(Category.ROWS, Direction.REVIEW, place.where, before, after, why)


_COLUMNS = Members(Category.GATES, added=Direction.REVIEW, removed=Direction.WEAKER)
"""By one column less, harm in part of a group does not show; by one more, groups are smaller."""
_WHEN_SMALL = Ranked(Category.WAIVER, ("skip", "inconclusive", "block"), "small slices no longer stop a model")
_SMALLEST = Depends("small_slice", {"skip": SmallestJudged()}, otherwise=higher(Category.ROWS))
_SMALL = {"inconclusive": Verdict.INCONCLUSIVE, "skip": Verdict.SKIP, "block": Verdict.FAIL}


class Grouped(Check):
    """Keys of every gate that looks at groups."""

    by: Annotated[Name | Annotated[tuple[Name, ...], Field(min_length=1, strict=False)], _COLUMNS]
    metric: MetricName
    min_rows: Annotated[int, Field(ge=1, le=MOST), _SMALLEST]
    small_slice: Annotated[Literal["inconclusive", "skip", "block"], _WHEN_SMALL]

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise PydanticCustomError("by", "by names a column twice; expected different slice columns")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The slice columns."""
        return (self.by,) if isinstance(self.by, str) else self.by

    @property
    def by_columns(self) -> str:
        """The slice columns, in words."""
        return " and ".join(self.columns)

    def unfit(self, split: Split, at: int, value: float, case: Case) -> tuple[Verdict, str] | None:
        """What a group counts as that cannot be judged, and why; None where it can be."""
        if split.n.item(at) < self.min_rows:
            asked = f"at least {self.min_rows} are asked; small_slice: {self.small_slice}"
            return _SMALL[self.small_slice], f"{split.n[at]:.0f} rows, {asked}"
        if few := too_few(clusters_of(split, at), case.min_clusters):
            return Verdict.INCONCLUSIVE, few
        if not math.isfinite(value):
            needs = case.metric(self.metric).needs
            return Verdict.ERROR, f"{self.metric} is undefined on these rows; it needs {needs}"
        return None

    def part(
        self,
        split: Split,
        at: int,
        verdict: Verdict,
        message: str,
        case: Case,
        *,
        value: float,
        bounds: Bounds | None,
        p: float | None = None,
    ) -> Outcome:
        """What is found of one group."""
        return self.outcome(
            split.groups.names[at],
            verdict,
            message,
            case,
            metric=self.metric,
            observed=value,
            bounds=bounds,
            level=case.confidence,
            p=p,
            rows=split.n.item(at),
            clusters=clusters_of(split, at),
        )


def clusters_of(split: Split, at: int) -> float | None:
    """How many clusters a group has; None where rows are not clustered."""
    clusters = split.clusters
    return None if clusters is None else clusters.item(at)


def bounds_of(low: Floats, high: Floats, at: int) -> Bounds | None:
    """A group's bounds; None where no error can be shown."""
    bounds = low.item(at), high.item(at)
    return None if any(map(math.isnan, bounds)) else bounds
