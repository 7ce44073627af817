"""Who acts, and when."""

from __future__ import annotations

import os
from datetime import UTC, datetime

UNNAMED_ACTOR_VARIABLE = "LOCKGATE_NOBODY"
"""Environment variable: set where nobody was named, and lockgate took a name of its own."""


def actor() -> str:
    """Who runs this command, as Metaflow names them. A claim: what counts is the signature."""
    return os.environ.get("METAFLOW_USER") or os.environ.get("USER") or "unknown"


def clock() -> datetime:
    """Now."""
    return datetime.now(UTC)
