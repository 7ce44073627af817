"""Durations and periods as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from lockgate.gates.durations import (
    Duration,
    convert_to_utc,
    is_duration,
    parse_duration,
    period_days,
    period_kind,
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


@pytest.mark.parametrize(
    ("name", "kind", "first", "last"),
    [
        ("0001-01", "month", date(1, 1, 1), date(1, 1, 31)),
        ("2012-02", "month", date(2012, 2, 1), date(2012, 2, 29)),
        ("9999-12", "month", date(9999, 12, 1), date(9999, 12, 31)),
        ("2013-Q1", "quarter", date(2013, 1, 1), date(2013, 3, 31)),
        ("2013-Q4", "quarter", date(2013, 10, 1), date(2013, 12, 31)),
        ("2020-W53", "week", date(2020, 12, 28), date(2021, 1, 3)),
        ("2021-W01", "week", date(2021, 1, 4), date(2021, 1, 10)),
        ("2024-02-29", "day", date(2024, 2, 29), date(2024, 2, 29)),
    ],
)
def test_periods_of_the_years_1_to_9999(name: str, kind: str, first: date, last: date) -> None:
    assert (period_kind(name), period_days(name)) == (kind, (first, last))


@pytest.mark.parametrize(
    "text",
    [
        *("", "0000-01", "2013", "2013-1", "2013-00", "2013-13", "13-10", "2013-10-1", "2013-10-32", "2013-10\n"),
        *("2013-Q0", "2013-Q5", "2013-W00", "2019-W53", "2013-W1", "2013-02-29", "9999-W53", "2013-10-01T00:00"),
        "٢٠١٣-10",
    ],
)
def test_what_is_no_period(text: str) -> None:
    assert (period_kind(text), period_days(text)) == ("", None)


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
