"""Read, check and split the tables that models are judged on. A source is a file here and a line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import breast_cancer, table
from lockgate.pipelines.data import window as windows
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.files import Files, Folder, Objects
from lockgate.pipelines.data.frames import Table, build_table
from lockgate.pipelines.data.fresh import Freshness, UsedRows
from lockgate.pipelines.data.holdout import Split, list_periods, resolve_as_of, split
from lockgate.pipelines.data.schema import write_types
from lockgate.pipelines.data.settings import EVERY_ROW, DataSettings, TrainSettings
from lockgate.pipelines.data.source import Piece, Source
from lockgate.pipelines.data.text_stream import Report
from lockgate.pipelines.data.times import next_period
from lockgate.pipelines.data.window import ALL_ROWS, WindowPlan, WindowRows, parse_window

__all__ = [
    "ALL_ROWS",
    "EVERY_ROW",
    "SOURCES",
    "DataSettings",
    "Files",
    "Folder",
    "Freshness",
    "Objects",
    "Piece",
    "Split",
    "Table",
    "TrainSettings",
    "UsedRows",
    "WindowPlan",
    "WindowRows",
    "list_periods",
    "load",
    "newest_window",
    "next_period",
    "parse_window",
    "plan_window",
    "read_window",
    "resolve_as_of",
    "split",
]

SOURCES: dict[str, Source] = {
    "breast_cancer": Source(breast_cancer.read_breast_cancer),
    "table": table.TableSource(table.read_table),
}


def load(data: DataSettings, *, root: Files | Path, report: Report = lambda _: None) -> Table:
    """The declared table with all rows, typed and checked. A relative path starts at `root`.

    `report` hears the types that were inferred, and how far reading is if it takes long.

    Raises:
        DataError: the source is unknown, the file cannot be read, or a column is not as declared.
    """
    raw = _source(data).read(data, _files(root), None, report)
    table = build_table(raw, data)
    if inferred := {name: raw.types[name] for name in raw.inferred}:
        report(f"types of the columns, as conf/data would declare them: types: {write_types(inferred)}")
    return table


def plan_window(data: DataSettings, window: str, *, root: Files | Path, batch_rows: int) -> WindowPlan:
    """Which pieces of the table to predict hold the window, and how many rows: see `window.plan_source_window`.

    The table is that of `data.score` if there is one, as it is for the two functions below.
    """
    with _to_score(data) as table:
        return windows.plan_source_window(table, _source(table), _files(root), window, batch_rows=batch_rows)


def newest_window(data: DataSettings, *, root: Files | Path, batch_rows: int) -> str:
    """The last period of the table to predict, by name; `all` if it has no column of time."""
    if data.time is None:
        return ALL_ROWS
    with _to_score(data) as table:
        return windows.find_newest_period(table, _source(table), _files(root), batch_rows=batch_rows)


def read_window(
    data: DataSettings, window: str, pieces: Sequence[Piece], *, root: Files | Path, batch_rows: int
) -> Iterator[WindowRows]:
    """The rows to predict in `pieces`, batch by batch: see `window.read_source_window`."""
    with _to_score(data) as table:
        yield from windows.read_source_window(
            table, _source(table), _files(root), window, pieces, batch_rows=batch_rows
        )


@contextmanager
def _to_score(data: DataSettings) -> Iterator[DataSettings]:
    """The table to predict; errors name the key that says where it is."""
    if data.score is None:
        yield data
        return
    try:
        yield data.model_copy(update={"path": data.score.path})
    except DataError as err:
        err.where = err.where.replace("data.path", "data.score.path")
        raise


def _files(root: Files | Path) -> Files:
    return Folder(root) if isinstance(root, Path) else root


def _source(data: DataSettings) -> Source:
    if data.source not in SOURCES:
        raise DataError(
            f"{data.source!r} is not a source of data",
            expected=list_options(SOURCES),
            where="data.source",
            hint=suggest_name(data.source, SOURCES),
        )
    return SOURCES[data.source]
