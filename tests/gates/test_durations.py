"""Durations and months as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from lockgate.gates.durations import Duration, is_duration, is_month, parse_duration


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
