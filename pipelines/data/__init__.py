"""Read, check and split the tables that models are judged on. A source is a file here and a line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import breast_cancer, table, window
from lockgate.pipelines.data.columns import list_options, suggest_name
from lockgate.pipelines.data.files import Files, Folder, Objects
from lockgate.pipelines.data.frames import Table, build_table
from lockgate.pipelines.data.holdout import Split, list_periods, split
from lockgate.pipelines.data.schema import write_types
from lockgate.pipelines.data.settings import EVERY_ROW, DataSettings, TrainSettings, next_period
from lockgate.pipelines.data.source import Piece, Source
from lockgate.pipelines.data.text_stream import Report
from lockgate.pipelines.data.window import WindowPlan, WindowRows

__all__ = [
    "EVERY_ROW",
    "SOURCES",
    "DataSettings",
    "Files",
    "Folder",
    "Objects",
    "Piece",
    "Split",
    "Table",
    "TrainSettings",
    "WindowPlan",
    "WindowRows",
    "list_periods",
    "load",
    "next_period",
    "plan_window",
    "read_window",
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


def plan_window(data: DataSettings, period: str, *, root: Files | Path, batch_rows: int) -> WindowPlan:
    """Which pieces of the table hold rows to predict, and how many rows: see `window.plan_source_window`."""
    return window.plan_source_window(data, _source(data), _files(root), period, batch_rows=batch_rows)


def read_window(
    data: DataSettings, period: str, pieces: Sequence[Piece], *, root: Files | Path, batch_rows: int
) -> Iterator[WindowRows]:
    """The rows to predict in `pieces`, batch by batch: see `window.read_source_window`."""
    return window.read_source_window(data, _source(data), _files(root), period, pieces, batch_rows=batch_rows)


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
