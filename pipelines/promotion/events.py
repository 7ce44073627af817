"""Progress of commands and flows: plain lines or, if `LOCKGATE_LOG` is `json`, one JSON object per line."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any, Protocol

from lockgate.gates.errors import LockgateError

LOG_FORMAT_VARIABLE = "LOCKGATE_LOG"
"""Environment variable: `json` asks for one JSON object per line."""

JSON_MARK = '{"logger": "lockgate", '
"""Starts every JSON line, so that the command line can tell it from Metaflow's own."""


class Reporter(Protocol):
    """Takes a line of progress, the name of the event in snake_case, and further fields of it."""

    def __call__(self, message: str, /, *, event: str = "progress", **fields: Any) -> None: ...


def wants_json() -> bool:
    """Whether JSON was asked for."""
    return os.environ.get(LOG_FORMAT_VARIABLE, "").lower() == "json"


def format_event(message: str, *, level: str, event: str, **fields: Any) -> str:
    """One JSON object on one line: logger, time (UTC), level, event, message and `fields`."""
    document = {
        "logger": "lockgate",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": event,
        "message": message,
        **fields,
    }
    return json.dumps(document, default=str)


def format_error(err: LockgateError, **fields: Any) -> str:
    """The JSON line of an error: its message, its type and its parts."""
    return format_event(
        str(err),
        level="error",
        event="refused",
        error=type(err).__name__,
        problem=err.problem,
        where=err.where,
        **fields,
    )
