"""Against published sizes, statsmodels, and counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestPower

from lockgate.gates.stats import sample_size
from lockgate.gates.stats.proportions import mcnemar_p, tango_statistic, wilson

NEEDED = {  # one-sided alpha → true gain → rows at disagreement .05, power .8
    0.05: {0.005: 12_359, 0.01: 3_086, 0.02: 767},
    0.0005: {0.005: 34_133, 0.01: 8_521, 0.02: 2_118},
}


def z_sum(alpha: float, power: float) -> float:
    return float(stats.norm.isf(alpha) + stats.norm.ppf(power))


def rows_for_gain(*, disagreement: float, gain: float, margin: float, alpha: float, power: float) -> float:
    """(z_α + z_β)² (d − Δ²)/(Δ − margin)²: Connor's closed form, Biometrics 43 (1987)."""
    return z_sum(alpha, power) ** 2 * (disagreement - gain**2) / (gain - margin) ** 2


def rows_for_share(*, share: float, floor: float, alpha: float, power: float) -> float:
    """((z_α √(p₀(1 − p₀)) + z_β √(p(1 − p)))/(p − p₀))²: Fleiss, Levin and Paik, *Statistical Methods for Rates and
    Proportions*, 3rd edition, 2.3."""
    spread = stats.norm.isf(alpha) * math.sqrt(floor * (1 - floor))
    spread += stats.norm.ppf(power) * math.sqrt(share * (1 - share))
    return float(spread / (share - floor)) ** 2


def planned_rows(*, power: float, **expected: float) -> float:
    """Rows that the planner finds for a gain."""
    return sample_size.times_needed(lambda rows: sample_size.paired_power(rows=rows, **expected), power)


@pytest.mark.parametrize("alpha", NEEDED)
def test_rows_for_a_gain_of_accuracy(alpha: float) -> None:
    actual = {
        gain: math.ceil(planned_rows(disagreement=0.05, gain=gain, margin=0, alpha=alpha, power=0.8))
        for gain in NEEDED[alpha]
    }
    assert actual == NEEDED[alpha]


@pytest.mark.parametrize(("margin", "exact", "with_rounded_z"), [(0.02, 3_045, 3_044), (0.01, 12_179, 12_176)])
def test_rows_of_each_of_200_slices(margin: float, exact: int, with_rounded_z: int) -> None:
    """All 200 are non-inferior with probability .9 if nothing changed: z(.95) + z(1 − .1/200)."""
    rows = planned_rows(disagreement=0.05, gain=0, margin=-margin, alpha=0.05, power=1 - 0.1 / 200)
    assert math.ceil(rows) == exact
    assert math.floor((stats.norm.isf(0.05) + 3.29) ** 2 * 0.05 / margin**2) == with_rounded_z


@pytest.mark.parametrize(("margin", "gain"), [(0, 0.005), (-0.01, 0), (-0.01, -0.004), (0.01, 0.03)])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.99])
def test_power_is_the_inverse_of_the_published_number_of_rows(margin: float, gain: float, power: float) -> None:
    expected = {"disagreement": 0.06, "margin": margin, "alpha": 0.01}
    rows = rows_for_gain(gain=gain, power=power, **expected)
    assert sample_size.paired_power(rows=rows, gain=gain, **expected) == pytest.approx(power, abs=1e-12)
    assert planned_rows(gain=gain, power=power, **expected) == pytest.approx(rows)


def test_the_tests_that_decide_have_that_power() -> None:
    lots, size = np.random.default_rng(4), 40_000
    for margin, gain in ((0.0, 0.01), (-0.01, 0.0), (0.01, 0.025)):
        rows = math.ceil(planned_rows(disagreement=0.05, gain=gain, margin=margin, alpha=0.05, power=0.8))
        shares = [(0.05 + gain) / 2, (0.05 - gain) / 2, 0.95]
        won, lost = lots.multinomial(rows, shares, size=size)[:, :2].T.astype(np.float64)
        if margin == 0:
            output = mcnemar_p(won, lost) <= 0.05
        else:
            n = np.full(size, float(rows))
            output = tango_statistic(won, lost, n, difference=np.full(size, margin)) >= stats.norm.isf(0.05)
        assert output.mean() == pytest.approx(0.8, abs=0.025)


