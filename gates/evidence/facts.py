"""The facts that gates read: what a run says about itself, beside the rows that it scored.

Facts are claims. A gate that relies on them says so in its docstring; what can be recomputed from the rows is never
taken from here. Anybody's evidence may carry facts. Unknown keys are ignored, and so are known keys that no declared
gate reads. A key that a gate needs and that is missing or wrong makes that gate an ERROR.

| fact | value | read by |
|---|---|---|
| `predict_cpu_ms_per_1000_p50`, `predict_cpu_ms_per_1000_p99` | milliseconds of the processor that scoring 1,000 rows takes: median, 99th percentile | `resource` |
| `predict_ms_per_1000_p50`, `predict_ms_per_1000_p99` | the same by the clock | `resource` |
| `fit_seconds`, `peak_memory_mb`, `model_bytes` | numbers, not negative | `resource` |
| `features` | name → `Distribution` of a column that the model takes, in the training rows and in the holdout | `drift`, `data` |
| `schema` | name → type of a column that the model was trained on, as conf/data would declare it | nothing |
| `scores` | `Distribution` of the challenger's scores on the training rows; its `holdout` is not read | `drift` |
| `champion` | null where there is none, else `ChampionFacts` | `provenance`, `drift` |
| `challenger` | `ModelFacts` | `provenance` |
| `code` | `CodeFacts` | `provenance` |
| `data` | `DataFacts` | `provenance` |
| `scored_at` | when the rows were scored: ISO 8601 with a time zone | `provenance`, `data` |
| `as_of` | the holdout's period: 2013-10, 2013-Q4, 2013-W40 or 2013-10-05 | `data` |
| `fresh` | how many rows were fresh; the largest value, of which column, in the run's rows | the next run's choice of rows |
| `parity` | `ParityFacts` | `parity` |
| `periods` | of each period before the last: its name, its model's SHA-256, rows, `fit_seconds` | nothing |

Numbers are finite and not negative; true and false do not count as numbers.
"""  # noqa: E501 (table rows)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.mistakes import describe_mistake, locate

MAX_FEATURES = 10_000
"""Each column is parsed and compared by itself: more than this are refused rather than waited for."""

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Amount = Annotated[float, Field(ge=0)]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Counts(_Fact):
    """How many rows are in each cell, how many have a value without a cell, and how many have no value."""

    cells: Annotated[tuple[Count, ...], Field(strict=False)]
    other: Count = 0
    missing: Count = 0

    @property
    def rows(self) -> int:
        return sum(self.cells) + self.other + self.missing


class Distribution(_Fact):
    """One column in the training rows and in the holdout, counted in the same cells.

    For a number, k ascending `edges` make k + 1 cells: cell i holds edges[i − 1] < value <= edges[i], and the first and
    the last cell hold everything beyond; `other` is not used. For a name, each of the distinct `values` is a cell.
    """

    kind: Literal["number", "name"]
    edges: Annotated[tuple[float, ...], Field(strict=False)] = ()
    values: Annotated[tuple[str, ...], Field(strict=False)] = ()
    train: Counts
    holdout: Counts | None = None

    @model_validator(mode="after")
    def _cells_fit(self) -> Self:
        number = self.kind == "number"
        if number and any(low >= high for low, high in zip(self.edges[:-1], self.edges[1:], strict=True)):
            raise PydanticCustomError("edges", "the edges do not ascend; expected distinct numbers, ascending")
        if not number and len(set(self.values)) < len(self.values):
            raise PydanticCustomError("values", "a value occurs twice; expected distinct values")
        cells = len(self.edges) + 1 if number else len(self.values)
        for counts in (self.train, self.holdout):
            if counts is not None and len(counts.cells) != cells:
                raise PydanticCustomError(
                    "cells", "{got} cells are counted; expected {cells}", {"got": len(counts.cells), "cells": cells}
                )
        return self


