"""Score intervals, exact tests and Holm's correction, against SciPy, statsmodels and published numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from lockgate.gates.stats import proportions


def wilson(successes: float, n: float, *, level: float) -> tuple[float, float]:
    low, high = proportions.wilson(np.array([successes]), np.array([n]), level=level)
    return float(low[0]), float(high[0])


def mcnemar_p(b: float, c: float) -> float:
    return float(proportions.mcnemar_p(np.array([b]), np.array([c]))[0])


def tango_statistic(b: float, c: float, n: float, *, difference: float) -> float:
    options = (np.array([value], dtype=float) for value in (b, c, n))
    return float(proportions.tango_statistic(*options, difference=np.array([difference]))[0])


def tango(b: float, c: float, n: float, *, level: float) -> tuple[float, float]:
    low, high = proportions.tango(np.array([b]), np.array([c]), np.array([n]), level=level)
    return float(low[0]), float(high[0])


NEW, OLD, N = 150, 86, 1600  # of (both right, only new, only old, both wrong) = (794, 150, 86, 570)


def test_tango_published_interval() -> None:
    assert tango(NEW, OLD, N, level=0.975) == pytest.approx((0.0213615648, 0.0589980333), abs=5e-11)


def direct_statistic(b: int, c: int, n: int, d: float) -> float:
    """The score with P(only the champion is right) found by maximising the likelihood numerically."""

    def minus_loglik(q: float) -> float:
        cells = ((b, q + d), (c, q), (n - b - c, 1 - 2 * q - d))
        return -sum(count * math.log(share) if count else 0.0 for count, share in cells)

    low, high = max(0.0, -d) + 1e-12, (1 - d) / 2 - 1e-12
    q = optimize.minimize_scalar(minus_loglik, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (b - c - n * d) / math.sqrt(n * (2 * q + d * (1 - d)))


@pytest.mark.parametrize(("b", "c", "n"), [(150, 86, 1600), (3, 11, 60), (1, 1, 20), (40, 7, 50)])
@pytest.mark.parametrize("d", [-0.2, -0.05, 0.03, 0.25])
def test_tango_statistic_is_the_restricted_likelihood_score(b: int, c: int, n: int, d: float) -> None:
    assert tango_statistic(b, c, n, difference=d) == pytest.approx(direct_statistic(b, c, n, d), rel=1e-5)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.9975])
def test_tango_bounds_invert_the_statistic_and_mirror(level: float) -> None:
    z = stats.norm.ppf(level)
    for b, c, n in [(5, 2, 40), (0, 4, 30), (7, 0, 30), (0, 0, 25), (10, 10, 20), (10, 0, 10), (0, 10, 10), (1, 0, 1)]:
        low, high = tango(b, c, n, level=level)
        assert -1 <= low <= (b - c) / n <= high <= 1
        assert tango(c, b, n, level=level) == pytest.approx((-high, -low), abs=1e-10)
        if low > -1:
            assert tango_statistic(b, c, n, difference=low) == pytest.approx(z, abs=1e-6)
        if high < 1:
            assert tango_statistic(b, c, n, difference=high) == pytest.approx(-z, abs=1e-6)


def test_tango_without_discordant_rows_still_has_width() -> None:
    low, high = tango(0, 0, 100, level=0.975)
    assert (low, high) == pytest.approx((-0.03699, 0.03699), abs=1e-4)  # z²/(n + z²)


def test_mcnemar_reference_numbers() -> None:
    assert 2 * mcnemar_p(NEW, OLD) == pytest.approx(3.71593613957e-05, rel=1e-11)
    table = [[794, NEW], [OLD, 570]]
    assert mcnemar(table, exact=True).pvalue == pytest.approx(2 * mcnemar_p(NEW, OLD), rel=1e-12)


def test_mcnemar_is_the_binomial_tail_everywhere() -> None:
    for b, c in itertools.product(range(12), repeat=2):
        expected = stats.binomtest(b, b + c, alternative="greater").pvalue if b + c else 1.0
        assert mcnemar_p(b, c) == pytest.approx(expected, rel=1e-12)


def test_wilson() -> None:
    assert wilson(60, 100, level=0.975) == pytest.approx((0.5020025868, 0.6905987136), abs=5e-11)
    for successes, n in [(0, 5), (5, 5), (1, 1), (0, 1), (17, 40), (999, 1000)]:
        expected = proportion_confint(successes, n, alpha=0.1, method="wilson")
        assert wilson(successes, n, level=0.95) == pytest.approx(np.clip(expected, 0, 1), abs=1e-12)


def test_many_at_once_are_each_alone_and_no_rows_show_nothing() -> None:
    b, c, n = (np.array(column, dtype=float) for column in ([5, 0, 0, 10], [2, 4, 0, 10], [40, 30, 0, 20]))
    low, high = proportions.tango(b, c, n, level=0.95)
    below, above = proportions.wilson(b, n, level=0.95)
    assert np.isnan([low[2], high[2], below[2], above[2]]).all()
    for index in (0, 1, 3):
        assert (low[index], high[index]) == pytest.approx(tango(b[index], c[index], n[index], level=0.95), abs=1e-12)
        assert (below[index], above[index]) == pytest.approx(wilson(b[index], n[index], level=0.95), abs=1e-15)


def test_holm_on_reference_numbers() -> None:
    adjusted = proportions.holm(np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.001]))
    np.testing.assert_allclose(adjusted, [0.05, 0.08, 0.09, 0.09, 0.09, 0.006], rtol=1e-12)


def test_holm_of_no_p_values() -> None:
    assert proportions.holm(np.array([])).size == 0


def test_holm_is_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for p in (rng.random(7) ** 3, np.round(rng.random(40), 1), np.full(3, 0.02), np.array([0.0, 1.0])):
        np.testing.assert_allclose(proportions.holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_by_its_definition(p: list[float]) -> None:
    """An adjusted p is the largest, over the p-values up to it in order, of p times how many are left."""
    result = proportions.holm(np.array(p))
    for value, adjusted in zip(p, result, strict=True):
        up_to = [q * sum(other >= q for other in p) for q in p if q <= value]
        np.testing.assert_allclose(adjusted, min(1.0, max(up_to)), rtol=1e-12)
