"""A table of Parquet: one file, or the files of a folder, whose folders may say a column's value (`day=2013-10-05`)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.arrow_types import classify_type, decode
from lockgate.pipelines.data.schema import NUMBERS
from lockgate.pipelines.data.text_stream import Progress, Report

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.data.files import Files

SUFFIX = ".parquet"
_MISSING_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_HIDDEN = ("_", ".")  # names of files and folders that belong to the writer, such as _SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of the table, and the values that its folders give to all of its rows."""

    file: str
    partition: Mapping[str, str | None]


def list_parts(path: str, files: Files, *, is_folder: bool) -> tuple[Part, ...]:
    """The files of the table, by name.

    Raises:
        DataError: the folder has no Parquet file, or its files are not divided by the same columns.
    """
    if not is_folder:
        return (Part(file=path, partition={}),)
    root = path.rstrip("/")
    names = sorted(name for name in files.list_files(root) if name.lower().endswith(SUFFIX) and not _is_hidden(name))
    if not names:
        raise DataError(
            f"{path} is a folder without a Parquet file",
            expected=f"a file, or a folder of *{SUFFIX}",
            where="data.path",
        )
    parts = tuple(Part(file=f"{root}/{name}", partition=_read_partition(name)) for name in names)
    for part in parts:
        if [*part.partition] != [*parts[0].partition]:
            raise DataError(
                f"{part.file} is divided by {', '.join(part.partition) or 'no column'},"
                f" but {parts[0].file} by {', '.join(parts[0].partition) or 'no column'}",
                expected="the same folders for every file",
                where="data.path",
            )
    return parts


def _is_hidden(name: str) -> bool:
    return any(step.startswith(_HIDDEN) and "=" not in step for step in name.split("/"))


def _read_partition(name: str) -> dict[str, str | None]:
    steps = [step.partition("=") for step in name.split("/")[:-1] if "=" in step]
    return {unquote(key): None if value == _MISSING_PARTITION else unquote(value) for key, _, value in steps}


class ParquetFile:
    """An open file of the table. Every column is named once, and none is pandas' own."""

    def __init__(self, part: Part, parquet: Any) -> None:
        self.part, self._parquet = part, parquet
        self.schema: pa.Schema = parquet.schema_arrow
        described = (self.schema.pandas_metadata or {}).get("index_columns", [])
        unnamed = {index for index in described if isinstance(index, str) and index.startswith("__index_level_")}
        self._ranges = {index["name"]: index for index in described if isinstance(index, dict) and index.get("name")}
        self._stored = [name for name in self.schema.names if name not in unnamed]

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, those that its folders give last."""
        return (*self._stored, *self._ranges, *self.part.partition)

    @property
    def groups(self) -> list[Any]:
        """The metadata of its row groups."""
        return [self._parquet.metadata.row_group(number) for number in range(self._parquet.metadata.num_row_groups)]

    @property
    def rows(self) -> int:
        return int(self._parquet.metadata.num_rows)

    def read_rows(self, names: Sequence[str], progress: Progress, *, before: int) -> pa.Table:
        """These columns of all rows, of which there are `before` in the files before it."""
        import pyarrow as pa

        stored, tables, first = [name for name in self._stored if name in names], [], 0
        with self._one_line():
            for number, group in enumerate(self.groups):
                table = self._parquet.read_row_group(number, columns=stored)
                tables.append(self._add_columns(table, names, first, group.num_rows))
                first += group.num_rows
                progress.show(before + first)
            empty = self._add_columns(self.schema.empty_table().select(stored), names, 0, 0)
            return pa.concat_tables(tables) if tables else empty

    def batches(self, names: Sequence[str], group: int, rows: int) -> Iterator[pa.Table]:
        """These columns of one row group, about `rows` rows at a time."""
        import pyarrow as pa

        stored = [name for name in self._stored if name in names]
        first = sum(before.num_rows for before in self.groups[:group])
        with self._one_line():
            if not stored:  # nothing to read: how many rows there are is in the footer
                yield self._add_columns(pa.table({}), names, first, self.groups[group].num_rows)
                return
            for batch in self._parquet.iter_batches(rows, row_groups=[group], columns=stored):
                yield self._add_columns(pa.Table.from_batches([batch]), names, first, len(batch))
                first += len(batch)

    def _add_columns(self, table: pa.Table, names: Sequence[str], first: int, rows: int) -> pa.Table:
        """The table with `names` as its columns: those that are not stored are made."""
        import pyarrow as pa

        columns = {}
        for name in names:
            if name in self.part.partition:
                value = pa.array([self.part.partition[name]], pa.large_string())
                columns[name] = pa.chunked_array([value.take(pa.array([0]).take(pa.array([0] * rows, pa.int64())))])
            elif name in self._ranges:
                start, step = self._ranges[name]["start"], self._ranges[name]["step"]
                columns[name] = pa.chunked_array(
                    [pa.array(range(start + step * first, start + step * (first + rows), step))]
                )
            else:
                columns[name] = table[name]
        return pa.table(columns)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as err:
            raise unreadable_error(self.part.file, err) from err


@contextmanager
def open_part(part: Part, files: Files) -> Iterator[ParquetFile]:
    """The open file. Raises DataError if it cannot be read as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with files.open(part.file) as file:
            try:
                parquet = pq.ParquetFile(file, pre_buffer=False)
            except (pa.ArrowException, OSError) as err:
                raise unreadable_error(part.file, err) from err
            yield ParquetFile(part, parquet)
    except OSError as err:
        raise DataError(f"{part.file} cannot be read: {err.strerror or err}", where="data.path") from err


