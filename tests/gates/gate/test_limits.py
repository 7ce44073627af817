"""Values on the very edge of a limit, and intervals of which one end is missing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lockgate import Outcome, Verdict
from lockgate.gates.gate.grouped import group_bounds
from lockgate.gates.gate.limits import compare_with_limits, copy_numbers, judge_gain
from lockgate.gates.stats.scored import TOLERANCE

FAR = 2 * TOLERANCE


@pytest.mark.parametrize(
    ("off", "minimum", "maximum"),
    [
        (-FAR, "FAIL", "PASS"),
        (-TOLERANCE, "PASS", "PASS"),
        (0.0, "PASS", "PASS"),
        (TOLERANCE, "PASS", "PASS"),
        (FAR, "PASS", "FAIL"),
    ],
)
def test_a_value_meets_its_limit_within_the_tolerance(off: float, minimum: str, maximum: str) -> None:
    """The limit is 0: no rounding hides the edge."""
    assert compare_with_limits(off, None, minimum=0.0, maximum=None, decide="point") == minimum
    assert compare_with_limits(off, None, minimum=None, maximum=0.0, decide="point") == maximum


@pytest.mark.parametrize(
    ("off", "below", "above"),
    [
        (-FAR, "INCONCLUSIVE", "PASS"),
        (-TOLERANCE, "PASS", "PASS"),
        (0.0, "PASS", "PASS"),
        (TOLERANCE, "PASS", "PASS"),
        (FAR, "PASS", "INCONCLUSIVE"),
    ],
)
def test_an_interval_passes_whose_near_end_meets_the_limit(off: float, below: str, above: str) -> None:
    assert compare_with_limits(0.5, (off, 1.0), minimum=0.0, maximum=None, decide="bound") == below
    assert compare_with_limits(-0.5, (-1.0, off), minimum=None, maximum=0.0, decide="bound") == above


@pytest.mark.parametrize(
    ("off", "verdict"), [(TOLERANCE / 2, "INCONCLUSIVE"), (TOLERANCE, "INCONCLUSIVE"), (FAR, "FAIL")]
)
def test_an_interval_fails_whose_far_end_misses_the_limit(off: float, verdict: str) -> None:
    assert compare_with_limits(0.5, (off, 1.0), minimum=None, maximum=0.0, decide="bound") == verdict
    assert compare_with_limits(-0.5, (-1.0, -off), minimum=0.0, maximum=None, decide="bound") == verdict
    assert judge_gain((-1.0, 0.25 - off), 0.25) == judge_gain((-1.0, -off), -0.0) == verdict


def test_a_margin_is_met_within_the_tolerance_but_0_is_strict() -> None:
    assert judge_gain((0.25 - TOLERANCE, 1.0), 0.25) == Verdict.PASS
    assert judge_gain((0.25 - FAR, 1.0), 0.25) == Verdict.INCONCLUSIVE
    assert judge_gain((0.0, 1.0), 0.0) == Verdict.INCONCLUSIVE


def test_one_end_without_the_other_is_no_interval() -> None:
    for low, high in ((-math.inf, 0.5), (0.5, math.inf), (math.nan, math.nan)):
        result = Outcome(name="a", kind="threshold", severity="block", verdict=Verdict.PASS, low=low, high=high)
        assert copy_numbers(result)["bounds"] is None
    for low, high in ((math.nan, 0.5), (0.5, math.nan), (math.nan, math.nan)):
        assert group_bounds(np.array([low]), np.array([high]), 0) is None
    assert group_bounds(np.array([0.25]), np.array([0.5]), 0) == (0.25, 0.5)
