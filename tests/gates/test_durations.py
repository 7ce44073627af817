"""Durations and months as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from lockgate.gates.durations import (
    Duration,
    convert_to_utc,
    is_duration,
    is_month,
    parse_duration,
    shift_time,
)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1h", timedelta(hours=1)),
        ("36h", timedelta(hours=36)),
        ("90d", timedelta(days=90)),
        ("99999d", timedelta(days=99_999)),
    ],
)
def test_days_and_hours(text: str, duration: timedelta) -> None:
    assert is_duration(text)
    assert parse_duration(text) == duration
    assert TypeAdapter(Duration).validate_python(text) == text


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "01d", "1.5d", "-1d", "100000d", "90 d", "90d\n", "1w", "٩d"])
def test_anything_else_is_no_duration(text: str) -> None:
    assert not is_duration(text)
    with pytest.raises(ValidationError, match="is no duration; expected days or hours, as in 90d"):
        TypeAdapter(Duration).validate_python(text)


def test_months_of_the_years_1_to_9999() -> None:
    assert all(map(is_month, ["0001-01", "2013-10", "2013-12", "9999-12"]))
    assert not any(
        map(is_month, ["", "0000-01", "2013", "2013-1", "2013-00", "2013-13", "13-10", "2013-10-01", "2013-10\n"])
    )


EAST, WEST = timezone(timedelta(hours=14)), timezone(-timedelta(hours=14))
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def test_no_time_is_beyond_the_first_and_the_last() -> None:
    day = timedelta(days=1)
    assert shift_time(LAST - day, day) == shift_time(LAST, day) == LAST
    assert shift_time(FIRST + day, -day) == shift_time(FIRST, -day) == FIRST
    assert shift_time(datetime.max, day) == datetime.max  # without a zone  # noqa: DTZ901
    assert convert_to_utc(LAST.replace(tzinfo=WEST)) == LAST
    assert convert_to_utc(FIRST.replace(tzinfo=EAST)) == FIRST
    assert convert_to_utc(LAST.replace(tzinfo=EAST)) == LAST - timedelta(hours=14)