class ModelFacts(_Fact):
    """A model: the Metaflow run that trained it, and the SHA-256 of its bytes."""

    run: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ChampionFacts(ModelFacts):
    """The model that was scored beside the challenger.

    In `features`, `train` holds the rows it was trained on, as its own run counted them, and `holdout` holds this
    holdout in the same cells.
    """

    features: Mapping[str, Any] | None = None


class CodeFacts(_Fact):
    """The commit of the code, and whether the checkout had no uncommitted changes; both null outside a checkout."""

    commit: str | None
    clean: bool | None


class DataFacts(_Fact):
    """Which rows: SHA-256 of the holdout's row ids and labels (`Evidence.holdout`), and of the sorted, distinct
    8-byte hashes of the training rows' ids."""

    holdout_sha256: str
    train_sha256: str


class ParityFacts(_Fact):
    """The model's bytes, loaded in a fresh process: how many rows it scored again, and the largest |difference|.

    Where that was not possible, `problem` says why.
    """

    rows: Count = 0
    max_difference: Amount | None = None
    python: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the judge saw of a finished run when it read its artifacts.

    Only `lockgate.gates.runs` creates one. It is never part of an evidence file, so that no run can vouch for itself.
    """

    run: str  # Metaflow pathspec
    model_sha256: str | None  # of the artifact `model`, as it was read; None where the run has none


Shape = TypeVar("Shape", bound=_Fact)
Parsed = TypeVar("Parsed")

_AMOUNT: TypeAdapter[float] = TypeAdapter(Amount, config=ConfigDict(strict=True, allow_inf_nan=False))
_DISTRIBUTION: TypeAdapter[Distribution] = TypeAdapter(Distribution)


def read_part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The mapping under `name` as it was claimed, unchecked: empty where it is missing or no mapping.

    For readers to whom both mean that nothing was claimed. A gate that needs a fact takes `parse_part`, which refuses.
    `document` is the facts, or a decision as a log entry holds it.
    """
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def parse_part(facts: Mapping[str, Any], name: str, shape: type[Shape]) -> Shape:
    """One fact, validated as `shape`. Raises UnjudgeableError, with the path, where it is missing or does not fit."""
    return _validate(TypeAdapter(shape), _require(facts, name), path=f"facts.{name}")


def parse_number(facts: Mapping[str, Any], name: str) -> float:
    """A finite number, not negative. Raises UnjudgeableError."""
    value: float = _validate(_AMOUNT, _require(facts, name), path=f"facts.{name}")
    return value


def parse_time(facts: Mapping[str, Any], name: str) -> datetime:
    """A time with its zone. Raises UnjudgeableError."""
    text = _require(facts, name)
    expected = "ISO 8601 with a time zone, as in 2013-10-31T12:00:00+00:00"
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UnjudgeableError(f"got {repr(text)[:80]}", expected=expected, where=f"facts.{name}")
    return time


def check_features(value: Any, *, path: str) -> dict[str, Any]:
    """Distributions by column, none of them parsed yet. Raises UnjudgeableError for no mapping, or too many columns."""
    if not isinstance(value, Mapping) or not value:
        raise UnjudgeableError(
            "the run did not say how its features are distributed",
            expected="a column's name → its distribution",
            where=path,
            hint="evaluate again",
        )
    if len(value) > MAX_FEATURES:
        raise UnjudgeableError(f"{len(value):,} features", expected=f"at most {MAX_FEATURES:,}", where=path)
    return dict(value)


def parse_distribution(value: Any, *, path: str) -> Distribution:
    """One column's distribution. Raises UnjudgeableError, with the path within it."""
    return _validate(_DISTRIBUTION, value, path=path)


def _require(facts: Mapping[str, Any], name: str) -> Any:
    if name not in facts:
        raise UnjudgeableError("the run did not say", expected="a value", where=f"facts.{name}", hint="evaluate again")
    return facts[name]


def _validate(shape: TypeAdapter[Parsed], value: Any, *, path: str) -> Parsed:
    try:
        return shape.validate_python(value)
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        raise UnjudgeableError(describe_mistake(first, locate(first["loc"], shape.core_schema), where=path)) from err
