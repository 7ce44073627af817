"""Durations and months as policies, facts and settings write them (45d, 2013-10), and the clock skew allowed for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may be apart. Something dated further in the future than this is refused."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DURATION = re.compile(r"([1-9][0-9]{0,4})([dh])")
_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")


def is_duration(text: str) -> bool:
    """Whether this is a `Duration`, such as 45d."""
    return _DURATION.fullmatch(text) is not None


def is_month(text: str) -> bool:
    """Whether this is a month of the years 0001 to 9999 as YYYY-MM, such as 2013-10."""
    return _MONTH.fullmatch(text) is not None


def _check_duration(value: str) -> str:
    if not is_duration(value):
        raise PydanticCustomError(
            "duration", "'{got}' is no duration; expected days or hours, as in 90d", {"got": value[:80]}
        )
    return value


Duration = Annotated[str, AfterValidator(_check_duration)]
"""Whole days or hours, from 1 to 99,999."""


def parse_duration(duration: str) -> timedelta:
    """A `Duration` as a timedelta."""
    count = int(duration[:-1])
    return timedelta(days=count) if duration.endswith("d") else timedelta(hours=count)


def shift_time(moment: datetime, duration: timedelta) -> datetime:
    """`moment` + `duration`; the first or the last moment that there is, where that would be beyond it."""
    try:
        return moment + duration
    except OverflowError:
        return (_LAST if duration > timedelta() else _FIRST).replace(tzinfo=moment.tzinfo)


def convert_to_utc(moment: datetime) -> datetime:
    """An aware time in UTC; the first or the last moment that there is, where that would be beyond it."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _LAST if moment.year > 1 else _FIRST
