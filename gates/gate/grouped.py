"""What gates over groups of rows share: their keys, and how each group becomes a part of the outcome."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import MAX_INTEGER, Check, ComparedMetricName, Text
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.records.numbers import Bounds
from lockgate.gates.records.outcome import Information, Outcome, Verdict
from lockgate.gates.stats.scored import Floats
from lockgate.gates.strictness import (
    Category,
    Depends,
    Direction,
    Finding,
    Members,
    Place,
    Ranked,
    higher,
    make_finding,
)

ColumnName = Annotated[Text, Field(min_length=1)]


class SmallestJudged:
    """The rule of `min_rows` where small slices are skipped: neither direction is plainly stricter.

    A higher number leaves more slices out, a lower one judges slices on which little harm can be proven.
    """

    def compare(self, before: int, after: int, place: Place) -> Iterator[Finding]:
        if after > before:
            why = "small slices are skipped: more of them are no longer looked at"
            yield make_finding(Category.GATES, Direction.WEAKER, place.where, before, after, why)
        else:
            why = "more slices are looked at, but on fewer rows, on which less harm can be proven"
            yield make_finding(Category.ROWS, Direction.REVIEW, place.where, before, after, why)


_COLUMNS = Members(Category.GATES, added=Direction.REVIEW, removed=Direction.WEAKER)
"""Without a column, harm in part of a group goes unseen; with one more, groups are smaller and show less."""
_WHEN_SMALL = Ranked(Category.WAIVER, ("skip", "inconclusive", "block"), "small slices no longer stop a model")
_SMALLEST = Depends("small_slice", {"skip": SmallestJudged()}, otherwise=higher(Category.ROWS))
_SMALL = {"inconclusive": Verdict.INCONCLUSIVE, "skip": Verdict.SKIP, "block": Verdict.FAIL}


class Grouped(Check):
    """Keys of every gate that looks at groups."""

    by: Annotated[ColumnName | Annotated[tuple[ColumnName, ...], Field(min_length=1, strict=False)], _COLUMNS]
    metric: ComparedMetricName
    min_rows: Annotated[int, Field(ge=1, le=MAX_INTEGER), _SMALLEST]
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

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        problem = table.explain_columns(self.columns)
        return {**super().list_misfits(table), **({"by": problem} if problem else {})}

    def unfit_verdict(
        self, split: GroupedRows, group: int, value: float, case: Case, information: Information
    ) -> tuple[Verdict, str] | None:
        """Verdict and message for a group that cannot be judged; None where it can be."""
        if split.n.item(group) < self.min_rows:
            required = f"at least {self.min_rows} are asked; small_slice: {self.small_slice}"
            return _SMALL[self.small_slice], f"{split.n[group]:.0f} rows, {required}"
        if few := case.explain_few_clusters(information):
            return Verdict.INCONCLUSIVE, few
        if (information.class_rows or not math.isnan(value)) and (few := case.explain_few_class_rows(information)):
            return _SMALL[self.small_slice], f"{few}; small_slice: {self.small_slice}"
        if not math.isfinite(value):
            needs = case.metric(self.metric).needs
            return Verdict.ERROR, f"{self.metric} is undefined on these rows; it needs {needs}"
        return None

    def part(
        self,
        split: GroupedRows,
        group: int,
        verdict: Verdict,
        message: str,
        case: Case,
        *,
        value: float,
        bounds: Bounds | None,
        information: Information,
        p: float | None = None,
    ) -> Outcome:
        """The outcome of one group."""
        return self.outcome(
            split.groups.names[group],
            verdict,
            message,
            case,
            metric=self.metric,
            observed=value,
            bounds=bounds,
            level=case.confidence,
            p=p,
            rows=split.n.item(group),
            clusters=group_clusters(split, group),
            information=information,
        )


def group_clusters(split: GroupedRows, group: int) -> float | None:
    """How many clusters a group has; None where rows are not clustered."""
    clusters = split.clusters
    return None if clusters is None else clusters.item(group)


def group_bounds(low: Floats, high: Floats, group: int) -> Bounds | None:
    """A group's bounds; None where they are NaN, as no standard error can be estimated."""
    bounds = low.item(group), high.item(group)
    return None if any(map(math.isnan, bounds)) else bounds