def read_parts(path: str, parts: Sequence[Part], files: Files, names: Sequence[str], report: Report) -> pa.Table:
    """These columns of all files, one after the other.

    Raises:
        DataError: a file lacks a column, or a column holds text in one file and numbers in another.
    """
    import pyarrow as pa

    tables: list[pa.Table] = []
    progress = Progress(path, "rows", report)
    for part in parts:
        with open_part(part, files) as file:
            check_same_columns(file, names, parts[0])
            table = file.read_rows(names, progress, before=sum(len(table) for table in tables))
        tables.append(table)
    if len(tables) == 1:
        return tables[0]
    tables = [pa.table({name: decode(table[name]) for name in names}) for table in tables]
    for name in names:
        _check_same_kind(name, parts, [table[name].type for table in tables])
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as err:
        raise DataError(f"the files of {path} do not fit together: {err}", where="data.path") from err


def check_same_columns(file: ParquetFile, names: Sequence[str], first: Part) -> None:
    """Raise DataError if the file lacks one of the columns."""
    for name in names:
        if name not in file.names:
            raise DataError(
                f"column {name!r} is not in {file.part.file}",
                expected=f"the columns of {first.file} in every file",
                where="data.path",
            )


def _check_same_kind(name: str, parts: Sequence[Part], types: Sequence[pa.DataType]) -> None:
    kinds = [classify_type(arrow_type) for arrow_type in types]
    filled = [
        (kind, part, arrow_type)
        for kind, part, arrow_type in zip(kinds, parts, types, strict=True)
        if kind != "nothing"
    ]
    for (kind, part, arrow_type), (other, next_part, next_type) in itertools.pairwise(filled):
        if kind != other and not {kind, other} <= {*NUMBERS} - {"boolean"}:
            raise DataError(
                f"column {name!r} holds {arrow_type} in {part.file}, and {next_type} in {next_part.file}",
                expected="one type",
                where="data.path",
                hint="write the files with one schema",
            )


def unreadable_error(path: str, err: Exception) -> DataError:
    """The error for a file that is no Parquet, or damaged."""
    return DataError(f"{path} cannot be read as Parquet: {err}", where="data.path")
