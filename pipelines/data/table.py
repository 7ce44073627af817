"""Source `table`: a CSV or Parquet file of the user's own, declared in YAML alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.source import Piece, Source

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings

SUFFIXES = (".csv", ".csv.gz", ".parquet")


def read_table(data: DataSettings, files: Files) -> pd.DataFrame:
    """Every column of the file at `data.path`. Column names are as in the file.

    Raises:
        DataError: no path, no such file, another kind of file, or one that cannot be read as what it says it is.
    """
    with _open_table(data, files) as (path, file):
        return _read_parquet(path, file) if _is_parquet(path) else _read_csv(path, file)


class TableSource(Source):
    """Parquet is read by row group; a CSV whole."""

    def pieces(self, data: DataSettings, files: Files, month: np.datetime64 | None) -> tuple[Piece, ...]:
        with _open_table(data, files) as (path, file):
            if not _is_parquet(path):
                return super().pieces(data, files, month)
            held = _open_parquet(path, file)
            if _has_stored_index(held):
                return super().pieces(data, files, month)
            groups = [held.metadata.row_group(number) for number in range(held.metadata.num_row_groups)]
            starts = itertools.accumulate((group.num_rows for group in groups), initial=0)
            return tuple(
                Piece(number=number, first_row=first)
                for number, (group, first) in enumerate(zip(groups, starts, strict=False))
                if month is None or _may_hold_month(group, data.time, month)
            )

    def batches(
        self, data: DataSettings, files: Files, piece: Piece, columns: Sequence[str] | None, rows: int
    ) -> Iterator[pd.DataFrame]:
        """Of Parquet, only what is asked for is read; text comes as categories, each value once a batch."""
        import pyarrow as pa

        with _open_table(data, files) as (path, file):
            held = _open_parquet(path, file) if _is_parquet(path) else None
            if held is None or _has_stored_index(held):
                yield from super().batches(data, files, piece, columns, rows)
                return
            _check_columns(path, held.schema_arrow.names, columns or ())
            chosen = columns and [*dict.fromkeys(columns)]
            try:
                for batch in held.iter_batches(rows, row_groups=[piece.number], columns=chosen):
                    table = _encode_text(pa.Table.from_batches([batch]))
                    yield table.to_pandas(ignore_metadata=True, date_as_object=False)
            except (pa.ArrowException, OSError) as err:
                raise _unreadable_error(path, "Parquet", err) from err


def _has_stored_index(held: Any) -> bool:
    """Whether pandas stored an index, which may be the key, beside the columns."""
    told = held.schema_arrow.pandas_metadata
    return bool(told) and any(isinstance(one, str) or one["name"] is not None for one in told["index_columns"])


def _check_columns(path: str, there: Sequence[str], wanted: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            raise DataError(
                f"column {name!r} is not in {path}",
                expected=list_options(there),
                where="data",
                hint=suggest_name(name, there),
            )


def _encode_text(table: pa.Table) -> pa.Table:
    """The table with its columns of text encoded as dictionaries."""
    import pyarrow as pa

    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(at, field.name, table.column(at).dictionary_encode())
    return table


def _may_hold_month(group: Any, time: str | None, month: np.datetime64) -> bool:
    """Whether a row group can hold rows of the month, by its statistics; True where it has none."""
    import numpy as np

    columns = (group.column(at) for at in range(group.num_columns))
    told = next((one.statistics for one in columns if one.path_in_schema == time), None)
    if told is None or not told.has_min_max:
        return True
    try:
        low, high = (np.datetime64(bound).astype("datetime64[M]") for bound in (told.min, told.max))
    except (TypeError, ValueError):  # text, or a time zone: nothing that can be compared here
        return True
    return bool(low <= month <= high)


@contextmanager
def _open_table(data: DataSettings, files: Files) -> Iterator[tuple[str, IO[bytes]]]:
    """The path and the open file. Raises DataError for what is no file of a known kind."""
    path = data.path
    if path is None:
        raise DataError("source table has no path", expected=f"a file ({', '.join(SUFFIXES)})", where="data.path")
    if not path.lower().endswith(SUFFIXES):
        raise DataError(f"{path} is no table", expected=f"a file ({', '.join(SUFFIXES)})", where="data.path")
    if problem := files.problem(path):
        raise _missing_error(path, problem, files)
    try:
        with files.open(path) as file:
            yield path, file
    except OSError as err:
        raise DataError(f"{path} cannot be read: {err.strerror or err}", where="data.path") from err


def _missing_error(path: str, problem: str, files: Files) -> DataError:
    if problem == "is a folder":
        return DataError(f"{path} is a folder", expected="a file", where="data.path")
    folder, names = files.beside(path)
    there = [name for name in names if name.endswith(SUFFIXES)]
    name = path.rpartition("/")[2]
    expected = list_options(there) + f" in {folder}" if there else f"a file at {folder}/{name}"
    return DataError(f"{path} {problem}", expected=expected, where="data.path", hint=suggest_name(name, there))


def _is_parquet(path: str) -> bool:
    return path.lower().endswith(".parquet")


def _open_parquet(path: str, file: IO[bytes]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as err:
        raise _unreadable_error(path, "Parquet", err) from err


def _read_parquet(path: str, file: IO[bytes]) -> pd.DataFrame:
    import pyarrow as pa

    try:
        frame: pd.DataFrame = _open_parquet(path, file).read().to_pandas()
    except (pa.ArrowException, OSError) as err:
        raise _unreadable_error(path, "Parquet", err) from err
    return (
        frame.reset_index() if any(frame.index.names) else frame.reset_index(drop=True)
    )  # a stored index may be the key


def _read_csv(path: str, file: IO[bytes]) -> pd.DataFrame:
    import pandas as pd

    compression: Literal["gzip"] | None = "gzip" if path.lower().endswith(".gz") else None
    try:
        return pd.read_csv(file, low_memory=False, compression=compression)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError, EOFError) as err:
        raise _unreadable_error(path, "CSV", err, expected="UTF-8, one header line") from err


def _unreadable_error(path: str, kind: str, err: Exception, *, expected: str = "") -> DataError:
    return DataError(f"{path} cannot be read as {kind}: {err}", expected=expected, where="data.path")
