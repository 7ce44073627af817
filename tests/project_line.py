"""The line of a command which names project, log and configuration: apart from the rest of what it says."""

from __future__ import annotations

import re

_PROJECT_LINE = re.compile(
    r"^(project [\w-]+, log .+, configuration .+|\{.*\"event\": \"project\".*\})\n", re.MULTILINE
)


def split_project_line(stderr: str) -> tuple[str, str]:
    """The line that names the project, empty if the first line does not, and what else stands on stderr."""
    line = _PROJECT_LINE.match(stderr)
    return (line[0], stderr[line.end() :]) if line else ("", stderr)


def drop_project_line(output: str) -> str:
    """What a command says on stdout and stderr, whose lines may be mixed, without the line that names the project."""
    return _PROJECT_LINE.sub("", output, count=1)
