"""The first line of a command, which names project, log and configuration: apart from the rest of what it says."""

from __future__ import annotations


def split_project_line(stderr: str) -> tuple[str, str]:
    """The line that names the project, empty if there is none, and what else stands on stderr."""
    first, newline, rest = stderr.partition("\n")
    is_named = first.startswith("project ") or (first.startswith("{") and '"event": "project"' in first)
    return (first + newline, rest) if is_named else ("", stderr)
