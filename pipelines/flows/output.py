"""The progress of a step, and its end on an error: in one line, and without a retry if that cannot help."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lockgate.gates.errors import LockgateError, LogError, RunError
from lockgate.gates.runs import metaflow_api
from lockgate.pipelines.promotion import events

PROGRESS_PREFIX = "lockgate: "
"""Starts every line of progress, so that the command line can tell it from Metaflow's own."""

_RETRYABLE_ERRORS = (LogError, RunError)
"""Errors that a retry may resolve: a log or a metadata service that is down."""

_RETRY_EXIT_CODE = 1
"""The exit code of a step that Metaflow retries, without a traceback."""

ERROR_FILE_VARIABLE = "LOCKGATE_ERROR_FILE"
"""Environment variable that names a file for the type and the one line of a step's error. It may be unset."""


def report(message: str, /, *, event: str = "progress", **fields: Any) -> None:
    """Print one line of progress: see `events.Reporter`."""
    json = events.wants_json() and events.format_event(message, level="info", event=event, **_task_fields(), **fields)
    print(json or f"{PROGRESS_PREFIX}{message}", flush=True)  # noqa: T201 (a step's output is its log)


@contextmanager
def fail_in_one_line() -> Iterator[None]:
    """End the step with one line on a LockgateError. It is retried only if the error is one of `_RETRYABLE_ERRORS`."""
    try:
        yield
    except LockgateError as err:
        line = str(err)
        if file := os.environ.get(ERROR_FILE_VARIABLE):
            Path(file).write_text(f"{type(err).__name__}\n{line}", encoding="utf-8")
        sys.stderr.write(
            (events.format_error(err, **_task_fields()) if events.wants_json() else f"{PROGRESS_PREFIX}{line}") + "\n"
        )
        sys.stderr.flush()
        sys.exit(_RETRY_EXIT_CODE if isinstance(err, _RETRYABLE_ERRORS) else metaflow_api.read_no_retry_code())


def _task_fields() -> dict[str, str]:
    """The task that reports, as Metaflow names it; empty outside a flow."""
    from metaflow import current

    return {"task": current.pathspec} if current.is_running_flow else {}
