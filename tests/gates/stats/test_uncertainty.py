"""How far estimates may lie from the truth, against the published formulas in tests/reference.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lockgate.gates.stats import uncertainty
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.uncertainty import Uncertainty, measure_influence, measure_means
from tests.reference import Allowance, allow_for_clusters, allow_for_rows, bend_by_hall, solve_hall

LEVELS = (0.6, 0.95, 0.9975)
SIZES = np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])


def measure_rows(values: np.ndarray) -> Uncertainty:
    units = Units.of(values.size, weight=None, cluster=None, code=None, groups=1)
    return measure_influence(values - values.mean(), units, weight=None)


def measure_clusters(
    means: np.ndarray, sizes: np.ndarray, *, ordered: bool = False, carrying: np.ndarray | None = None
) -> Uncertainty:
    """Of clusters that are one row each, with a weight."""
    cluster = np.arange(means.size)
    units = Units.of(means.size, weight=sizes, cluster=cluster, code=None, groups=1, ordered=ordered)
    if carrying is not None:
        units = replace(units, size=carrying, alike=False)
    return measure_influence(means - np.average(means, weights=sizes), units, weight=sizes)


def of_numbers(**numbers: float) -> Uncertainty:
    """Of one estimate, whose numbers are as given; normal, with an error of 1, where they are not."""
    whole = Uncertainty.of_normal(np.ones(1))
    span, few = numbers.pop("span", np.inf), bool(numbers.pop("few", False))
    arrays = {name: np.array([number]) for name, number in numbers.items()}
    return replace(whole, few=np.array([few]), span=span, **arrays)


def assert_allows(measured: Uncertainty, allowance: Allowance) -> None:
    """The same numbers, bounds and p as the published formulas."""
    for name in ("error", "df", "skew", "slack"):
        assert getattr(measured, name)[0] == pytest.approx(getattr(allowance, name), rel=1e-9, abs=1e-12), name
    for level in LEVELS:
        below, above = measured.reach(level)
        assert (-below[0], above[0]) == pytest.approx(allowance.bounds(0.0, level), rel=1e-9)
    for distance in (-2.0, 0.0, 0.3, 2.5):
        off = np.array([distance * allowance.error])
        assert measured.p_above(off)[0] == pytest.approx(allowance.p_above(off[0]), rel=1e-9, abs=1e-12)
        assert measured.p_below(off)[0] == pytest.approx(allowance.p_below(off[0]), rel=1e-9, abs=1e-12)


# --- rows and clusters against the formulas -------------------------------------------------------------------------


@pytest.mark.parametrize("skewed", [1.0, -1.0])
def test_rows(skewed: float) -> None:
    values = skewed * np.random.default_rng(1).gamma(2.0, size=400)
    assert_allows(measure_rows(values), allow_for_rows(values))


@pytest.mark.parametrize("skewed", [1.0, -1.0])
@pytest.mark.parametrize("sizes", [SIZES, np.ones(12)])
def test_clusters(sizes: np.ndarray, skewed: float) -> None:
    means = skewed * np.random.default_rng(2).exponential(size=12)
    assert_allows(measure_clusters(means, sizes), allow_for_clusters(means, sizes))


def test_leverage_is_of_the_rows_that_carry_and_skewness_of_all() -> None:
    means, carrying = np.random.default_rng(3).exponential(size=12), SIZES[::-1].copy()
    measured = measure_clusters(means, SIZES, carrying=carrying)
    assert_allows(measured, allow_for_clusters(means, SIZES, carrying=carrying))
    assert measured.effective[0] == pytest.approx(carrying.sum() ** 2 / np.sum(carrying**2))
    assert measured.df[0] < measure_clusters(means, np.ones(12)).df[0]


def test_means_of_sums_are_weighted_means() -> None:
    means = np.random.default_rng(4).exponential(size=12)
    units = Units.of(12, weight=SIZES, cluster=np.arange(12), code=None, groups=1)
    value, measured = measure_means(means * SIZES, units)
    assert value[0] == pytest.approx(np.average(means, weights=SIZES))
    assert_allows(measured, allow_for_clusters(means, SIZES))


# --- clusters in the order of time ----------------------------------------------------------------------------------


def inflate_in_order(means: np.ndarray, sizes: np.ndarray) -> tuple[float, float, float]:
    """Lag-1 correlation without its bias, growth of the variance, and what is left of the degrees of freedom."""
    count, share = means.size, sizes / sizes.sum()
    scaled = share * (means - np.sum(share * means)) / np.sqrt(1 - share) / np.sqrt(sizes)
    lag_1 = (count * np.sum(scaled[1:] * scaled[:-1]) / np.sum(scaled**2) + 1) / (count - 4)
    high = min(max(lag_1 + 0.5 * np.sqrt((1 - max(lag_1, 0) ** 2) / count), 0.0), 0.9)
    root = np.sqrt(sizes)
    growth = 1 + 2 * sum(high**lag * np.sum(root[lag:] * root[:-lag]) / sizes.sum() for lag in range(1, count))
    return lag_1, growth / (1 - (growth - 1) / count), (1 - high**2) / (2 + high**2)


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("sizes", [np.ones(36), np.tile(SIZES, 3)])
def test_days_in_order(sizes: np.ndarray, rho: float) -> None:
    rng, means = np.random.default_rng(5), np.empty(36)
    means[0] = rng.normal()
    for day in range(1, 36):
        means[day] = rho * means[day - 1] + rng.normal()
    plain, measured = measure_clusters(means, sizes), measure_clusters(means, sizes, ordered=True)
    lag_1, growth, left = inflate_in_order(means, sizes)
    assert measured.lag_1[0] == pytest.approx(lag_1, rel=1e-9)
    assert measured.error[0] == pytest.approx(plain.error[0] * np.sqrt(growth), rel=1e-3)  # tiny powers are left out
    assert measured.df[0] == pytest.approx(plain.df[0] * left, rel=1e-9)
    assert measured.slack[0] == pytest.approx(plain.slack[0] / 2, rel=1e-9)
    assert measured.skew[0] == pytest.approx(plain.skew[0], rel=1e-9)
    assert (growth > 1) == (rho >= 0)  # where nothing is shown, half a standard error is allowed for


@pytest.mark.parametrize("clusters", [2, 4])
def test_too_few_days_count_as_alike_as_days_can_be(clusters: int) -> None:
    means = np.arange(clusters, dtype=float)
    measured = measure_clusters(means, np.ones(clusters), ordered=True)
    assert np.isnan(measured.lag_1[0])
    assert measured.error[0] > 1.5 * measure_clusters(means, np.ones(clusters)).error[0]
    assert measured.df[0] == 1


def test_days_backwards_are_as_uncertain() -> None:
    means = np.cumsum(np.random.default_rng(6).normal(size=12))
    onwards, backwards = (measure_clusters(means[::step], SIZES[::step], ordered=True) for step in (1, -1))
    np.testing.assert_allclose(onwards.reach(0.95), backwards.reach(0.95), rtol=1e-9)
    shuffled = np.random.default_rng(7).permutation(12)
    mixed = measure_clusters(means[shuffled], SIZES[shuffled], ordered=True)
    assert mixed.error[0] < onwards.error[0]


# --- what must hold of any ------------------------------------------------------------------------------------------

normal_or_t = st.builds(
    of_numbers,
    error=st.floats(0.01, 100),
    df=st.one_of(st.floats(1, 1e4), st.just(np.inf)),
    skew=st.floats(-1.5, 1.5),
    slack=st.floats(0, 1),
)
of_few_rows = st.builds(
    lambda n, share, skew, slack, span: of_numbers(
        error=share / np.sqrt(n - 1.0), df=n - 1.0, units=float(n), skew=skew, slack=slack, span=span, few=1.0
    ),
    st.integers(10, 10_000),
    st.floats(0.01, 1),  # of the largest error that values at most 2 apart can have
    st.floats(-1.5, 1.5),
    st.floats(0, 1),
    st.sampled_from([2.0, np.inf]),
)
uncertainties = st.one_of(normal_or_t, of_few_rows)


@settings(max_examples=100)
@given(uncertainties, st.floats(0.95, 0.9999))
def test_p_agrees_with_the_bounds(measured: Uncertainty, level: float) -> None:
    measured = replace(measured, span=np.inf)
    for reach, p in zip(measured.reach(level), (measured.p_above, measured.p_below), strict=True):
        if np.isfinite(reach[0]):
            assert p(reach * (1 + 1e-6))[0] <= 1 - level + 1e-9
            assert p(reach * (1 - 1e-6))[0] >= 1 - level - 1e-9
        else:
            assert p(np.array([1e9]) * measured.error)[0] > 1 - level


@settings(max_examples=50)
@given(uncertainties)
def test_higher_levels_reach_further_and_further_truths_are_less_likely(measured: Uncertainty) -> None:
    for reaches in np.transpose([measured.reach(level) for level in (0.95, 0.97, 0.99, 0.9975, 0.999, 0.9999)])[0]:
        assert np.all(reaches[1:] >= reaches[:-1] * (1 - 1e-12))
        assert np.all(reaches >= measured.error * stats.norm.ppf(0.95) * (1 - 1e-9))  # skew is never to the good
    distances = [np.array([distance]) * measured.error for distance in (-6, -2, -0.5, 0, 0.5, 1, 2, 3, 4, 6, 9, 20, 60)]
    for p in (measured.p_above, measured.p_below):
        assert np.all(np.diff([p(distance)[0] for distance in distances]) <= 1e-12)


@settings(max_examples=100)
@given(st.floats(-60, 60), st.floats(-3, 0.5))
def test_halls_transformation_is_the_polynomial(statistic: float, skew: float) -> None:
    bent = uncertainty.transform_hall(np.array([statistic]), np.array([skew]))[0]
    assert bent == pytest.approx(bend_by_hall(statistic, min(skew, 0.0)), rel=1e-6, abs=1e-6)
    assert bent <= statistic
    if abs(statistic) < 6:
        solved = uncertainty.invert_hall(np.array([statistic]), np.array([skew]))[0]
        assert solved == pytest.approx(solve_hall(statistic, min(skew, 0.0)), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("scale", [1e-9, 7.0, 1e9])
def test_a_unit_of_measure_changes_nothing(scale: float) -> None:
    values = np.random.default_rng(8).gamma(2.0, size=60)
    plain, scaled = measure_rows(values), measure_rows(values * scale)
    np.testing.assert_allclose(scaled.reach(0.95), np.array(plain.reach(0.95)) * scale, rtol=1e-9)
    ordered, larger = (measure_clusters(values[:12] * by, SIZES, ordered=True) for by in (1.0, scale))
    np.testing.assert_allclose(larger.reach(0.95), np.array(ordered.reach(0.95)) * scale, rtol=1e-9)


def test_rows_and_clusters_without_an_order_have_none() -> None:
    rng, values = np.random.default_rng(9), np.random.default_rng(10).gamma(2.0, size=12)
    order = rng.permutation(12)
    np.testing.assert_allclose(measure_rows(values[order]).reach(0.95), measure_rows(values).reach(0.95), rtol=1e-12)
    mixed, plain = measure_clusters(values[order], SIZES[order]), measure_clusters(values, SIZES)
    np.testing.assert_allclose(mixed.reach(0.95), plain.reach(0.95), rtol=1e-12)


@pytest.mark.parametrize("measure", [measure_rows, lambda values: measure_clusters(values, np.ones(values.size))])
def test_what_does_not_vary_has_no_width(measure) -> None:
    measured = measure(np.full(30, 0.25))
    assert measured.reach(0.95) == (0, 0)
    assert [measured.p_above(np.array([off]))[0] for off in (-0.1, 0.0, 0.1)] == [1, 1, 0]


@pytest.mark.parametrize("measure", [measure_rows, lambda values: measure_clusters(values, np.ones(values.size))])
def test_one_unit_shows_no_error(measure) -> None:
    measured = measure(np.array([3.0]))
    assert np.isnan([measured.error[0], *np.ravel(measured.reach(0.95)), measured.p_above(np.array([1.0]))[0]]).all()


@pytest.mark.parametrize("ordered", [False, True])
def test_groups_at_once_are_each_group_alone(ordered: bool) -> None:
    rng = np.random.default_rng(11)
    code, cluster = np.repeat([0, 1, 2], 200), rng.integers(0, 20, 600)
    values, weight = rng.exponential(size=600), rng.uniform(0.5, 2, 600)
    units = Units.of(600, weight=weight, cluster=cluster, code=code, groups=3, ordered=ordered)
    value, together = measure_means(units.sums(values * weight), units)
    for group in range(3):
        own = code == group
        alone = Units.of(200, weight=weight[own], cluster=cluster[own], code=None, groups=1, ordered=ordered)
        mean, measured = measure_means(alone.sums(values[own] * weight[own]), alone)
        assert value[group] == pytest.approx(mean[0], rel=1e-12)
        for name in ("error", "df", "skew", "slack", "few", "units", "effective", "lag_1"):
            of_group = getattr(together.of_groups(np.array([group])), name)[0]
            assert of_group == pytest.approx(getattr(measured, name)[0], rel=1e-4, nan_ok=True), name


# --- rows of which a handful carries the skewness -------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("off", "bounded"), [(-1e-9, True), (0.0, True), (1e-9, False)])
def test_a_correction_of_more_than_half_an_error_is_no_correction(level: float, off: float, bounded: bool) -> None:
    """Hall's second-order term is k (1 + 2z²)/6 standard errors."""
    limit = 3 / (1 + 2 * stats.norm.ppf(level) ** 2)
    measured = of_numbers(skew=-limit - off * limit, few=True)
    below, above = measured.reach(level)
    assert np.isfinite(below[0]) == bounded
    assert above[0] == pytest.approx(stats.norm.ppf(level))
    assert np.isfinite(replace(measured, few=np.array([False])).reach(level)[0][0])


