"""The keys of conf/data/*.yaml and conf/train/*.yaml, as frozen records. No key has a default in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lockgate.gates.durations import period_kind
from lockgate.gates.errors import DataError
from lockgate.gates.strictness import Category, Changed, Direction, Given, Members, Parts
from lockgate.pipelines.data.times import EXAMPLES, LATEST, PeriodKind, check_zone, parse_instant

Column = Annotated[str, StringConstraints(min_length=1)]


def _check_distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"names a column twice: {', '.join(repeated)}")
    return names


# YAML has lists where the record has tuples, so the outer type is lax
Columns = Annotated[tuple[Column, ...], Field(strict=False), AfterValidator(_check_distinct)]
SomeColumns = Annotated[tuple[Column, ...], Field(strict=False, min_length=1), AfterValidator(_check_distinct)]

_RULES = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_HELD_OUT = Changed(Category.HOLDOUT)
_OTHER_LOG = Changed(
    Category.LOOKS, why="another project has another log, in which no look was taken and no model reigns"
)
_CLUSTER = Given(Category.HOLDOUT, "rows that depend on each other count as independent: intervals become too narrow")
_SLICES = Members(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER)
_EXCLUDED = Members(Category.HOLDOUT, added=Direction.TIGHTER, removed=Direction.WEAKER)


_ELSEWHERE = Changed(Category.DEFAULT, why="other rows are predicted; what is judged stays")


class PeriodHoldout(BaseModel):
    """The period `as_of` is held out, earlier rows train, and the period after it is predicted. Needs `time`."""

    model_config = _RULES
    kind: Literal["period"]


class RollingHoldout(BaseModel):
    """The last `periods` periods up to `as_of` are held out, each scored by a model that was trained before it.

    The model that is promoted is that of the period `as_of`. Needs `time`.
    """

    model_config = _RULES
    kind: Literal["rolling"]
    periods: Annotated[int, Field(ge=2, le=1000), _HELD_OUT]


class CutoffHoldout(BaseModel):
    """Rows from the time `from` on are held out, earlier rows train. Needs `time`."""

    model_config = ConfigDict(**_RULES, serialize_by_alias=True)
    kind: Literal["cutoff"]
    start: Annotated[str, Field(alias="from"), _HELD_OUT]  # a date or timestamp, local in `zone` without an offset


class ColumnHoldout(BaseModel):
    """Rows whose `column` says `holdout` are held out, all others train."""

    model_config = _RULES
    kind: Literal["column"]
    column: Annotated[Column, _HELD_OUT]
    holdout: Annotated[str | int | bool, _HELD_OUT]


class FractionHoldout(BaseModel):
    """About `share` of the rows are held out, chosen by a hash of the row id, which is the same on every machine.

    If `cluster` is declared, its value is hashed instead, so that no cluster is divided.
    """

    model_config = _RULES
    kind: Literal["fraction"]
    share: Annotated[float, Field(gt=0, lt=1), _HELD_OUT]


class FreshHoldout(BaseModel):
    """About `share` of the fresh rows are held out, by the same hash as a fraction; all other rows train.

    Fresh rows are those that the run of the reigning champion did not have: whose number or time in the column `by` is
    beyond the largest that the run had; without `by`, in periods of `time` after the run's last; without `time`, whose
    row id was neither trained on nor held out. Without a champion all rows are fresh.
    """

    model_config = _RULES
    kind: Literal["fresh"]
    share: Annotated[float, Field(gt=0, lt=1), _HELD_OUT]
    by: Annotated[Column | None, _HELD_OUT]


Holdout = PeriodHoldout | RollingHoldout | CutoffHoldout | ColumnHoldout | FractionHoldout | FreshHoldout


class ScoreTable(BaseModel):
    """The rows to predict, where they are not in the table that is learned from: the same columns less the target."""

    model_config = _RULES
    path: Annotated[str, _ELSEWHERE]


def check_as_of(name: str, kind: PeriodKind) -> str:
    """The name of a period of this kind, or `latest`. Raises ValueError for anything else."""
    if name != LATEST and period_kind(name) != kind:
        raise ValueError(
            f"got {name[:40]!r}; expected a {kind}, as in {EXAMPLES[kind].partition('such as ')[2]}, or {LATEST}"
        )
    return name


TypeName = Literal["text", "integer", "decimal", "timestamp", "date", "boolean", "category"]

Words = Annotated[tuple[str, ...], Field(strict=False)]


class ColumnType(BaseModel):
    """The type of one column, and the words that mean missing in it; null = those of `data.nulls`."""

    model_config = _RULES
    type: Annotated[TypeName, _HELD_OUT]
    nulls: Annotated[Words | None, _HELD_OUT]


def _expand_type(declared: Any) -> Any:
    """`decimal` is short for `{type: decimal, nulls: null}`."""
    return {"type": declared, "nulls": None} if isinstance(declared, str) else declared


class DataSettings(BaseModel):
    """A table: where it is, what is predicted, what identifies a row, and what is held out."""

    model_config = _RULES
    project: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$"), _OTHER_LOG]
    source: Annotated[str, _HELD_OUT]
    path: Annotated[str | None, _HELD_OUT]
    score: Annotated[ScoreTable | None, _ELSEWHERE]
    task: Annotated[Literal["binary", "regression"], _HELD_OUT]  # the gates can judge other tasks as well
    target: Annotated[Column, _HELD_OUT]
    positive: Annotated[bool | int | float | str | None, _HELD_OUT]
    key: Annotated[SomeColumns | None, _HELD_OUT]
    time: Annotated[Column | None, _HELD_OUT]
    zone: Annotated[str, AfterValidator(check_zone), _HELD_OUT]
    period: Annotated[PeriodKind, _HELD_OUT]
    as_of: Annotated[str, _HELD_OUT]  # where the key `as_of` of conf/config.yaml is null
    holdout: Annotated[Holdout, Field(discriminator="kind"), Parts(Category.HOLDOUT)]
    cluster: Annotated[Column | None, _CLUSTER]
    weight: Annotated[Column | None, _HELD_OUT]
    slices: Annotated[Columns, _SLICES]
    features: Annotated[SomeColumns | None, _HELD_OUT]
    exclude: Annotated[Columns, _EXCLUDED]
    types: Annotated[Mapping[Column, Annotated[ColumnType, BeforeValidator(_expand_type)]] | None, _HELD_OUT]
    nulls: Annotated[Words, _HELD_OUT]

    @property
    def holds_out_periods(self) -> bool:
        """Whether periods are held out, up to `as_of`, rather than rows chosen otherwise."""
        return self.holdout.kind in ("period", "rolling")

    @property
    def holdout_column(self) -> str | None:
        """The column that says which rows are held out, or are fresh: it is no feature unless it is declared as one."""
        if isinstance(self.holdout, ColumnHoldout):
            return self.holdout.column
        return self.holdout.by if isinstance(self.holdout, FreshHoldout) else None

    @field_validator("as_of")
    @classmethod
    def _names_period(cls, value: str, info: ValidationInfo) -> str:
        return check_as_of(value, info.data["period"]) if "period" in info.data else value

    @property
    def named_columns(self) -> dict[str, str]:
        """The columns that are declared by name, each with the first key that names it, such as `data.target`."""
        lists = {
            "key": self.key or (),
            "cluster": (self.cluster,),
            "slices": self.slices,
            "target": (self.target,),
            "time": (self.time,),
            "weight": (self.weight,),
            "features": self.features or (),
            "exclude": self.exclude,
            f"holdout.{'column' if self.holdout.kind == 'column' else 'by'}": (self.holdout_column,),
            "types": tuple(self.types or ()),
        }
        keys: dict[str, str] = {}
        for key, names in lists.items():
            for name in names:
                if name is not None:
                    keys.setdefault(name, f"data.{key}")
        return keys

    @property
    def label_columns(self) -> frozenset[str]:
        """The columns whose values are names, taken as they are written: keys, cluster, slices, and that of a split."""
        split = self.holdout.column if isinstance(self.holdout, ColumnHoldout) else None
        return frozenset(name for name in (*(self.key or ()), *self.slices, self.cluster, split) if name is not None)

    @property
    def value_columns(self) -> frozenset[str]:
        """The columns beside features whose values have a type: target, weight, and what says which rows are fresh."""
        by = self.holdout.by if isinstance(self.holdout, FreshHoldout) else None
        return frozenset(name for name in (self.target, self.weight, by) if name is not None)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.time is None and (self.holds_out_periods or isinstance(self.holdout, CutoffHoldout)):
            kind = self.holdout.kind
            raise ValueError(f"holdout {{kind: {kind}}} needs time, the column that says when a row happened")
        if isinstance(self.holdout, CutoffHoldout):
            try:
                parse_instant(self.holdout.start, self, where="holdout.from")
            except DataError as err:
                raise ValueError(f"holdout.from is no time: {self.holdout.start[:40]!r}; expected 2013-10-05") from err
        if self.positive is not None and self.task != "binary":
            raise ValueError(f"positive is for task binary, not {self.task}")
        features: Sequence[str] = self.features or ()
        if self.target in features:
            raise ValueError(f"features contain the target {self.target!r}")
        if both := sorted(set(features) & set(self.exclude)):
            raise ValueError(f"features and exclude both name {', '.join(both)}")
        return self


class TrainSettings(BaseModel):
    """Which rows and columns a model learns from."""

    model_config = _RULES
    periods: Annotated[int, Field(ge=1, le=100_000)] | None
    columns: SomeColumns | None


EVERY_ROW = TrainSettings(periods=None, columns=None)
"""No restriction, for splits of which only the holdout is used."""
