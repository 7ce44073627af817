"""The rows to predict, in pieces that several processes can share and in batches that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.frames import (
    build_features,
    build_row_ids,
    check_column,
    check_distinct,
    describe_source,
    find_column,
    list_features,
)
from lockgate.pipelines.data.source import Piece, RawTable, Source
from lockgate.pipelines.data.times import EXAMPLES, Period, number_periods, parse_period, read_times

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from lockgate.pipelines.data.files import Files
    from lockgate.pipelines.data.settings import DataSettings


ALL_ROWS = "all"
"""The window of a table without a column of time."""


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


def parse_window(data: DataSettings, window: str) -> Period | None:
    """The period that a window names; None for `all`, which is the window of a table without a column of time.

    Raises DataError for anything else.
    """
    if data.time is not None:
        try:
            return parse_period(window, data.period, where="window")
        except DataError as err:
            raise DataError(
                f"{window[:80]!r} is not a window", expected=f"a {data.period}, {EXAMPLES[data.period]}", where="window"
            ) from err
    if window != ALL_ROWS:
        raise DataError(
            f"{window[:80]!r} is not a window",
            expected=f"{ALL_ROWS}, as the table has no column of time",
            where="window",
        )
    return None


def plan_source_window(data: DataSettings, source: Source, files: Files, window: str, *, batch_rows: int) -> WindowPlan:
    """The pieces with rows of the window, and the number of these rows, at least one.

    Raises:
        DataError: that is no window (`parse_window`), it has no rows, a column is missing, or the table cannot be read.
    """
    period = parse_window(data, window)
    pieces: list[Piece] = []
    rows = 0
    for piece in source.pieces(data, files, period):
        count = 0
        for raw in _read_raw(data, source, files, piece, batch_rows, rows_only=True):
            if not pieces and not count:
                _check_columns(raw, data)
            count += _count_rows(raw, data, period)
        if count:
            pieces.append(piece)
            rows += count
    if not rows:
        raise _empty_window_error(data, source, files, window, batch_rows)
    return WindowPlan(pieces=tuple(pieces), rows=rows)


def find_newest_period(data: DataSettings, source: Source, files: Files, *, batch_rows: int) -> str:
    """The last period with a row, by name. Raises DataError if the table has no rows, or cannot be read."""
    numbers = _list_periods(data, source, files, batch_rows)
    if not numbers:
        raise DataError(f"{describe_source(data)} has no rows", expected="at least one", where="data")
    return str(Period(kind=data.period, number=max(numbers)))


def read_source_window(
    data: DataSettings, source: Source, files: Files, window: str, pieces: Sequence[Piece], *, batch_rows: int
) -> Iterator[WindowRows]:
    """The rows of the window in these pieces, at most `batch_rows` at a time, in the source's order.

    The target column may be missing, as rows to predict have no outcome yet. Raises DataError if another column is
    missing or has the wrong type, or if a key repeats within a batch.
    """
    import numpy as np

    period = parse_window(data, window)
    for piece in pieces:
        first = piece.first_row
        for raw in _read_raw(data, source, files, piece, batch_rows, rows_only=False):
            inside = (
                np.arange(len(raw))
                if period is None
                else np.flatnonzero(_read_period_numbers(raw, data) == period.number)
            )
            if len(inside):
                yield _build_window(raw.take(inside), first + inside, data)
            first += len(raw)


def _check_columns(raw: RawTable, data: DataSettings) -> None:
    """Raise DataError if a column that predicting needs is missing."""
    for key, names in {"data.key": data.key or (), "data.features": data.features or ()}.items():
        for name in names:
            check_column(raw, name, key, data)


def _build_window(raw: RawTable, numbers: NDArray[np.int64], data: DataSettings) -> WindowRows:
    import pandas as pd

    ids = build_row_ids(raw, numbers, data)
    check_distinct(pd.Series(ids.to_numpy(zero_copy_only=False), dtype=object), data)
    frame = build_features(raw, list_features(raw.names, data), data, categories=True)
    return WindowRows(frame=frame, row_ids=ids)


def _read_raw(
    data: DataSettings, source: Source, files: Files, piece: Piece, batch_rows: int, *, rows_only: bool
) -> Iterator[RawTable]:
    """The rows of a piece as the source has them; with `rows_only`, just one column, enough to count rows by period."""
    if rows_only and (enough := data.time or next(iter(data.key or data.features or ()), None)):
        names: list[str] | None = [enough]
    elif data.features is None:
        names = None
    else:
        names = [*data.features, *(data.key or ()), *([data.time] if data.time else ())]
    yield from source.batches(data, files, piece, names, batch_rows)


def _count_rows(raw: RawTable, data: DataSettings, period: Period | None) -> int:
    return len(raw) if period is None else int((_read_period_numbers(raw, data) == period.number).sum())


def _read_period_numbers(raw: RawTable, data: DataSettings) -> NDArray[np.int64]:
    times = read_times(find_column(raw, str(data.time), "data.time", data), data, where="data.time")
    return number_periods(times, data)


def _list_periods(data: DataSettings, source: Source, files: Files, batch_rows: int) -> list[int]:
    """The first and the last period of each batch of the table."""
    batches = [
        _read_period_numbers(raw, data)
        for piece in source.pieces(data, files, None)
        for raw in _read_raw(data, source, files, piece, batch_rows, rows_only=True)
        if len(raw)
    ]
    return [int(end) for batch in batches for end in (batch.min(), batch.max())]


def _empty_window_error(data: DataSettings, source: Source, files: Files, window: str, batch_rows: int) -> DataError:
    if data.time is None:
        return DataError(f"{describe_source(data)} has no rows", expected="at least one", where="data")
    numbers = _list_periods(data, source, files, batch_rows)
    first, last = (Period(kind=data.period, number=end(numbers, default=0)) for end in (min, max))
    expected = f"a {data.period} from {first} to {last}" if numbers else "at least one row"
    return DataError(f"no rows in {window}", expected=expected, where="window")
