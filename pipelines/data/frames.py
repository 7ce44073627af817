"""Build the declared table: the only file that assigns roles to the columns of a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import columns
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.settings import ColumnHoldout
from lockgate.pipelines.data.times import read_times

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.settings import DataSettings

    Marks = NDArray[np.object_] | NDArray[np.float64] | NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows of a table, in the source's order. Every array is (n,) and row-aligned with `frame`."""

    frame: pd.DataFrame  # the declared features: float64, or object with str and NaN
    row_ids: NDArray[np.object_]  # str, unique: the key's columns joined by "/", or the row's number
    labels: NDArray[np.float64]  # NaN where the outcome is missing
    times: NDArray[np.datetime64] | None  # instants in UTC
    clusters: NDArray[np.object_] | None  # str
    weights: NDArray[np.float64] | None  # finite, not negative
    slices: Mapping[str, NDArray[np.object_]]  # str; "(missing)" where a value is missing
    marks: Marks | None  # what the column of the holdout says, if it has one


def build_table(raw: pd.DataFrame, data: DataSettings) -> Table:
    """The table that `data` declares, from a source's frame (n, any columns) with at least one row.

    Raises:
        DataError: the table is empty, a column is missing or has the wrong type, or a key repeats.
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
        times=None if data.time is None else read_times(column(data.time, "data.time"), data, where="data.time"),
        clusters=None if data.cluster is None else text(data.cluster, "data.cluster"),
        weights=None if data.weight is None else _read_weights(column(data.weight, "data.weight")),
        slices={name: text(name, "data.slices", missing=columns.MISSING) for name in data.slices},
        marks=read_marks(raw, data),
        frame=build_features({name: column(name, "data.features") for name in list_features(raw.columns, data)}),
    )


def find_column(raw: pd.DataFrame, name: str, where: str, data: DataSettings) -> pd.Series:
    """The column that the settings name at `where`. Raises DataError if the source does not have it."""
    if name not in raw.columns:
        raise DataError(
            f"column {name!r} is not in {describe_source(data)}",
            expected=list_options(raw.columns),
            where=where,
            hint=suggest_name(name, raw.columns),
        )
    return raw[name].reset_index(drop=True)


def list_features(column_names: Iterable[str], data: DataSettings) -> tuple[str, ...]:
    """The declared features or, if none are declared, all columns without another role, in the source's order."""
    if data.features is not None:
        return data.features
    other_roles = {
        data.target,
        data.time,
        data.cluster,
        data.weight,
        data.holdout_column,
        *(data.key or ()),
        *data.exclude,
    }
    return tuple(name for name in map(str, column_names) if name not in other_roles)


def build_features(declared: Mapping[str, pd.Series], *, categories: bool = False) -> pd.DataFrame:
    """The frame that models get, from the columns of the features. Raises DataError for types that no model reads."""
    import pandas as pd

    if not declared:
        raise DataError("no column is left to learn from", expected="at least one", where="data.features")
    return pd.DataFrame(
        {
            name: columns.to_feature(series, where="data.features", categories=categories)
            for name, series in declared.items()
        }
    )


def build_row_ids(key: Sequence[pd.Series], rows: NDArray[np.int64]) -> pa.Array:
    """Arrow string (n,): the key's columns joined by "/" or, without a key, the numbers in `rows`.

    Ids may repeat. Raises DataError for a missing value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not key:
        return pa.array(rows).cast(pa.string())
    parts = [columns.to_strings(column, where="data.key") for column in key]
    if len(parts) == 1:
        return parts[0]
    for escaped in (("%", "%25"), ("/", "%2F")):  # so that "a/b" + "c" and "a" + "b/c" differ
        parts = [pc.replace_substring(part, *escaped) for part in parts]
    return pc.binary_join_element_wise(*parts, "/")


def check_distinct(ids: pd.Series, data: DataSettings) -> None:
    """Raise DataError if a row id occurs twice."""
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


def read_marks(raw: pd.DataFrame, data: DataSettings) -> Marks | None:
    """What the holdout's column says: its text; for fresh rows numbers (float64) or instants. None without a column."""
    if data.holdout_column is None:
        return None
    by_text = isinstance(data.holdout, ColumnHoldout)
    where = "data.holdout.column" if by_text else "data.holdout.by"
    column = find_column(raw, data.holdout_column, where, data)
    if by_text:
        return columns.to_names(column, where=where)
    if columns.classify_column(column) != "numbers":
        return read_times(column, data, where=where)
    numbers = columns.to_numbers(column, where=where)
    if absent := int(column.isna().sum()):
        raise DataError(
            f"column {column.name!r} is missing in {absent:,} rows", expected="a value in every row", where=where
        )
    return numbers


def describe_source(data: DataSettings) -> str:
    """How an error names the table: by its path or its source."""
    return data.path if data.path is not None else f"source {data.source}"
