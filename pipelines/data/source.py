"""What a source of tables is: it can be read whole and, if the source supports it, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings
    from lockgate.pipelines.data.times import Period

ReadTable = Callable[["DataSettings", "Files"], "pd.DataFrame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a table that can be read by itself, such as a row group of a Parquet file."""

    number: int
    first_row: int  # the number of its first row in the table, from 0


class Source:
    """A source that is read whole, as one piece. `read` returns every column, named as in the source."""

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
        columns: Sequence[str] | None,  # noqa: ARG002
        rows: int,
    ) -> Iterator[pd.DataFrame]:
        """`columns` of a piece, about `rows` rows at a time. None means all; further columns may be included."""
        whole = self.read(data, files)
        for first in range(0, len(whole), rows):
            yield whole.iloc[first : first + rows]
