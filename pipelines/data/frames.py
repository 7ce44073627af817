"""The declared table, read and checked: the one place that turns a source's columns into roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gates.errors import DataError
from pipelines.data import columns
from pipelines.data.wording import meant, options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from pipelines.data.settings import DataSettings

Read = Callable[["DataSettings", Path], "pd.DataFrame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows of one table, in the source's order; every array is (n,) and aligned with `frame`."""

    frame: pd.DataFrame  # the declared features: float64, or object with str and NaN
    row_ids: NDArray[np.object_]  # str, unique: the key's columns joined by "/", or the row's number
    labels: NDArray[np.float64]  # NaN where there is no outcome
    times: NDArray[np.datetime64] | None  # datetime64[us]
    clusters: NDArray[np.object_] | None  # str
    weights: NDArray[np.float64] | None  # finite, not negative
    slices: Mapping[str, NDArray[np.object_]]  # str; "(missing)" where there is no value


def build(raw: pd.DataFrame, data: DataSettings) -> Table:
    """The table that `data` declares, from a source's frame (n, any columns); n is at least 1.

    Raises:
        DataError: an empty table, a column that is missing or of the wrong type, or a key that repeats.
    """
    if raw.empty:
        raise DataError(f"{_source(data)} has no rows", expected="at least one", where="data")
    if not raw.columns.is_unique:
        repeated = sorted({str(name) for name in raw.columns[raw.columns.duplicated()]})
        raise DataError(f"{_source(data)} has two columns {repeated[0]!r}", expected="distinct names", where="data")

    def column(name: str, where: str) -> pd.Series:
        if name not in raw.columns:
            raise DataError(
                f"column {name!r} is not in {_source(data)}",
                expected=options(raw.columns),
                where=where,
                hint=meant(name, raw.columns),
            )
        return raw[name].reset_index(drop=True)

    def text(name: str, where: str, *, missing: str | None = None) -> NDArray[np.object_]:
        return columns.names(column(name, where), where=where, missing=missing)

    for name in data.exclude:
        column(name, "data.exclude")
    return Table(
        labels=columns.labels(column(data.target, "data.target"), data),
        row_ids=_row_ids([column(name, "data.key") for name in data.key or ()], len(raw)),
        times=None if data.time is None else columns.times(column(data.time, "data.time"), where="data.time"),
        clusters=None if data.cluster is None else text(data.cluster, "data.cluster"),
        weights=None if data.weight is None else _weights(column(data.weight, "data.weight")),
        slices={name: text(name, "data.slices", missing=columns.MISSING) for name in data.slices},
        frame=_features({name: column(name, "data.features") for name in feature_names(raw, data)}),
    )


def feature_names(raw: pd.DataFrame, data: DataSettings) -> tuple[str, ...]:
    """The declared features; where none are declared, all columns that have no other role, in the source's order."""
    if data.features is not None:
        return data.features
    taken = {data.target, data.time, data.cluster, data.weight, *(data.key or ()), *data.exclude}
    return tuple(name for name in map(str, raw.columns) if name not in taken)


def _features(wanted: Mapping[str, pd.Series]) -> pd.DataFrame:
    import pandas as pd

    if not wanted:
        raise DataError("no column is left to learn from", expected="at least one", where="data.features")
    return pd.DataFrame({name: columns.feature(series, where="data.features") for name, series in wanted.items()})


def _row_ids(key: list[pd.Series], rows: int) -> NDArray[np.object_]:
    import numpy as np
    import pandas as pd

    if not key:
        return np.array([str(number) for number in range(rows)], dtype=object)
    parts = [pd.Series(columns.names(column, where="data.key"), dtype=object) for column in key]
    if len(parts) > 1:  # "a/b" + "c" and "a" + "b/c" stay apart
        parts = [part.str.replace("%", "%25").str.replace("/", "%2F") for part in parts]
    ids = pd.Series(["/".join(row) for row in zip(*parts, strict=True)], dtype=object)
    if ids.duplicated().any():
        first = ids[ids.duplicated()].iloc[0]
        raise DataError(
            f"{int(ids.duplicated().sum()):,} of {rows:,} rows repeat a key, the first is {first!r}",
            expected=f"rows that differ in {', '.join(str(column.name) for column in key)}",
            where="data.key",
            hint="add columns to data.key; null numbers the rows",
        )
    return ids.to_numpy(dtype=object)


def _weights(column: pd.Series) -> NDArray[np.float64]:
    weights = columns.numbers(column, where="data.weight")
    if not (weights >= 0).all():
        raise DataError(
            f"column {column.name!r} is negative or missing in {int((~(weights >= 0)).sum()):,} rows",
            expected="a weight of at least 0 in every row",
            where="data.weight",
        )
    return weights


def _source(data: DataSettings) -> str:
    return data.path if data.path is not None else f"source {data.source}"
