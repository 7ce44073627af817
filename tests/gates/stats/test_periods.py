"""The mean over periods: against meta-analysis, its floor, and how often its interval is right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import stdtrit
from statsmodels.stats.meta_analysis import combine_effects

from lockgate.gates.stats.periods import mean_covariance, mean_over_periods


@pytest.mark.parametrize(("periods", "spread"), [(2, 3.0), (3, 3.0), (6, 3.0), (12, 3.0), (6, 0.0)])
def test_the_random_effects_interval_of_hartung_and_knapp(periods: int, spread: float) -> None:
    """With equal variances within the periods, weights are equal, and the two must be the same."""
    value = np.random.default_rng(periods).normal(0, spread, periods) + np.linspace(0, 0.1, periods)
    variance = np.full(periods, 0.25)
    combined = combine_effects(value, variance, method_re="iterated", use_t=True, alpha=0.1)
    mean, error, df = mean_over_periods(value, variance)
    assert mean == pytest.approx(combined.mean_effect_re, rel=1e-6)
    factor = max(1.0, combined.scale_hksj_re) if spread else 1.0
    assert error == pytest.approx(np.sqrt(combined.var_eff_w_re * factor), rel=1e-3)
    assert df == periods - 1
    if spread:
        reach = stdtrit(periods - 1, 0.95) * error
        interval = combined.conf_int(alpha=0.1, use_t=True)[3]  # the one that is scaled
        assert (mean - reach, mean + reach) == pytest.approx(interval, rel=1e-3)


def test_periods_that_agree_leave_the_error_of_their_rows() -> None:
    mean, error, _ = mean_over_periods(np.array([0.3, 0.3, 0.3]), np.array([0.01, 0.04, 0.04]))
    assert (mean, error) == pytest.approx((0.3, np.sqrt(0.03 / 3)))


def test_periods_that_differ_leave_the_error_of_their_differences() -> None:
    value = np.array([0.0, 0.3, 0.6])
    assert mean_over_periods(value, np.full(3, 1e-6))[1] == pytest.approx(0.3 / np.sqrt(3))


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_shared_clusters_add_what_periods_have_in_common(spread: float) -> None:
    """Estimates with one common error: the error of their mean is that of the common part, however many there are."""
    value = np.array([-1.0, 0.0, 1.0]) * spread
    covariance = np.full((3, 3), 0.5) + 0.1 * np.eye(3)
    assert mean_covariance(covariance) == pytest.approx(0.5)
    error = mean_over_periods(value, np.diag(covariance), shared=0.5)[1]
    between = max(spread**2 - 0.1, 0.0)
    assert error**2 == pytest.approx(0.5 + (0.1 + between) / 3)
    assert (
        mean_over_periods(value, np.diag(covariance), shared=-0.5)[1]
        == mean_over_periods(value, np.diag(covariance))[1]
    )


def test_an_unknown_variance_leaves_everything_unknown() -> None:
    for results in (
        mean_over_periods(np.array([1.0, 2.0]), np.array([np.nan, 0.1])),
        mean_over_periods(np.array([np.nan, 2.0]), np.array([0.1, 0.1])),
    ):
        assert np.isnan(results[1:]).all()


def missed(
    *, periods: int, between: float, within: np.ndarray, level: float, draws: int, rows: int = 30, tail: int = 0
) -> float:
    """How often the lower bound lies above the truth, which is 0, with variances estimated from `rows` rows each.

    `tail`: 0 for normal differences between periods; −1 for rare bad periods, 1 for rare good ones (exponential).
    """
    lots = np.random.default_rng((periods, round(100 * between)))
    shape = (draws, periods)
    effect = tail * (lots.exponential(1, shape) - 1) if tail else lots.normal(0, 1, shape)
    value = np.sqrt(between) * effect + np.sqrt(within) * lots.normal(0, 1, shape)
    variance = within * lots.chisquare(rows - 1, shape) / (rows - 1)
    mean, error, _ = mean_over_periods(value, variance)
    return float(np.mean(mean - stdtrit(periods - 1, level) * error > 0))


@pytest.mark.parametrize("periods", [2, 3, 6, 12])
@pytest.mark.parametrize("between", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("level", [0.95, 0.9975])
def test_the_bound_errs_as_rarely_as_promised(periods: int, between: float, level: float) -> None:
    """Within three standard errors of the simulation, with months of very different precision among them."""
    draws = 40_000
    for within in (np.ones(periods), np.geomspace(0.1, 10, periods)):
        rate = missed(periods=periods, between=between, within=within, level=level, draws=draws)
        assert rate <= (1 - level) + 3 * np.sqrt((1 - level) * level / draws)


@pytest.mark.parametrize("periods", [3, 6, 12])
def test_the_bound_is_not_wider_than_needed_where_periods_differ(periods: int) -> None:
    rate = missed(periods=periods, between=1000.0, within=np.ones(periods), level=0.95, draws=40_000)
    assert rate == pytest.approx(0.05, abs=0.005)


def test_the_interval_within_periods_alone_errs_far_more_often() -> None:
    """What this is for: with gains that differ between months, an interval of the rows alone is often wrong."""
    lots = np.random.default_rng(1)
    value = lots.normal(0, 1, (10_000, 3)) + lots.normal(0, 0.5, (10_000, 3))
    bound = value.mean(axis=1) - 1.645 * np.sqrt(0.25 / 3)
    assert np.mean(bound > 0) > 0.2
    mean, error, df = mean_over_periods(value, np.full(value.shape, 0.25))
    assert np.mean(mean - stdtrit(df, 0.95) * error > 0) < 0.055


@pytest.mark.slow
@pytest.mark.parametrize(
    ("periods", "level", "most"), [(3, 0.95, 0.05), (6, 0.95, 0.11), (12, 0.95, 0.11), (12, 0.975, 0.07)]
)
def test_rare_bad_months(periods: int, level: float, most: float) -> None:
    """The condition of the guarantee: where few months are much worse than the others, it errs twice as often."""
    rates = [
        missed(periods=periods, between=1.0, within=np.full(periods, 0.25), level=level, draws=200_000, tail=tail)
        for tail in (-1, 1)
    ]
    assert rates[0] <= most
    assert rates[1] <= 1 - level


@pytest.mark.slow
@pytest.mark.parametrize(("periods", "most"), [(3, 0.07), (6, 0.12), (12, 0.13)])
def test_neighbouring_months_that_are_alike(periods: int, most: float) -> None:
    """The other condition: with a correlation of .4 between neighbours (AR(1)), it errs twice as often."""
    lots, shape = np.random.default_rng(periods), (200_000, periods)
    effect = lots.normal(0, 1, shape)
    for month in range(1, periods):
        effect[:, month] = 0.4 * effect[:, month - 1] + np.sqrt(1 - 0.4**2) * effect[:, month]
    value = effect + lots.normal(0, 0.5, shape)
    mean, error, df = mean_over_periods(value, np.full(shape, 0.25))
    rate = np.mean(mean - stdtrit(df, 0.95) * error > 0)
    assert 0.05 < rate <= most
