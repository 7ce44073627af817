"""Build the declared table: the only file that assigns roles to the columns of a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import columns
from lockgate.pipelines.data.arrow_types import classify_type, unreadable_type
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.schema import NUMBERS
from lockgate.pipelines.data.settings import ColumnHoldout
from lockgate.pipelines.data.times import read_times

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.settings import DataSettings, TypeName
    from lockgate.pipelines.data.source import RawTable

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
    types: Mapping[str, TypeName]  # of the features, as declared or inferred


def build_table(raw: RawTable, data: DataSettings) -> Table:
    """The table that `data` declares, from a source's rows (n, any columns), of which there is at least one.

    Raises:
        DataError: the table is empty, a column is missing or has the wrong type, or a key repeats.
    """
    import numpy as np
    import pandas as pd

    if not len(raw):
        raise DataError(f"{describe_source(data)} has no rows", expected="at least one", where="data")
    for name, where in data.named_columns.items():
        check_column(raw, name, where, data)

    def name_rows(name: str, where: str, *, missing: str | None = None) -> NDArray[np.object_]:
        return columns.to_names(raw.labels(name), name=name, where=where, missing=missing)

    ids = pd.Series(build_row_ids(raw, np.arange(len(raw)), data).to_numpy(zero_copy_only=False), dtype=object)
    check_distinct(ids, data)
    names = list_features(raw.names, data)
    return Table(
        labels=columns.to_labels(raw.values(data.target), data),
        row_ids=ids.to_numpy(dtype=object),
        times=None
        if data.time is None
        else read_times(find_column(raw, data.time, "data.time", data), data, where="data.time"),
        clusters=None if data.cluster is None else name_rows(data.cluster, "data.cluster"),
        weights=None if data.weight is None else _read_weights(raw, data.weight),
        slices={name: name_rows(name, "data.slices", missing=columns.MISSING) for name in data.slices},
        marks=read_marks(raw, data),
        frame=build_features(raw, names, data),
        types={name: raw.types.get(name, "decimal") for name in names},
    )


def check_column(raw: RawTable, name: str, where: str, data: DataSettings) -> None:
    """Raise DataError if the source does not have the column that the settings name at `where`."""
    if name not in raw.names:
        raise DataError(
            f"column {name!r} is not in {describe_source(data)}",
            expected=list_options(raw.names),
            where=where,
            hint=suggest_name(name, raw.names),
        )


def find_column(raw: RawTable, name: str, where: str, data: DataSettings) -> pd.Series:
    """A column as pandas has it. Raises DataError if the source does not have it, or its type has no kind."""
    import pandas as pd

    check_column(raw, name, where, data)
    column = raw.labels(name)
    if classify_type(column.type) is None:
        raise unreadable_type(name, column.type, where=where)
    return pd.Series(column.to_pandas(date_as_object=False), name=name)


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


def build_features(
    raw: RawTable, names: Sequence[str], data: DataSettings, *, categories: bool = False
) -> pd.DataFrame:
    """The frame that models get, with these columns. Raises DataError for types that no model reads."""
    import pandas as pd

    if not names:
        raise DataError("no column is left to learn from", expected="at least one", where="data.features")
    for name in names:
        check_column(raw, name, "data.features", data)
        if raw.types.get(name) in ("date", "timestamp"):
            raise columns.no_feature(name, str(raw.types[name]), where="data.features")
    return pd.DataFrame(
        {
            name: columns.to_feature(raw.values(name), name=name, where="data.features", categories=categories)
            for name in names
        }
    )


def build_row_ids(raw: RawTable, rows: NDArray[np.int64], data: DataSettings) -> pa.Array:
    """Arrow string (n,): the key's columns joined by "/" or, without a key, the numbers in `rows`.

    Ids may repeat. Raises DataError for a missing value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not data.key:
        return pa.array(rows).cast(pa.string())
    for name in data.key:
        check_column(raw, name, "data.key", data)
    parts = [columns.to_strings(raw.labels(name), name=name, where="data.key") for name in data.key]
    if len(parts) > 1:
        for escaped in (("%", "%25"), ("/", "%2F")):  # so that "a/b" + "c" and "a" + "b/c" differ
            parts = [pc.replace_substring(part, *escaped) for part in parts]
    ids = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, pa.scalar("/", pa.large_string()))
    return ids.combine_chunks().cast(pa.string())


def check_distinct(ids: pd.Series, data: DataSettings) -> None:
    """Raise DataError if a row id occurs twice."""
    if (again := ids.duplicated()).any():
        raise DataError(
            f"{int(again.sum()):,} of {len(ids):,} rows repeat a key, the first is {ids[again].iloc[0]!r}",
            expected=f"rows that differ in {', '.join(data.key or ())}",
            where="data.key",
            hint="add columns to data.key; null numbers the rows",
        )


def _read_weights(raw: RawTable, name: str) -> NDArray[np.float64]:
    weights = columns.to_numbers(raw.values(name), name=name, where="data.weight")
    if not (weights >= 0).all():
        raise DataError(
            f"column {name!r} is negative or missing in {int((~(weights >= 0)).sum()):,} rows",
            expected="a weight of at least 0 in every row",
            where="data.weight",
        )
    return weights


def read_marks(raw: RawTable, data: DataSettings) -> Marks | None:
    """What the holdout's column says: its text; for fresh rows numbers (float64) or instants. None without a column."""
    import numpy as np

    name = data.holdout_column
    if name is None:
        return None
    if isinstance(data.holdout, ColumnHoldout):
        return columns.to_names(raw.labels(name), name=name, where="data.holdout.column")
    where, values = "data.holdout.by", raw.values(name)
    if classify_type(values.type) not in NUMBERS:
        return read_times(find_column(raw, name, where, data), data, where=where)
    numbers = columns.to_numbers(values, name=name, where=where)
    if absent := int(np.isnan(numbers).sum()):
        raise DataError(f"column {name!r} is missing in {absent:,} rows", expected="a value in every row", where=where)
    return numbers


def describe_source(data: DataSettings) -> str:
    """How an error names the table: by its path or its source."""
    return data.path if data.path is not None else f"source {data.source}"
