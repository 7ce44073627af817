"""Lines that GitHub Actions shows beside a pull request's checks and files: workflow commands on a job's output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from gates.errors import printable

MOST = 10
"""Of each level, for each step: GitHub shows no more."""

LONGEST = 1000
Level = Literal["notice", "warning", "error"]


def shown(level: Level, found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each (title, message), ten at most; where there are more, the last says how many.

    Whatever stands in a title or a message stays text: neither ends the command, begins another, or makes a property.
    """
    told = list(found)
    first = told if len(told) <= MOST else told[: MOST - 1]
    for title, message in first:
        yield f"::{level} title={_property(title)}::{_text(message)}"
    if len(first) < len(told):
        yield f"::{level} title=lockgate::{len(told) - len(first)} more; all of them are in the report"


def _text(text: str) -> str:
    return printable(text)[:LONGEST].replace("%", "%25")


def _property(text: str) -> str:
    return _text(text)[:100].replace(":", "%3A").replace(",", "%2C")
