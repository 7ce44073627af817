"""The rows to predict, in pieces that several processes can share and in batches that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import columns
from lockgate.pipelines.data.frames import (
    build_features,
    build_row_ids,
    check_distinct,
    describe_source,
    find_column,
    list_features,
)
from lockgate.pipelines.data.settings import parse_month
from lockgate.pipelines.data.source import Piece, RawTable, Source

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRows:
    """A batch of rows to predict, with or without an outcome."""

    frame: pd.DataFrame  # (n, every declared feature)
    row_ids: pa.Array  # (n,) string


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """Which pieces of the table hold the rows of a window."""

    pieces: tuple[Piece, ...]  # of the source, each with at least one row of the window
    rows: int  # of the window


def plan_source_window(data: DataSettings, source: Source, files: Files, period: str, *, batch_rows: int) -> WindowPlan:
    """The pieces with rows of the month `period` (YYYY-MM), and the number of these rows, at least one.

    For a table without a time column these are all rows, and `period` is not used.

    Raises:
        DataError: `period` is not a month, the window has no rows, or the table cannot be read.
    """
    wanted_month = None if data.time is None else parse_month(period, where="period")
    pieces, rows = [], 0
    for piece in source.pieces(data, files, wanted_month):
        if count := sum(
            _count_rows(raw, data, wanted_month)
            for raw in _read_raw(data, source, files, piece, batch_rows, rows_only=True)
        ):
            pieces.append(piece)
            rows += count
    if not rows:
        raise _empty_window_error(data, source, files, period, batch_rows)
    return WindowPlan(pieces=tuple(pieces), rows=rows)


def read_source_window(
    data: DataSettings, source: Source, files: Files, period: str, pieces: Sequence[Piece], *, batch_rows: int
) -> Iterator[WindowRows]:
    """The rows of the window in these pieces, at most `batch_rows` at a time, in the source's order.

    The target column may be missing, as rows to predict have no outcome yet. Raises DataError if another column is
    missing or has the wrong type, or if a key repeats within a batch.
    """
    import numpy as np

    wanted_month = None if data.time is None else parse_month(period, where="period")
    for piece in pieces:
        first = piece.first_row
        for raw in _read_raw(data, source, files, piece, batch_rows, rows_only=False):
            inside = (
                np.arange(len(raw)) if wanted_month is None else np.flatnonzero(_read_months(raw, data) == wanted_month)
            )
            if len(inside):
                yield _build_window(raw.take(inside), first + inside, data)
            first += len(raw)


def _build_window(raw: RawTable, numbers: NDArray[np.int64], data: DataSettings) -> WindowRows:
    import pandas as pd

    ids = build_row_ids(raw, numbers, data)
    check_distinct(pd.Series(ids.to_numpy(zero_copy_only=False), dtype=object), data)
    frame = build_features(raw, list_features(raw.names, data), data, categories=True)
    return WindowRows(frame=frame, row_ids=ids)


def _read_raw(
    data: DataSettings, source: Source, files: Files, piece: Piece, batch_rows: int, *, rows_only: bool
) -> Iterator[RawTable]:
    """The rows of a piece as the source has them; with `rows_only`, just one column, enough to count rows by month."""
    if rows_only and (enough := data.time or next(iter(data.key or data.features or ()), None)):
        names: list[str] | None = [enough]
    elif data.features is None:
        names = None
    else:
        names = [*data.features, *(data.key or ()), *([data.time] if data.time else ())]
    yield from source.batches(data, files, piece, names, batch_rows)


def _count_rows(raw: RawTable, data: DataSettings, wanted_month: np.datetime64 | None) -> int:
    return len(raw) if wanted_month is None else int((_read_months(raw, data) == wanted_month).sum())


def _read_months(raw: RawTable, data: DataSettings) -> NDArray[np.datetime64]:
    return columns.to_times(find_column(raw, str(data.time), "data.time", data), where="data.time").astype(
        "datetime64[M]"
    )


def _empty_window_error(data: DataSettings, source: Source, files: Files, period: str, batch_rows: int) -> DataError:
    if data.time is None:
        return DataError(f"{describe_source(data)} has no rows", expected="at least one", where="data")
    months = [
        _read_months(raw, data)
        for piece in source.pieces(data, files, None)
        for raw in _read_raw(data, source, files, piece, batch_rows, rows_only=True)
        if len(raw)
    ]
    first, last = (
        min((batch.min() for batch in months), default=None),
        max((batch.max() for batch in months), default=None),
    )
    expected = f"a month from {first} to {last}" if months else "at least one row"
    return DataError(f"no rows in {period}", expected=expected, where="period")