def test_a_gain_that_is_not_beyond_the_margin_takes_no_number_of_rows() -> None:
    assert math.isinf(planned_rows(disagreement=0.05, gain=0.01, margin=0.01, alpha=0.05, power=0.8))


def test_models_that_differ_only_for_the_better_are_certain() -> None:
    assert sample_size.paired_power(rows=9, disagreement=1, gain=1, margin=0, alpha=0.05) == 1


@pytest.mark.parametrize(("share", "floor", "power"), [(0.92, 0.9, 0.8), (0.99, 0.98, 0.9), (0.5, 0.4, 0.3)])
def test_rows_for_a_floor(share: float, floor: float, power: float) -> None:
    expected = {"floor": floor, "alpha": 0.05}
    rows = rows_for_share(share=share, power=power, **expected)
    assert sample_size.share_power(rows=rows, share=share, **expected) == pytest.approx(power, abs=1e-12)
    n = math.ceil(rows)
    hits = np.arange(n + 1.0)
    reached = wilson(hits, np.full(n + 1, float(n)), level=0.95)[0] >= floor
    assert stats.binom.pmf(hits[reached], n, share).sum() == pytest.approx(power, abs=0.06)


def test_power_of_t_is_statsmodels() -> None:
    for rows, effect, alpha in ((20, 1.0, 0.05), (31, 0.6, 0.0025), (5, 2.0, 0.01)):
        few = np.array([[effect], [1 / math.sqrt(rows)], [rows - 1.0]])
        result = sample_size.t_power(few[0], few[1], few[2], alpha=alpha)
        assert result == pytest.approx(TTestPower().power(effect, rows, alpha, alternative="larger"), abs=1e-10)
        back = sample_size.t_distance(few[1], few[2], alpha=alpha, power=float(result[0]))
        assert back == pytest.approx(effect, rel=1e-5)


def test_without_degrees_of_freedom_it_is_z() -> None:
    infinite, error = np.array([np.inf]), np.array([1.0])
    rows = NormalIndPower(ddof=0).solve_power(0.1, alpha=0.05, power=0.8, ratio=0, alternative="larger")

    def chance(times: float) -> float:
        return float(sample_size.t_power(np.array([0.1]), error / math.sqrt(times), infinite, alpha=0.05)[0])

    result = sample_size.times_needed(chance, 0.8)
    assert result == pytest.approx(rows, rel=1e-6)
    distance = sample_size.t_distance(error / math.sqrt(rows), infinite, alpha=0.05, power=0.8)
    assert distance == pytest.approx(0.1, rel=1e-6)


def test_where_nothing_varies_truth_shows_and_nothing_else_does() -> None:
    result = sample_size.t_power(np.array([0.1, 0, -0.1]), np.zeros(3), np.array([9.0, 9, np.inf]), alpha=0.05)
    assert result.tolist() == [1, 0, 0]
    assert np.isnan(sample_size.t_power(np.ones(2), np.array([np.nan, 1]), np.array([9, np.nan]), alpha=0.05)).all()


def test_far_beyond_the_limit_everything_shows() -> None:
    distance = np.array([30.0, 38, 60, 1e6])
    for df in (5.0, 1000.0, np.inf):
        assert sample_size.t_power(distance, np.ones(4), np.full(4, df), alpha=0.0025) == pytest.approx(1)


def test_how_often_a_sample_has_to_grow() -> None:
    assert sample_size.times_needed(lambda times: min(times / 8, 1), 0.8) == pytest.approx(6.4)
    assert sample_size.times_needed(lambda times: 0.9, 0.8) == 1 / sample_size.MAX_TIMES
    assert math.isinf(sample_size.times_needed(lambda times: 0.7, 0.8))
    assert math.isinf(sample_size.times_needed(lambda times: math.nan, 0.8))
