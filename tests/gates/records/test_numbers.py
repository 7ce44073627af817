from __future__ import annotations

import math

import pytest

from lockgate.gates.records.numbers import (
    format_estimate,
    format_fitting,
    format_interval,
    format_number,
    format_times,
)


def test_numbers_without_an_interval() -> None:
    assert [format_number(value) for value in (0.123456, -0.0, 9999.4, 1234567.4, -20000.0, 1e15, None)] == [
        "0.1235",
        "0",
        "9999",
        "1,234,567",
        "-20,000",
        "1e+15",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("value", "bounds", "text"),
    [
        (0.014476, (-0.0023941, 0.0311421), "0.0145 (-0.0024 to 0.0311)"),
        (0.801468860165, (0.765313672378, 0.841965450827), "0.8015 (0.7653 to 0.8420)"),
        (0.61, (0.2, 0.99), "0.610 (0.200 to 0.990)"),
        (-0.00001, (-0.4, 0.4), "0.000 (-0.400 to 0.400)"),
        (31.24159, (-12.6, 71.3), "31.2 (-12.6 to 71.3)"),
        (1234.56, (800.0, 2345.6), "1,235 (800 to 2,346)"),
        (0.5, (0.5, 0.5), "0.5 (0.5 to 0.5)"),
        (0.12345, (-math.inf, 0.25), "0.1235 (unknown to 0.25)"),
        (0.12345, None, "0.1235 (no interval)"),
        (None, None, "unknown (no interval)"),
    ],
)
def test_an_interval_says_how_many_digits_have_a_meaning(value: float | None, bounds, text: str) -> None:
    assert format_estimate(value, bounds) == text
    assert text.endswith(f"({format_interval(bounds)})")


def test_digits_never_move_a_bound_by_more_than_a_two_hundredth_of_the_interval() -> None:
    for width in (1e-7, 0.00123, 0.0999, 0.1, 0.10001, 3.7, 99.9, 100.0):
        bounds = (0.123456789, 0.123456789 + width)
        for bound, text in zip(bounds, format_fitting(bounds, bounds), strict=True):
            assert abs(float(text) - bound) <= width / 199


def test_signs_of_gains() -> None:
    assert format_fitting([0.0123, -0.0123, 0.0, -0.00001], (-0.1, 0.1), sign="+") == [
        "+0.012",
        "-0.012",
        "0.000",
        "0.000",
    ]
    assert format_fitting([0.5, -0.5, 0.0], None, sign="+") == ["+0.5", "-0.5", "0"]


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (1.1, "about 1.1 times"),
        (9.949, "about 9.9 times"),
        (9.96, "about 10 times"),
        (23.6, "about 24 times"),
        (243.2, "about 240 times"),
        (994.0, "about 990 times"),
        (1000.0, "more than 1,000 times"),
        (math.inf, "more than 1,000 times"),
    ],
)
def test_how_many_times_as_many_rows(times: float, text: str) -> None:
    assert format_times(times) == text
