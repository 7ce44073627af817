"""Give the columns of a table their types: those that conf/data declares, and else those that the values show."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lockgate.pipelines.data.arrow_types import classify_type, decode
from lockgate.pipelines.data.frames import list_features
from lockgate.pipelines.data.schema import (
    NAMES,
    Place,
    convert_column,
    implied_type,
    infer_type,
    read_cells,
    read_numbers,
)
from lockgate.pipelines.data.source import RawTable

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.data.delimited import Delimited
    from lockgate.pipelines.data.parquet_files import Part
    from lockgate.pipelines.data.settings import DataSettings, TypeName
    from lockgate.pipelines.data.text_stream import Report


def type_cells(table: Delimited, chosen: Sequence[str], data: DataSettings, report: Report) -> RawTable:
    """These columns of a text file, typed.

    A column of names (a key, the cluster, a slice) whose type is not declared stays as it is written, also where it is
    a feature besides: as that it has the type that all of its cells show.

    Raises:
        DataError: the file is not as it should be, or cells are not of their column's type.
    """
    import pyarrow as pa

    declared = data.types or {}
    has_own_nulls = any(declared[name].nulls is not None for name in chosen if name in declared)
    cells = table.read_columns(chosen, nulls=() if has_own_nulls else data.nulls, report=report)
    valued = {*list_features(table.layout.names, data), *data.value_columns}

    def type_column(name: str) -> tuple[TypeName, pa.ChunkedArray]:
        column = cells[name]
        if has_own_nulls:
            own = declared[name].nulls if name in declared else None
            column = _mark_missing(column, data.nulls if own is None else own)
        if name in declared:
            type_name = declared[name].type
            return type_name, read_cells(column, type_name, name=name, place=table.place)
        if name == data.time:  # numbers stay numbers, and are no times: what would 20130105 count?
            numbers = read_numbers(column)
            return ("text", column) if numbers is None else ("decimal", numbers)
        if name not in valued:
            return "text", column
        type_name, values = infer_type(column, name=name, place=table.place)
        return type_name, column if name in data.label_columns else values

    with ThreadPoolExecutor(pa.cpu_count()) as pool:  # Arrow's functions let other threads go on
        typed = dict(zip(chosen, pool.map(type_column, chosen), strict=True))
    types = {name: type_name for name, (type_name, _) in typed.items()}
    columns = {name: column for name, (_, column) in typed.items()}
    return RawTable(
        table=pa.table(columns),
        names=table.layout.names,
        types=types,
        place=table.place,
        inferred=tuple(name for name in chosen if name in valued and name not in declared and name != data.time),
    )


def type_columns(
    table: pa.Table,
    names: Sequence[str],
    data: DataSettings,
    *,
    path: str,
    parts: Sequence[Part] = (),
    first_row: int = 0,
) -> RawTable:
    """A table of Parquet, typed. What the names of folders say are cells as in a text file, of all `parts`, the files.

    Its text is as it is, and no word of it means missing, unless it is declared with `nulls`, or as numbers or times.
    `names` are those of all columns, and `first_row` is the number of the first row, for errors.

    Raises:
        DataError: values are not of their column's declared type.
    """
    import pyarrow as pa

    place = Place(path=path, locate=lambda rows: [f"row {first_row + row + 1:,}" for row in rows])
    folders = Place(path=path, locate=lambda rows: [f"the folder of {parts[row].file}" for row in rows])
    valued = {*list_features(names, data), *data.value_columns}
    types: dict[str, TypeName] = {}
    inferred: list[str] = []
    columns = {}
    for name in table.column_names:
        column, declared = table[name], (data.types or {}).get(name)
        if declared is not None:
            types[name] = declared.type
            column = decode(column)
            if classify_type(column.type) == "text" and (declared.nulls is not None or declared.type not in NAMES):
                column = _mark_missing(column, data.nulls if declared.nulls is None else declared.nulls)
            column = convert_column(column, declared.type, name=name, place=place)
        elif parts and name in parts[0].partition:
            in_folders = pa.chunked_array([pa.array([part.partition[name] for part in parts], pa.large_string())])
            is_value = name in valued and name != data.time
            inferred += [name] if is_value else []
            types[name] = infer_type(in_folders, name=name, place=folders)[0] if is_value else "text"
        elif type_name := implied_type(column.type):
            types[name] = type_name
        columns[name] = column
    return RawTable(table=pa.table(columns), names=tuple(names), types=types, place=place, inferred=tuple(inferred))


def _mark_missing(column: pa.ChunkedArray, words: Sequence[str]) -> pa.ChunkedArray:
    """The column with null where a cell is one of the words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_missing = pc.is_in(column, value_set=pa.array(words, column.type))
    return pc.if_else(is_missing, pa.scalar(None, column.type), column)
