"""Durations and periods as policies, facts and settings write them (45d, 2013-10), and the clock skew allowed for."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may be apart. Something dated further in the future than this is refused."""

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DURATION = re.compile(r"([1-9][0-9]{0,4})([dh])")
_PERIOD = re.compile(
    r"(?P<year>(?!0000)[0-9]{4})-(?:(?P<month>0[1-9]|1[0-2])(?:-(?P<day>[0-9]{2}))?|W(?P<week>[0-9]{2})|Q(?P<quarter>[1-4]))"
)


def is_duration(text: str) -> bool:
    """Whether this is a `Duration`, such as 45d."""
    return _DURATION.fullmatch(text) is not None


def period_kind(text: str) -> str:
    """What period of the years 0001 to 9999 this names: `day`, `week`, `month` or `quarter`; empty for any other text.

    Names are 2013-10-05, 2013-W40 (ISO 8601, from Monday), 2013-10 and 2013-Q4.
    """
    match = _PERIOD.fullmatch(text)
    kind = "" if match is None else str(match.lastgroup)
    return kind if kind and period_days(text) else ""


def period_days(text: str) -> tuple[date, date] | None:
    """The first and the last day of the period that this names; None if it names none, or one past the year 9999."""
    match = _PERIOD.fullmatch(text)
    if match is None:
        return None
    year, month, day, week, quarter = (int(number or 0) for number in match.groups())
    try:
        if week or match["week"]:
            return date.fromisocalendar(year, week, 1), date.fromisocalendar(year, week, 7)
        if match["day"]:
            return date(year, month, day), date(year, month, day)
    except (ValueError, OverflowError):  # no such day or week
        return None
    first_month, last_month = (month, month) if month else (3 * quarter - 2, 3 * quarter)
    return date(year, first_month, 1), date(year, last_month, monthrange(year, last_month)[1])


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
