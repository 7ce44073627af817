from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.durations import Duration, parse_duration
from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import MAX_INTEGER, Check, Reads, Text
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.kinds import data_measures
from lockgate.gates.kinds.data_measures import Measurement
from lockgate.gates.records.outcome import Outcome, Verdict, summarise_parts, worst_verdict
from lockgate.gates.strictness import Category, Direction, Keyed, Members, higher, lower

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Columns = Annotated[tuple[Annotated[Text, Field(min_length=1)], ...], Field(min_length=1, strict=False)]


def _check_limits(limits: Mapping[str, float]) -> Mapping[str, float]:
    if not limits:
        raise PydanticCustomError("limits", "neither min nor max is given; expected one of them or both")
    if limits.get("min", 0.0) > limits.get("max", 1.0):
        raise PydanticCustomError("limits", "min is above max; expected min <= max")
    return limits


_WITHIN = Keyed({"min": higher(Category.FLOOR), "max": lower(Category.FLOOR)})
_ASKED = Members(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER)


class Data(Check):
    """The data are fit to judge on: enough rows, few gaps, all required columns and none that is banned.

        sound: {kind: data, min_rows: 5000, max_missing: 0.2, banned_columns: [dep_delay, arr_time], max_age: 45d}

    | key | |
    |---|---|
    | `min_rows`, `min_clusters` | how many rows of the holdout must count, in how many clusters |
    | `label_rate` | `{min: …, max: …}`, one or both: limits of the share of label 1 in the holdout, by weight; for task binary |
    | `max_missing` | the largest share of missing values that a feature may have, in the holdout or in the training rows |
    | `require_columns`, `banned_columns` | features that the model must take, and must not take; names are compared without regard to case, blanks, - and _ |
    | `types` | feature → `number` or `name`: the type that each of these features must have |
    | `max_age` | days or hours, as 45d or 12h: how old the newest row may be, by `time` in the evidence, else by the end of the facts' `as_of`, else by their `scored_at` |

    At least one key must be given; each is one of the outcome's `parts`. Rows, clusters, labels and times come from the
    evidence; the features, their types and their missing values are what the run says. `max_age` needs the time of the
    judgement; times without a zone are taken as UTC. Needs no champion.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.FACTS
    part_noun: ClassVar[str] = "measure"
    unplanned: ClassVar[str] = "it counts rows, gaps and columns: nothing is estimated"
    example: ClassVar[Mapping[str, Any]] = {"kind": "data", "max_missing": 0.1, "banned_columns": ["outcome"]}

    kind: Literal["data"]
    min_rows: Annotated[Count | None, higher(Category.ROWS)] = None
    min_clusters: Annotated[Count | None, higher(Category.ROWS)] = None
    label_rate: Annotated[
        Annotated[Mapping[Literal["min", "max"], Share], AfterValidator(_check_limits)] | None, _WITHIN
    ] = None
    max_missing: Annotated[Share | None, lower(Category.FLOOR)] = None
    require_columns: Annotated[Columns | None, _ASKED] = None
    banned_columns: Annotated[Columns | None, _ASKED] = None
    types: Annotated[Annotated[Mapping[Text, Literal["number", "name"]], Field(min_length=1)] | None, _ASKED] = None
    max_age: Annotated[Duration | None, lower(Category.FLOOR, size=parse_duration)] = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self._declared_keys:
            keys = ", ".join(sorted(set(type(self).model_fields) - set(Check.model_fields)))
            raise PydanticCustomError("nothing", "nothing is asked of the data; expected one of {keys}", {"keys": keys})
        return self

    @property
    def _declared_keys(self) -> tuple[str, ...]:
        own = [name for name in type(self).model_fields if name not in Check.model_fields]
        return tuple(name for name in own if getattr(self, name) is not None)

    @property
    def rule(self) -> str:
        return f"{', '.join(self._declared_keys)} as declared"

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        misfits = {}
        if self.label_rate is not None and table.task != "binary":
            misfits["label_rate"] = f"task {table.task} has no rate of label 1; expected task binary"
        if self.min_clusters is not None and not table.has_clusters:
            misfits["min_clusters"] = "the table has no clusters; expected data.cluster"
        return misfits

    def judge(self, name: str, case: Case) -> Outcome:
        parts = tuple(self._part(key, case) for key in self._declared_keys)
        verdict = worst_verdict([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{summarise_parts(parts, self.part_noun)}; {decisive.name}: {decisive.message}",
            case,
            parts=parts,
            metric=decisive.metric,
            observed=decisive.observed,
        )

    def _part(self, key: str, case: Case) -> Outcome:
        try:
            measurement = MEASURE_OF_KEY[key](case, getattr(self, key))
        except UnjudgeableError as err:
            return self.outcome(key, Verdict.ERROR, str(err), case)
        verdict = Verdict.PASS if measurement.passed else Verdict.FAIL
        return self.outcome(key, verdict, measurement.message, case, metric=key, observed=measurement.observed)


MEASURE_OF_KEY: dict[str, Callable[[Case, Any], Measurement]] = {
    "min_rows": data_measures.measure_rows,
    "min_clusters": data_measures.measure_clusters,
    "label_rate": data_measures.measure_label_rate,
    "max_missing": data_measures.measure_missing,
    "require_columns": data_measures.measure_required_columns,
    "banned_columns": data_measures.measure_banned_columns,
    "types": data_measures.measure_types,
    "max_age": data_measures.measure_newest_row,
}
"""The measure of each key."""
