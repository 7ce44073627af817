"""The declared table, read and checked: the one place that turns a source's columns into roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import columns
from lockgate.pipelines.data.columns import list_options, suggest_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.settings import DataSettings


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


def build_table(raw: pd.DataFrame, data: DataSettings) -> Table:
    """The table that `data` declares, from a source's frame (n, any columns); n is at least 1.

    Raises:
        DataError: an empty table, a column that is missing or of the wrong type, or a key that repeats.
    """
    import numpy as np
    import pandas as pd

    if raw.empty:
        raise DataError(f"{describe_source(data)} has no rows", expected="at least one", where="data")
    if not raw.columns.is_unique:
        repeated = sorted({str(name) for name in raw.columns[raw.columns.duplicated()]})
        raise DataError(
            f"{describe_source(data)} has two columns {repeated[0]!r}", expected="distinct names", where="data"
        )

    def column(name: str, where: str) -> pd.Series:
        return find_column(raw, name, where, data)

    def text(name: str, where: str, *, missing: str | None = None) -> NDArray[np.object_]:
        return columns.to_names(column(name, where), where=where, missing=missing)

    for name in data.exclude:
        column(name, "data.exclude")
    key = [column(name, "data.key") for name in data.key or ()]
    ids = pd.Series(build_row_ids(key, np.arange(len(raw))).to_numpy(zero_copy_only=False), dtype=object)
    check_distinct(ids, data)
    return Table(
        labels=columns.to_labels(column(data.target, "data.target"), data),
        row_ids=ids.to_numpy(dtype=object),
        times=None if data.time is None else columns.to_times(column(data.time, "data.time"), where="data.time"),
        clusters=None if data.cluster is None else text(data.cluster, "data.cluster"),
        weights=None if data.weight is None else _read_weights(column(data.weight, "data.weight")),
        slices={name: text(name, "data.slices", missing=columns.MISSING) for name in data.slices},
        frame=build_features({name: column(name, "data.features") for name in list_features(raw.columns, data)}),
    )


def find_column(raw: pd.DataFrame, name: str, where: str, data: DataSettings) -> pd.Series:
    """A column that the settings name at `where`. Raises DataError where the source has none of that name."""
    if name not in raw.columns:
        raise DataError(
            f"column {name!r} is not in {describe_source(data)}",
            expected=list_options(raw.columns),
            where=where,
            hint=suggest_name(name, raw.columns),
        )
    return raw[name].reset_index(drop=True)


def list_features(there: Iterable[str], data: DataSettings) -> tuple[str, ...]:
    """The declared features; where none are declared, all columns that have no other role, in the source's order."""
    if data.features is not None:
        return data.features
    taken = {data.target, data.time, data.cluster, data.weight, *(data.key or ()), *data.exclude}
    return tuple(name for name in map(str, there) if name not in taken)


def build_features(wanted: Mapping[str, pd.Series], *, categories: bool = False) -> pd.DataFrame:
    """The frame that models see, from the declared features' columns. Raises DataError for what no model reads."""
    import pandas as pd

    if not wanted:
        raise DataError("no column is left to learn from", expected="at least one", where="data.features")
    return pd.DataFrame(
        {
            name: columns.to_feature(series, where="data.features", categories=categories)
            for name, series in wanted.items()
        }
    )


def build_row_ids(key: Sequence[pd.Series], rows: NDArray[np.int64]) -> pa.Array:
    """string (n,): the key's columns joined by "/", or the numbers in `rows` where there is no key.

    Raises DataError for a value that is missing; keys may repeat.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not key:
        return pa.array(rows).cast(pa.string())
    parts = [columns.to_strings(column, where="data.key") for column in key]
    if len(parts) == 1:
        return parts[0]
    for escaped in (("%", "%25"), ("/", "%2F")):  # "a/b" + "c" and "a" + "b/c" stay apart
        parts = [pc.replace_substring(part, *escaped) for part in parts]
    return pc.binary_join_element_wise(*parts, "/")


def check_distinct(ids: pd.Series, data: DataSettings) -> None:
    """Nothing, if no row id is there twice. Raises DataError."""
    if (again := ids.duplicated()).any():
        raise DataError(
            f"{int(again.sum()):,} of {len(ids):,} rows repeat a key, the first is {ids[again].iloc[0]!r}",
            expected=f"rows that differ in {', '.join(data.key or ())}",
            where="data.key",
            hint="add columns to data.key; null numbers the rows",
        )


def _read_weights(column: pd.Series) -> NDArray[np.float64]:
    weights = columns.to_numbers(column, where="data.weight")
    if not (weights >= 0).all():
        raise DataError(
            f"column {column.name!r} is negative or missing in {int((~(weights >= 0)).sum()):,} rows",
            expected="a weight of at least 0 in every row",
            where="data.weight",
        )
    return weights


def describe_source(data: DataSettings) -> str:
    """The table, as an error names it."""
    return data.path if data.path is not None else f"source {data.source}"
