"""The one look of all tables on a terminal."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import OverflowMethod


def make_table(
    *headings: str,
    style: str = "bold",
    unbroken: Collection[str] = (),
    overflow: OverflowMethod = "fold",
    indent: int = 0,
) -> Table:
    """A table without lines, two blanks between its columns. Without headings its columns come with the first row.

    Args:
        style: of the headings.
        unbroken: headings of columns whose cells stay on one line.
        overflow: what happens to words that are longer than their column; `fold` loses no letter.
        indent: blanks before each column.
    """
    table = Table(box=None, pad_edge=False, show_header=bool(headings), header_style=style, padding=(0, 2, 0, indent))
    for heading in headings:
        table.add_column(heading, overflow=overflow, no_wrap=heading in unbroken)
    return table