def test_no_distance_makes_p_smaller_than_the_level_that_is_trusted() -> None:
    measured = of_numbers(skew=-0.5, few=True)
    smallest = stats.norm.sf(np.sqrt((3 / 0.5 - 1) / 2))
    assert measured.p_above(np.array([1e6]))[0] == pytest.approx(smallest)
    assert measured.p_below(np.array([1e6]))[0] == 0


def test_three_disasters_in_a_thousand_rows_leave_no_bound_on_their_side() -> None:
    values = np.where(np.arange(1000) < 3, -1.0, 0.02) + np.random.default_rng(12).normal(0, 0.02, 1000)
    below, above = measure_rows(values).reach(0.9975)
    assert (np.isinf(below[0]), np.isinf(above[0])) == (True, False)
    clusters = measure_clusters(values[:30], np.ones(30)).reach(0.9975)
    assert np.isfinite(clusters).all()


def test_a_span_gives_maurer_and_pontils_bound() -> None:
    """√(2 V ln(2/δ)/n) + 7 s ln(2/δ)/(3 (n − 1)), here with V/n = .01², s = 2, n = 1001 and δ = .0025: .0707."""
    measured = of_numbers(error=0.01, skew=-2.0, few=True, span=2.0, units=1001.0)
    log = np.log(800)
    below, above = measured.reach(0.9975)
    assert below[0] == pytest.approx(0.01 * np.sqrt(2 * log) + 14 * log / 3000) == pytest.approx(0.06776, abs=1e-5)
    assert above[0] == pytest.approx(0.01 * stats.norm.ppf(0.9975))
    assert measured.p_above(below)[0] == pytest.approx(0.0025)


