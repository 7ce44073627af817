"""The tables that models are judged on: read, checked, split. A source is one file here and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lockgate.gates.errors import DataError
from lockgate.pipelines.data import breast_cancer, table, window
from lockgate.pipelines.data.columns import meant, options
from lockgate.pipelines.data.files import Files, Folder, Objects
from lockgate.pipelines.data.frames import Table, build
from lockgate.pipelines.data.holdout import Split, split
from lockgate.pipelines.data.settings import DataSettings, TrainSettings, next_period
from lockgate.pipelines.data.source import Piece, Source
from lockgate.pipelines.data.window import Plan, Window

__all__ = [
    "SOURCES",
    "DataSettings",
    "Files",
    "Folder",
    "Objects",
    "Piece",
    "Plan",
    "Split",
    "Table",
    "TrainSettings",
    "Window",
    "load",
    "next_period",
    "planned",
    "split",
    "windows",
]

SOURCES: dict[str, Source] = {"breast_cancer": Source(breast_cancer.read), "table": table.Tables(table.read)}


def load(data: DataSettings, *, root: Files | Path) -> Table:
    """The declared table with every row, typed and checked. A relative path starts at `root`.

    Raises:
        DataError: an unknown source, a file that cannot be read, or a column that is not as declared.
    """
    return build(_source(data).read(data, _files(root)), data)


def planned(data: DataSettings, period: str, *, root: Files | Path, batch_rows: int) -> Plan:
    """Which pieces of the table hold rows to predict, and how many rows: see `window.planned`."""
    return window.planned(data, _source(data), _files(root), period, batch_rows=batch_rows)


def windows(
    data: DataSettings, period: str, pieces: Sequence[Piece], *, root: Files | Path, batch_rows: int
) -> Iterator[Window]:
    """The rows to predict in `pieces`, batch by batch: see `window.windows`."""
    return window.windows(data, _source(data), _files(root), period, pieces, batch_rows=batch_rows)


def _files(root: Files | Path) -> Files:
    return Folder(root) if isinstance(root, Path) else root


def _source(data: DataSettings) -> Source:
    if data.source not in SOURCES:
        raise DataError(
            f"{data.source!r} is no source of data",
            expected=options(SOURCES),
            where="data.source",
            hint=meant(data.source, SOURCES),
        )
    return SOURCES[data.source]
