"""What a step says while it works, and how it ends on a user's mistake: in one line, without being tried again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lockgate.gates.errors import LockgateError, LogError, RunError
from lockgate.pipelines.promotion import events

SAID = "lockgate: "
"""Starts every line of progress, so that the command line can tell them from Metaflow's own."""

_MAY_PASS = (LogError, RunError)
"""What may be over when the step is tried again: a log or a metadata service that is down."""

_TRIED_AGAIN = 1
"""The exit code of a step that Metaflow tries again, without a traceback."""

ERROR_FILE = "LOCKGATE_ERROR_FILE"
"""Names the file, if any, that gets a failed step's one line."""


def say(message: str, /, *, event: str = "progress", **fields: Any) -> None:
    """One line of progress: see `events.Say`."""
    json = events.wanted() and events.record(message, level="info", event=event, **_task(), **fields)
    print(json or f"{SAID}{message}", flush=True)  # noqa: T201 (a step's output is its log)


@contextmanager
def in_one_line() -> Iterator[None]:
    """A LockgateError ends the step with its one line. Bad input is not tried again; what may pass is."""
    from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY

    try:
        yield
    except LockgateError as err:
        line = str(err)
        if file := os.environ.get(ERROR_FILE):
            Path(file).write_text(line, encoding="utf-8")
        sys.stderr.write((events.refusal(err, **_task()) if events.wanted() else f"{SAID}{line}") + "\n")
        sys.stderr.flush()
        sys.exit(_TRIED_AGAIN if isinstance(err, _MAY_PASS) else METAFLOW_EXIT_DISALLOW_RETRY)


def _task() -> dict[str, str]:
    """Which task speaks, as Metaflow names it."""
    from metaflow import current

    return {"task": current.pathspec} if current.is_running_flow else {}
