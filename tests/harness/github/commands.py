"""What a step says to GitHub: in the files that GITHUB_OUTPUT and its like name, and by lines of its output."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_ANNOTATIONS = 10
"""Of each level, for each step."""

ANNOTATION_LEVELS = ("notice", "warning", "error")
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
    variables: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if not line:
            continue
        plain, heredoc = line.find("="), line.find("<<")
        if plain >= 0 and (heredoc < 0 or plain < heredoc):
            name, value = line.split("=", 1)
        elif heredoc >= 0:
            name, delimiter = line.split("<<", 1)
            body = []
            for body_line in lines:
                if body_line == delimiter:
                    break
                body.append(body_line)
            else:
                raise FileError(f"Invalid value. Matching delimiter not found '{delimiter}'")
            value = "\n".join(body)
        else:
            raise FileError(f"Invalid format '{line}'")
        if not name:
            raise FileError(f"Invalid format '{line}': the name is empty")
        variables[name] = value
    return variables


def annotations(output: str) -> list[Annotation]:
    """Those that GitHub shows of a step's output: ten of each level. Between stop-commands and its token, none."""
    collected: list[Annotation] = []
    until: str | None = None
    for line in output.splitlines():
        command = _COMMAND.fullmatch(line.strip())
        if command is None:
            continue
        if until is not None:
            until = None if command["name"] == until else until
        elif command["name"] == "stop-commands":
            until = command["message"]
        elif (
            command["name"] in ANNOTATION_LEVELS
            and sum(annotation.level == command["name"] for annotation in collected) < MAX_ANNOTATIONS
        ):
            pairs = (pair.split("=", 1) for pair in (command["properties"] or "").split(",") if "=" in pair)
            properties = {name.strip(): _property(value) for name, value in pairs}
            collected.append(
                Annotation(level=command["name"], title=properties.get("title", ""), message=_text(command["message"]))
            )
    return collected


def _text(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _property(text: str) -> str:
    return _text(text.replace("%3A", ":").replace("%2C", ","))
