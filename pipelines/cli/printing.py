"""What the command line prints and writes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gates.errors import LockgateError

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 160
"""Columns where the output is no terminal: a log, a file."""


def console() -> Console:
    """Standard output, as wide as the terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as err:
        raise LockgateError(f"cannot write: {err.strerror}", where=str(path)) from err


def append(path: Path, text: str) -> None:
    """Add text to the end of a file."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise LockgateError(f"cannot write: {err.strerror}", where=str(path)) from err


def print_json(value: object) -> None:
    """A value as indented JSON on stdout."""
    sys.stdout.write(indented(value))


def indented(value: object) -> str:
    """A value as JSON that people read, with the end of its last line."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
