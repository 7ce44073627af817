"""The tables that models are judged on: read, checked, split. A source is one file here and one line in `SOURCES`."""

from __future__ import annotations

from pathlib import Path

from gates.errors import DataError
from pipelines.data import breast_cancer, table
from pipelines.data.frames import Read, Table, build
from pipelines.data.holdout import Split, Window, split, window
from pipelines.data.period import next_period
from pipelines.data.settings import DataSettings, Task, TrainSettings
from pipelines.data.wording import meant, options

__all__ = [
    "SOURCES",
    "DataSettings",
    "Split",
    "Table",
    "Task",
    "TrainSettings",
    "Window",
    "load",
    "next_period",
    "split",
    "window",
]

SOURCES: dict[str, Read] = {"breast_cancer": breast_cancer.read, "table": table.read}


def load(data: DataSettings, *, root: Path) -> Table:
    """The declared table with every row, typed and checked. A relative path starts at `root`, the project.

    Raises:
        DataError: an unknown source, a file that cannot be read, or a column that is not as declared.
    """
    if data.source not in SOURCES:
        raise DataError(
            f"{data.source!r} is no source of data",
            expected=options(SOURCES),
            where="data.source",
            hint=meant(data.source, SOURCES),
        )
    return build(SOURCES[data.source](data, root), data)
