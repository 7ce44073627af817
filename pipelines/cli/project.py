"""The promotion log of the project that conf/ names, as commands open it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gates.log import Log


def project_log(*, writing: bool = False) -> Log:
    """The log, on the object store that Metaflow is configured with; to be appended to where `writing`."""
    from gates import runs
    from pipelines.promotion_log import open_log
    from pipelines.settings import compose

    runs.check_installation()
    return open_log(compose().settings, writing=writing)


def actor() -> str:
    """Who runs this command, as Metaflow names them. A claim: what counts is the signature."""
    return os.environ.get("METAFLOW_USER") or os.environ.get("USER") or "unknown"


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)
