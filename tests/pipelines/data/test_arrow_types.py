"""Keys, clusters and slices are published as the source has them: every digit, every zone, nothing merged."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.errors import DataError
from lockgate.pipelines.data.arrow_types import classify_type, decode, format_values


def texts(values: Any, arrow_type: Any = None) -> list[str | None]:
    column = pa.chunked_array([pa.array(values, arrow_type)])
    return format_values(decode(column), name="k", where="data.key").to_pylist()


@pytest.mark.parametrize(
    ("values", "arrow_type", "expected"),
    [
        (["007", "", None, "NA "], pa.string_view(), ["007", "", None, "NA "]),
        (["b", "a", "b"], pa.dictionary(pa.int8(), pa.large_string()), ["b", "a", "b"]),
        ([2**63, 2**64 - 1, None], pa.uint64(), ["9223372036854775808", "18446744073709551615", None]),
        ([-(2**63), 2**53 + 1], pa.int64(), ["-9223372036854775808", "9007199254740993"]),
        ([7, 7], pa.dictionary(pa.int8(), pa.int64()), ["7", "7"]),
        ([Decimal("1.50"), Decimal("-0.05")], pa.decimal128(12, 2), ["1.50", "-0.05"]),
        ([Decimal(12345678901234567890123456789)], pa.decimal256(40, 0), ["12345678901234567890123456789"]),
        ([3.0, 0.1, -2.5, None, float("nan")], pa.float64(), ["3", "0.1", "-2.5", None, None]),
        ([0.1, 1e-7], pa.float32(), ["0.1", "1e-07"]),
        ([True, None, False], pa.bool_(), ["true", None, "false"]),
        ([dt.date(1999, 12, 31)], pa.date64(), ["1999-12-31"]),
        ([dt.time(7, 5), dt.time(7, 5, 0, 500_000)], pa.time64("us"), ["07:05:00", "07:05:00.5"]),
        (
            [1_700_000_000_000_000_001, 1_700_000_000_000_000_010],
            pa.timestamp("ns"),
            ["2023-11-14T22:13:20.000000001", "2023-11-14T22:13:20.00000001"],
        ),
        ([1_582_934_400, 1_582_934_460], pa.timestamp("s"), ["2020-02-29", "2020-02-29T00:01:00"]),
        ([None, None], pa.null(), [None, None]),
    ],
)
def test_a_value_is_published_with_all_its_digits(values, arrow_type, expected) -> None:
    assert texts(values, arrow_type) == expected


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """Sydney sets its clocks back at three o'clock on 5 April 2026."""
    instants = [dt.datetime(2026, 4, 4, hour, 30, tzinfo=dt.UTC) for hour in (15, 16)]
    assert texts(instants, pa.timestamp("us", "Australia/Sydney")) == [
        "2026-04-05T02:30:00+11:00",
        "2026-04-05T02:30:00+10:00",
    ]
    assert texts(instants[:1], pa.timestamp("ms", "UTC")) == ["2026-04-04T15:30:00+00:00"]
    assert texts([dt.datetime(1890, 1, 1, tzinfo=dt.UTC)], pa.timestamp("s", "Europe/Amsterdam"))[0][-9:] == "+00:19:32"


def test_floats_that_cannot_name_a_row_are_refused() -> None:
    with pytest.raises(DataError, match=r"'k' holds floats, which do not tell names such as 9007199254740992 from"):
        texts([1.0, float(2**53)])


@pytest.mark.parametrize(
    ("values", "arrow_type", "name"),
    [
        ([[1]], pa.list_(pa.int8()), "list<item: int8>"),
        ([{"a": 1}], None, "struct<a: int64>"),
        ([b"x"], pa.binary(), "binary"),
        ([5], pa.duration("s"), r"duration\[s\]"),
        ([b"0" * 16], pa.uuid(), "extension<arrow.uuid>"),
    ],
)
def test_a_type_without_text_is_refused_by_its_name(values, arrow_type, name) -> None:
    with pytest.raises(DataError, match=f"column 'k' holds {name}; expected text, numbers, dates or times @ data.key"):
        texts(values, arrow_type)


@settings(max_examples=30)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, unique=True))
def test_integers_are_never_merged(numbers: list[int]) -> None:
    assert texts(numbers, pa.int64()) == [str(number) for number in numbers]


@settings(max_examples=30)
@given(st.lists(st.floats(-(2.0**53) + 1, 2.0**53 - 1), min_size=1))
def test_the_text_of_a_float_reads_back_as_the_same_float(numbers: list[float]) -> None:
    assert [float(text) for text in texts(numbers, pa.float64())] == numbers


def test_every_kind_is_known_behind_a_dictionary() -> None:
    assert classify_type(pa.dictionary(pa.int8(), pa.date32())) == "date"
    assert classify_type(pa.dictionary(pa.int8(), pa.binary())) is None
