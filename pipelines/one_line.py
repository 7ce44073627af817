"""What a step says while it works, and how it ends on a user's mistake: in one line, without being tried again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gates.errors import LockgateError, LogError, RunError

SAID = "lockgate: "
"""Starts every line of progress, so that the command line can tell them from Metaflow's own."""

ERROR_FILE = "LOCKGATE_ERROR_FILE"
"""Names the file, if any, that gets a failed step's one line."""


def say(line: str) -> None:
    """One line of progress."""
    print(f"{SAID}{line}", flush=True)  # noqa: T201 (a step's output is its log)


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
        sys.stderr.write(f"{SAID}{line}\n")
        sys.stderr.flush()
        if isinstance(err, LogError | RunError):
            raise
        sys.exit(METAFLOW_EXIT_DISALLOW_RETRY)
