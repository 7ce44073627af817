"""Numbers as records keep them, and verdicts counted, worst first."""

from __future__ import annotations

import math

import pytest

from lockgate.gates.records.outcome import (
    SEVERITY_ORDER,
    Outcome,
    Verdict,
    round_to_12_digits,
    summarise_parts,
    worst_verdict,
)


def make_outcome(verdict: Verdict, **fields: float | None) -> Outcome:
    return Outcome(name="gate", kind="threshold", severity="block", verdict=verdict, **fields)


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (None, None),
        (math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (0.1 + 0.2, 0.3),
        (123456789012.34, 123456789012.0),
        (1.23456789012345e-7, 1.23456789012e-7),
    ],
)
def test_numbers_are_kept_with_twelve_digits(value: float | None, record: float | None) -> None:
    assert round_to_12_digits(value) == record
    assert make_outcome(Verdict.PASS, observed=value).observed == record


def test_minus_zero_is_zero() -> None:
    rounded = round_to_12_digits(-0.0)
    assert rounded is not None
    assert math.copysign(1, rounded) == 1


def test_the_worst_verdict_counts() -> None:
    for place, verdict in enumerate(SEVERITY_ORDER):
        assert worst_verdict([Verdict.SKIP, *reversed(SEVERITY_ORDER[place:])]) is verdict


def test_parts_are_counted_worst_first() -> None:
    parts = [make_outcome(verdict) for verdict in (Verdict.PASS, Verdict.SKIP, Verdict.FAIL, Verdict.PASS)]
    assert summarise_parts(parts, "clause") == "4 clauses: 1 FAIL, 2 PASS, 1 SKIP"
    assert summarise_parts(parts[:1], "clause") == "1 clause: 1 PASS"
