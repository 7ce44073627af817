"""Source `table`: the user's own file, CSV or Parquet, or folder of Parquet files, declared in YAML alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import delimited
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.frames import list_features
from lockgate.pipelines.data.names import check_names
from lockgate.pipelines.data.parquet_files import (
    SUFFIX,
    ParquetFile,
    check_same_columns,
    list_parts,
    open_part,
    read_parts,
)
from lockgate.pipelines.data.source import Piece, RawTable, Source
from lockgate.pipelines.data.times import Period, may_hold_period
from lockgate.pipelines.data.typing_columns import type_cells, type_columns

if TYPE_CHECKING:
    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.parquet_files import Part
    from lockgate.pipelines.data.settings import DataSettings
    from lockgate.pipelines.data.text_stream import Report

SUFFIXES = (*delimited.SUFFIXES, SUFFIX)


def read_table(data: DataSettings, files: Files, columns: Sequence[str] | None, report: Report) -> RawTable:
    """The columns that are asked for, or all that have a role, of the file or folder at `data.path`.

    Raises:
        DataError: no path is given, or what is there does not exist, has another suffix, or cannot be read.
    """
    path, is_folder = _find_path(data, files)
    if not is_folder and not path.lower().endswith(SUFFIX):
        table = delimited.open_delimited(path, lambda: files.open(path))
        check_names(path, table.layout.names, data, where=f"{path}, line {table.layout.header_rows}")
        return type_cells(table, _choose(path, table.layout.names, data, columns), data, report)
    parts = list_parts(path, files, is_folder=is_folder)
    with open_part(parts[0], files) as file:
        names = _check_file(file, data)
    chosen = _choose(path, names, data, columns)
    return type_columns(read_parts(path, parts, files, chosen, report), names, data, path=path, parts=parts)


class TableSource(Source):
    """Reads Parquet by row group, and text files whole."""

    def pieces(self, data: DataSettings, files: Files, period: Period | None) -> tuple[Piece, ...]:
        parts = _list_parquet(data, files)
        if parts is None:
            return super().pieces(data, files, period)
        pieces, first = [], 0
        for part in parts:
            with open_part(part, files) as file:
                for number, group in enumerate(file.groups):
                    if period is None or _may_hold_period(group, data, period):
                        pieces.append(Piece(number=number, first_row=first, file=part.file))
                    first += group.num_rows
        return tuple(pieces)

    def batches(
        self, data: DataSettings, files: Files, piece: Piece, columns: Sequence[str] | None, rows: int
    ) -> Iterator[RawTable]:
        """Of Parquet, only these columns are read."""
        parts = _list_parquet(data, files)
        if parts is None:
            yield from super().batches(data, files, piece, columns, rows)
            return
        part = next((part for part in parts if part.file == piece.file), None)
        if part is None:
            raise DataError(
                f"{piece.file} is gone", expected="the files that there were a moment ago", where="data.path"
            )
        path = str(data.path)
        with open_part(part, files) as file:
            names, first = _check_file(file, data), piece.first_row
            chosen = _choose(path, names, data, columns)
            check_same_columns(file, chosen, parts[0])
            for table in file.batches(chosen, piece.number, rows):
                yield type_columns(table, names, data, path=path, parts=parts, first_row=first)
                first += len(table)


def _check_file(file: ParquetFile, data: DataSettings) -> tuple[str, ...]:
    check_names(file.part.file, file.names, data, where="data.path")
    return file.names


def _choose(path: str, names: Sequence[str], data: DataSettings, columns: Sequence[str] | None) -> list[str]:
    """The columns to read: those that are asked for, or all with a role that the table has."""
    if columns is None:
        roles = {*list_features(names, data), *data.label_columns, *data.value_columns, data.time}
        return [name for name in names if name in roles]
    for name in columns:
        if name not in names:
            raise DataError(
                f"column {name!r} is not in {path}",
                expected=list_options(names),
                where="data",
                hint=suggest_name(name, names),
            )
    return [*dict.fromkeys(columns)]


def _list_parquet(data: DataSettings, files: Files) -> tuple[Part, ...] | None:
    """The files of a table of Parquet; None for a text file."""
    path, is_folder = _find_path(data, files)
    return list_parts(path, files, is_folder=is_folder) if is_folder or path.lower().endswith(SUFFIX) else None


def _may_hold_period(group: Any, data: DataSettings, period: Period) -> bool:
    """Whether a row group can have rows of the period, by its statistics; True if it has none."""
    columns = (group.column(position) for position in range(group.num_columns))
    statistics = next((column.statistics for column in columns if column.path_in_schema == data.time), None)
    return may_hold_period(statistics, period, data)


def _find_path(data: DataSettings, files: Files) -> tuple[str, bool]:
    """The path, and whether it is a folder. Raises DataError unless it is that or a file with a known suffix."""
    path = data.path
    expected = f"a file ({', '.join(SUFFIXES)}), or a folder of Parquet files"
    if path is None:
        raise DataError("source table has no path", expected=expected, where="data.path")
    problem = files.problem(path)
    if problem == "is a folder":
        return path, True
    if not path.lower().endswith(SUFFIXES):
        raise DataError(f"{path} is not a table", expected=expected, where="data.path")
    if problem:
        raise _missing_error(path, problem, files)
    return path, False


def _missing_error(path: str, problem: str, files: Files) -> DataError:
    folder, names = files.beside(path)
    tables = [name for name in names if name.endswith(SUFFIXES)]
    name = path.rpartition("/")[2]
    expected = list_options(tables) + f" in {folder}" if tables else f"a file at {folder}/{name}"
    return DataError(f"{path} {problem}", expected=expected, where="data.path", hint=suggest_name(name, tables))
