"""Lengths of time as a policy writes them: 45d, 12h."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_DURATION = re.compile(r"([1-9][0-9]{0,4})([dh])")


def _is_duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise PydanticCustomError(
            "duration", "'{got}' is no duration; expected days or hours, as in 90d", {"got": value[:80]}
        )
    return value


Duration = Annotated[str, AfterValidator(_is_duration)]
"""Whole days or hours, from 1 to 99,999."""


def length(duration: str) -> timedelta:
    """How long a `Duration` is."""
    count = int(duration[:-1])
    return timedelta(days=count) if duration.endswith("d") else timedelta(hours=count)
