"""What a source of tables is: how it is read whole, and, where it can be, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings

ReadTable = Callable[["DataSettings", "Files"], "pd.DataFrame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a source that is read by itself, such as a row group of a Parquet file."""

    number: int
    first_row: int  # of the table, from 0


class Source:
    """A source that is read whole, which is one piece. `read` gives every column, under the source's names."""

    def __init__(self, read: ReadTable) -> None:
        self.read = read

    def pieces(self, data: DataSettings, files: Files, month: np.datetime64 | None) -> tuple[Piece, ...]:  # noqa: ARG002
        """The pieces that may hold rows of `month`, in the table's order; None: all."""
        return (Piece(number=0, first_row=0),)

    def batches(
        self,
        data: DataSettings,
        files: Files,
        piece: Piece,  # noqa: ARG002
        columns: Sequence[str] | None,  # noqa: ARG002
        rows: int,
    ) -> Iterator[pd.DataFrame]:
        """`columns` (None: all; more may come) of a piece, about `rows` rows at a time."""
        whole = self.read(data, files)
        for first in range(0, len(whole), rows):
            yield whole.iloc[first : first + rows]
