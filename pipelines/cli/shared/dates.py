"""Times as people write them on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from lockgate.gates.durations import is_duration, parse_duration, shift_time
from lockgate.gates.errors import SettingsError


def parse_moment(text: str, *, now: datetime, where: str, end_of_day: bool = True) -> datetime:
    """Parse a date, a date with a time, or a duration after `now`. UTC unless the text gives a zone.

    A date alone means its last moment, or its first if `end_of_day` is false. Raises SettingsError.
    """
    if is_duration(text):
        return shift_time(now, parse_duration(text))
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as err:
        raise SettingsError(
            f"{text[:60]!r} is not a time",
            expected="2026-12-31, 2026-12-31T18:00, or a duration such as 14d",
            where=where,
        ) from err
    if len(text) <= len("2026-12-31") and end_of_day:
        parsed = parsed.replace(hour=23, minute=59, second=59)
    try:
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError as err:
        raise SettingsError(f"{text[:60]!r} is too early or too late", where=where) from err
