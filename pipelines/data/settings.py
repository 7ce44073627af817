"""The keys of conf/data/*.yaml and conf/train/*.yaml, as frozen records. No key has a default in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from lockgate.gates.durations import is_month
from lockgate.gates.errors import DataError
from lockgate.gates.strictness import Category, Changed, Direction, Given, Members, Parts

if TYPE_CHECKING:
    import numpy as np


def parse_month(period: str, *, where: str) -> np.datetime64:
    """The month as datetime64[M]; years 0001 to 9999. `where` names what the user wrote it in.

    Raises:
        DataError: anything but YYYY-MM, such as 2013-13, 2013-1 or a number.
    """
    import numpy as np

    if not isinstance(period, str) or not is_month(period):
        raise DataError(f"{period!r} is not a month", expected="YYYY-MM, such as 2013-10", where=where)
    return np.datetime64(period, "M")


def next_period(as_of: str) -> str:
    """The month after `as_of`: 2013-12 gives 2014-01. Raises DataError if that is not a month, or 9999-12."""
    following = str(parse_month(as_of, where="as_of") + 1)
    if len(following) != 7:
        raise DataError(f"no month follows {as_of}", expected="a month before 9999-12", where="as_of")
    return following


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


class MonthHoldout(BaseModel):
    """The month `as_of` is held out, earlier rows train, and the month after it is predicted. Needs `time`."""

    model_config = _RULES
    kind: Literal["month"]


class RollingHoldout(BaseModel):
    """The last `months` months up to `as_of` are held out, each scored by a model that was trained before it.

    The model that is promoted is that of the month `as_of`. Needs `time`.
    """

    model_config = _RULES
    kind: Literal["rolling"]
    months: Annotated[int, Field(ge=2, le=120), _HELD_OUT]


class FractionHoldout(BaseModel):
    """About `share` of the rows are held out, chosen by a hash of the row id, which is the same on every machine.

    If `cluster` is declared, its value is hashed instead, so that no cluster is divided.
    """

    model_config = _RULES
    kind: Literal["fraction"]
    share: Annotated[float, Field(gt=0, lt=1), _HELD_OUT]


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
    task: Annotated[Literal["binary", "regression"], _HELD_OUT]  # the gates can judge other tasks as well
    target: Annotated[Column, _HELD_OUT]
    positive: Annotated[bool | int | float | str | None, _HELD_OUT]
    key: Annotated[SomeColumns | None, _HELD_OUT]
    time: Annotated[Column | None, _HELD_OUT]
    holdout: Annotated[
        MonthHoldout | RollingHoldout | FractionHoldout, Field(discriminator="kind"), Parts(Category.HOLDOUT)
    ]
    cluster: Annotated[Column | None, _CLUSTER]
    weight: Annotated[Column | None, _HELD_OUT]
    slices: Annotated[Columns, _SLICES]
    features: Annotated[SomeColumns | None, _HELD_OUT]
    exclude: Annotated[Columns, _EXCLUDED]
    types: Annotated[Mapping[Column, Annotated[ColumnType, BeforeValidator(_expand_type)]] | None, _HELD_OUT]
    nulls: Annotated[Words, _HELD_OUT]

    @property
    def holds_out_months(self) -> bool:
        """Whether months are held out, up to `as_of`, rather than a share of all rows."""
        return self.holdout.kind != "fraction"

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
        """The columns whose values are names, served and grouped as they are written: keys, cluster and slices."""
        return frozenset({*(self.key or ()), *self.slices, *([self.cluster] if self.cluster else ())})

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.holds_out_months and self.time is None:
            kind = self.holdout.kind
            raise ValueError(f"holdout {{kind: {kind}}} needs time, the column that says when a row happened")
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
    months: Annotated[int, Field(ge=1, le=1200)] | None
    columns: SomeColumns | None


EVERY_ROW = TrainSettings(months=None, columns=None)
"""No restriction, for splits of which only the holdout is used."""
