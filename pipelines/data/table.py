"""Source `table`: the user's own CSV or Parquet file, declared in YAML alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.source import Piece, Source
from lockgate.pipelines.data.times import Period, may_hold_period

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings

SUFFIXES = (".csv", ".csv.gz", ".parquet")


def read_table(data: DataSettings, files: Files) -> pd.DataFrame:
    """Every column of the file at `data.path`, named as in the file.

    Raises:
        DataError: no path is given, or the file does not exist, has another suffix, or cannot be read.
    """
    with _open_table(data, files) as (path, file):
        return _read_parquet(path, file) if _is_parquet(path) else _read_csv(path, file)


class TableSource(Source):
    """Reads Parquet by row group, and CSV whole."""

    def pieces(self, data: DataSettings, files: Files, period: Period | None) -> tuple[Piece, ...]:
        with _open_table(data, files) as (path, file):
            if not _is_parquet(path):
                return super().pieces(data, files, period)
            parquet = _open_parquet(path, file)
            if _has_stored_index(parquet):
                return super().pieces(data, files, period)
            groups = [parquet.metadata.row_group(number) for number in range(parquet.metadata.num_row_groups)]
            starts = itertools.accumulate((group.num_rows for group in groups), initial=0)
            return tuple(
                Piece(number=number, first_row=first)
                for number, (group, first) in enumerate(zip(groups, starts, strict=False))
                if period is None or _may_hold_period(group, data, period)
            )

    def batches(
        self, data: DataSettings, files: Files, piece: Piece, columns: Sequence[str] | None, rows: int
    ) -> Iterator[pd.DataFrame]:
        """Of Parquet, only these columns are read, and text as categories: each value is in memory once per batch."""
        import pyarrow as pa

        with _open_table(data, files) as (path, file):
            parquet = _open_parquet(path, file) if _is_parquet(path) else None
            if parquet is None or _has_stored_index(parquet):
                yield from super().batches(data, files, piece, columns, rows)
                return
            _check_columns(path, parquet.schema_arrow.names, columns or ())
            chosen = columns and [*dict.fromkeys(columns)]
            try:
                for batch in parquet.iter_batches(rows, row_groups=[piece.number], columns=chosen):
                    table = _encode_text(pa.Table.from_batches([batch]))
                    yield table.to_pandas(ignore_metadata=True, date_as_object=False)
            except (pa.ArrowException, OSError) as err:
                raise _unreadable_error(path, "Parquet", err) from err


def _has_stored_index(parquet: Any) -> bool:
    """Whether pandas stored an index beside the columns. It may be the key, so the file must be read whole."""
    metadata = parquet.schema_arrow.pandas_metadata
    return bool(metadata) and any(
        isinstance(index, str) or index["name"] is not None for index in metadata["index_columns"]
    )


def _check_columns(path: str, available: Sequence[str], required: Sequence[str]) -> None:
    for name in required:
        if name not in available:
            raise DataError(
                f"column {name!r} is not in {path}",
                expected=list_options(available),
                where="data",
                hint=suggest_name(name, available),
            )


def _encode_text(table: pa.Table) -> pa.Table:
    """The table with its text columns encoded as dictionaries."""
    import pyarrow as pa

    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            table = table.set_column(position, field.name, table.column(position).dictionary_encode())
    return table


def _may_hold_period(group: Any, data: DataSettings, period: Period) -> bool:
    """Whether a row group can have rows of the period, by its statistics; True if it has none."""
    columns = (group.column(position) for position in range(group.num_columns))
    statistics = next((column.statistics for column in columns if column.path_in_schema == data.time), None)
    return may_hold_period(statistics, period, data)


@contextmanager
def _open_table(data: DataSettings, files: Files) -> Iterator[tuple[str, IO[bytes]]]:
    """The path and the open file. Raises DataError unless it is a file with a known suffix."""
    path = data.path
    if path is None:
        raise DataError("source table has no path", expected=f"a file ({', '.join(SUFFIXES)})", where="data.path")
    if not path.lower().endswith(SUFFIXES):
        raise DataError(f"{path} is not a table", expected=f"a file ({', '.join(SUFFIXES)})", where="data.path")
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
    tables = [name for name in names if name.endswith(SUFFIXES)]
    name = path.rpartition("/")[2]
    expected = list_options(tables) + f" in {folder}" if tables else f"a file at {folder}/{name}"
    return DataError(f"{path} {problem}", expected=expected, where="data.path", hint=suggest_name(name, tables))


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
