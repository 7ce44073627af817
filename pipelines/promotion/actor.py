"""Who acts, and when."""

from __future__ import annotations

import os
from datetime import UTC, datetime

UNNAMED_ACTOR_VARIABLE = "LOCKGATE_NOBODY"
"""Environment variable that is set when no user was named and lockgate used a name of its own."""


def actor() -> str:
    """The user who runs this command, as Metaflow names them. Only a claim: the signature is what counts."""
    return os.environ.get("METAFLOW_USER") or os.environ.get("USER") or "unknown"


def clock() -> datetime:
    """The current time, with a time zone."""
    return datetime.now(UTC)
