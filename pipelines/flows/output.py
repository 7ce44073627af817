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

PROGRESS_PREFIX = "lockgate: "
"""Starts every line of progress, so that the command line can tell them from Metaflow's own."""

_RETRYABLE_ERRORS = (LogError, RunError)
"""What may be over when the step is tried again: a log or a metadata service that is down."""

_RETRY_EXIT_CODE = 1
"""The exit code of a step that Metaflow tries again, without a traceback."""

ERROR_FILE_VARIABLE = "LOCKGATE_ERROR_FILE"
"""Names the file, if any, that gets a failed step's one line."""


def report(message: str, /, *, event: str = "progress", **fields: Any) -> None:
    """One line of progress: see `events.Say`."""
    json = events.wants_json() and events.format_event(message, level="info", event=event, **_task_fields(), **fields)
    print(json or f"{PROGRESS_PREFIX}{message}", flush=True)  # noqa: T201 (a step's output is its log)


@contextmanager
def fail_in_one_line() -> Iterator[None]:
    """A LockgateError ends the step with its one line. Bad input is not tried again; what may pass is."""
    from metaflow.exception import METAFLOW_EXIT_DISALLOW_RETRY

    try:
        yield
    except LockgateError as err:
        line = str(err)
        if file := os.environ.get(ERROR_FILE_VARIABLE):
            Path(file).write_text(line, encoding="utf-8")
        sys.stderr.write(
            (events.format_error(err, **_task_fields()) if events.wants_json() else f"{PROGRESS_PREFIX}{line}") + "\n"
        )
        sys.stderr.flush()
        sys.exit(_RETRY_EXIT_CODE if isinstance(err, _RETRYABLE_ERRORS) else METAFLOW_EXIT_DISALLOW_RETRY)


def _task_fields() -> dict[str, str]:
    """Which task speaks, as Metaflow names it."""
    from metaflow import current

    return {"task": current.pathspec} if current.is_running_flow else {}
