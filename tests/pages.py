"""Pages of the documentation as tests read them: their blocks of code, and what they show of a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def read_blocks(page: str, language: str) -> list[str]:
    """The blocks of a page that are of one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block.split("```")[0] for block in text.split(f"```{language}\n")[1:]]


def read_terminal(page: str) -> Iterator[tuple[list[str], str]]:
    """Each command after a `$ ` in the page's blocks `console`, as words, and what is shown to be printed."""
    for block in read_blocks(page, "console"):
        for shown in block.removeprefix("$ ").split("\n$ "):
            command, _, printed = shown.partition("\n")
            yield shlex.split(command), printed.rstrip("\n")


def strip_lines(text: str) -> str:
    """Text without spaces at the ends of its lines, which nobody sees on a page."""
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))