def test_p_agrees_with_a_span_where_one_row_carries_the_skewness() -> None:
    measured = of_numbers(error=0.09166985, df=119.0, skew=-1.0, few=True, span=2.0, units=120.0)
    assert measured.p_above(measured.reach(0.96875)[0] * (1 + 1e-9))[0] <= 0.03126


# --- the same of something else -------------------------------------------------------------------------------------


def test_a_larger_sample_knows_more() -> None:
    measured = of_numbers(error=2.0, df=10.0, skew=-0.6, slack=0.4, units=11.0, effective=11.0)
    larger = measured.on_sample(4)
    fields = ("error", "df", "skew", "slack", "units", "effective")
    assert [getattr(larger, name)[0] for name in fields] == [1.0, 40.0, -0.3, 0.1, 44.0, 44.0]


def test_a_bent_scale_adds_three_times_error_and_bend_to_the_skewness() -> None:
    """The logarithm of the mean of exponentials is less skewed: skewness 2/√n, less 3 · (1/√n) · 1."""
    n, error = 400, np.array([1 / 20])
    measured = replace(of_numbers(skew=2 / np.sqrt(n)), error=error)
    assert measured.on_scale(np.array([-1.0])).skew[0] == pytest.approx(-1 / np.sqrt(n))
    drawn = np.log(np.random.default_rng(13).gamma(n, 1 / n, size=400_000))
    assert stats.skew(drawn) == pytest.approx(-1 / np.sqrt(n), abs=3 * np.sqrt(6 / 400_000))
    assert measured.on_scale(np.array([np.nan])).skew[0] == measured.skew[0]


def test_an_error_may_be_multiplied() -> None:
    measured = of_numbers(skew=-0.3)
    np.testing.assert_allclose(measured.scale_error(3.0).reach(0.95), 3 * np.array(measured.reach(0.95)))
