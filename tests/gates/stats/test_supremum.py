"""The low bound of a maximum: as far away as Smirnov's, relative to that of one difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from lockgate.gates.stats.quantiles import widen_low_bound


@pytest.mark.parametrize("n", [1000, 10_000])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.9975])
def test_one_difference_at_its_widest_becomes_smirnovs_bound(level: float, n: int) -> None:
    """The exact bound of n rows is nearer by 1/6n and terms of n^(-3/2): exp(−(6nd + 1)²/18n), Smirnov 1944."""
    half = stats.norm.ppf(level) * np.sqrt(0.25 / n)
    value = np.array([0.4])
    low, high = widen_low_bound(value, lambda _: (value - half, value + half), floor=0.0)(level)
    assert value[0] - low[0] == pytest.approx(special.smirnovi(n, 1 - level) + 1 / (6 * n), rel=0.3 / n)
    assert high[0] == value[0] + half


def test_it_stays_in_range_and_undefined_where_it_was() -> None:
    value = np.array([0.1, 0.4, np.nan])
    low, high = widen_low_bound(value, lambda _: (value - [0.09, np.nan, 0], value + 0.2), floor=0.0)(0.95)
    np.testing.assert_array_equal(low, [0, np.nan, np.nan])
    np.testing.assert_array_equal(high, value + 0.2)
