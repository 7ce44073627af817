"""What a source of tables is: it can be read whole and, if the source supports it, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lockgate.pipelines.data.arrow_types import classify_type, decode
from lockgate.pipelines.data.schema import Place, read_cells

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings, TypeName
    from lockgate.pipelines.data.text_stream import Report
    from lockgate.pipelines.data.times import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """Rows as their source has them, before columns get their roles."""

    table: pa.Table  # (n, the columns that were asked for)
    names: tuple[str, ...]  # of all columns of the source
    types: Mapping[str, TypeName]  # of the columns in `table` whose type is declared, inferred or the source's
    place: Place
    inferred: tuple[str, ...] = ()  # columns whose type neither conf/data nor the source says

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def labels(self, name: str) -> pa.ChunkedArray:
        """The column with every value as the source writes it."""
        return decode(self.table[name])

    def values(self, name: str) -> pa.ChunkedArray:
        """The column with values of its type: cells of text that are numbers are numbers."""
        column, type_name = self.labels(name), self.types.get(name)
        if type_name is not None and classify_type(column.type) == "text":
            return read_cells(column, type_name, name=name, place=self.place)
        return column

    def take(self, rows: NDArray[np.int64]) -> RawTable:
        """These rows alone, counted from 0."""
        return replace(self, table=self.table.take(rows))

    def slice(self, first: int, rows: int) -> RawTable:
        """At most `rows` rows from `first` on."""
        return replace(self, table=self.table.slice(first, rows))


ReadTable = Callable[["DataSettings", "Files", "Sequence[str] | None", "Report"], RawTable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a table that can be read by itself, such as a row group of a Parquet file."""

    number: int  # in its file
    first_row: int  # the number of its first row in the table, from 0
    file: str = ""  # of a table in several files


class Source:
    """A source that is read whole, as one piece. `read` returns the columns that are asked for, named as there."""

    def __init__(self, read: ReadTable) -> None:
        self.read = read

    def pieces(self, data: DataSettings, files: Files, period: Period | None) -> tuple[Piece, ...]:  # noqa: ARG002
        """The pieces that may have rows of `period`, in the table's order; all pieces if `period` is None."""
        return (Piece(number=0, first_row=0),)

    def batches(
        self,
        data: DataSettings,
        files: Files,
        piece: Piece,  # noqa: ARG002
        columns: Sequence[str] | None,
        rows: int,
    ) -> Iterator[RawTable]:
        """`columns` of a piece, about `rows` rows at a time. None means all; further columns may be included."""
        whole = self.read(data, files, columns, lambda _: None)
        for first in range(0, len(whole), rows):
            yield whole.slice(first, rows)
