"""Lines that GitHub Actions shows beside a pull request's checks and files: workflow commands on a job's output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from lockgate.gates.errors import printable

_PLAIN = re.compile(r"[A-Za-z0-9_./-]{0,200}")


def format_outputs(values: Mapping[str, object]) -> str:
    """NAME=VALUE lines. A value that is not a plain word is left empty, because it could add lines of its own."""
    return "".join(f"{name}={_plain(value)}\n" for name, value in values.items())


def _plain(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str("" if value is None else value)
    return text if _PLAIN.fullmatch(text) else ""


MAX_ANNOTATIONS = 10
"""For each level and step: GitHub shows no more."""

MAX_MESSAGE_LENGTH = 1000
Level = Literal["notice", "warning", "error"]


def format_annotations(level: Level, messages: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line for each (title, message), ten at most; where there are more, the last says how many.

    Whatever stands in a title or a message stays text: neither ends the command, begins another, or makes a property.
    """
    listed = list(messages)
    first = listed if len(listed) <= MAX_ANNOTATIONS else listed[: MAX_ANNOTATIONS - 1]
    for title, message in first:
        yield f"::{level} title={_property(title)}::{_text(message)}"
    if len(first) < len(listed):
        yield f"::{level} title=lockgate::{len(listed) - len(first)} more; all of them are in the report"


def _text(text: str) -> str:
    return printable(text)[:MAX_MESSAGE_LENGTH].replace("%", "%25")


def _property(text: str) -> str:
    return _text(text)[:100].replace(":", "%3A").replace(",", "%2C")
