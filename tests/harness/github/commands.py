"""What a step says to GitHub: in the files that GITHUB_OUTPUT and its like name, and by lines of its output."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_ANNOTATIONS = 10
"""Of each level, for each step."""

LEVELS = ("notice", "warning", "error")
_COMMAND = re.compile(r"::(?P<name>[a-zA-Z-]+)(?: (?P<properties>[^:]*?(?:=[^:]*)?))?::(?P<message>.*)")


class FileError(Exception):
    """GitHub fails a step whose file it cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    level: str
    title: str
    message: str


def values(text: str) -> dict[str, str]:
    """NAME=VALUE a line, or NAME<<DELIMITER, lines, DELIMITER; the last of a name counts. Raises FileError."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if not line:
            continue
        plain, heredoc = line.find("="), line.find("<<")
        if plain >= 0 and (heredoc < 0 or plain < heredoc):
            name, value = line.split("=", 1)
        elif heredoc >= 0:
            name, delimiter = line.split("<<", 1)
            held = []
            for one in lines:
                if one == delimiter:
                    break
                held.append(one)
            else:
                raise FileError(f"Invalid value. Matching delimiter not found '{delimiter}'")
            value = "\n".join(held)
        else:
            raise FileError(f"Invalid format '{line}'")
        if not name:
            raise FileError(f"Invalid format '{line}': the name is empty")
        found[name] = value
    return found


def annotations(output: str) -> list[Annotation]:
    """Those that GitHub shows of a step's output: ten of each level. Between stop-commands and its token, none."""
    found: list[Annotation] = []
    until: str | None = None
    for line in output.splitlines():
        said = _COMMAND.fullmatch(line.strip())
        if said is None:
            continue
        if until is not None:
            until = None if said["name"] == until else until
        elif said["name"] == "stop-commands":
            until = said["message"]
        elif said["name"] in LEVELS and sum(one.level == said["name"] for one in found) < MOST_ANNOTATIONS:
            pairs = (pair.split("=", 1) for pair in (said["properties"] or "").split(",") if "=" in pair)
            properties = {name.strip(): _property(value) for name, value in pairs}
            found.append(
                Annotation(level=said["name"], title=properties.get("title", ""), message=_text(said["message"]))
            )
    return found


def _text(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _property(text: str) -> str:
    return _text(text.replace("%3A", ":").replace("%2C", ","))
