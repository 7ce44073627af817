from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from lockgate import Verdict
from tests.reference import allow_for_rows

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"metric": "accuracy"},
    {"metric": "accuracy", "margin": -0.02},
    {"metric": "auc", "margin": 0.05},
    {"margin": 0.3},
    {"margin": 0.02, "severity": "warn"},
    {"metric": "rmse", "margin": 0.1},
]
EDGES = {"one label only": Verdict.INCONCLUSIVE}


def gain(metric: str, margin: float) -> dict[str, object]:
    return {"kind": "improvement", "metric": metric, "margin": margin}


def regression(make, check, gaps: np.ndarray, *, champion: float = 1.0, label: float = 0.0, **options):
    """The challenger errs by `gaps` less than the champion."""
    n = gaps.size
    evidence = make.evidence(
        n,
        task="regression",
        slices=None,
        label=np.full(n, label),
        challenger=label + champion - gaps,
        champion=np.full(n, label + champion),
        **options,
    )
    return make.judge(check, evidence).outcomes[0]


def test_the_limit_itself_is_met_where_decimals_do_not_add_up(make) -> None:
    """A bound that is the margin but for a rounding, as .3 − .2 is not .1."""
    gaps = np.tile([0.1, 0.3, 0.5, 0.3], 10)
    low, _ = allow_for_rows(gaps).bounds(0.3, 0.95)
    for off, verdict in ((-1e-9, "PASS"), (-1e-13, "PASS"), (1e-13, "PASS"), (1e-9, "INCONCLUSIVE")):
        assert regression(make, gain("mae", low + off), gaps).verdict == verdict


@pytest.mark.parametrize("metric", ["mae", "rmse"])
@pytest.mark.parametrize("options", [{}, {"cluster": np.arange(40) % 20}])
@pytest.mark.parametrize("gap", [0.25, -0.25])
def test_a_difference_without_spread_shows_nothing(make, metric: str, options: dict, gap: float) -> None:
    for margin in (0.0, -0.05):
        outcome = regression(make, gain(metric, margin), np.full(40, gap), **options)
        assert (outcome.verdict, outcome.low, outcome.high, outcome.p) == ("INCONCLUSIVE", None, None, 1)
        assert "the same in every row, which shows no spread" in outcome.message
        assert "unknown to unknown" in outcome.message


def test_rounding_errors_are_no_spread(make) -> None:
    outcome = regression(make, gain("mae", 0.0), np.full(40, 0.1), cluster=np.arange(40) % 20)
    assert outcome.verdict == Verdict.INCONCLUSIVE


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy", "average_precision"])
@pytest.mark.parametrize(("off", "verdict"), [(-1e-9, "PASS"), (0.0, "PASS"), (1e-9, "INCONCLUSIVE")])
def test_the_bound_decides_at_its_very_end(make, metric: str, off: float, verdict: str) -> None:
    outcome = make.judge(gain(metric, -0.5), make.evidence()).outcomes[0]
    minimum = -outcome.high if metric == "log_loss" else outcome.low
    check = gain(metric, minimum + off)
    assert make.judge(check, make.evidence()).outcomes[0].verdict == verdict


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "accuracy", "average_precision"])
def test_margin_zero_is_strict(make, metric: str) -> None:
    arrays = make.arrays(900)
    better, worse = make.evidence(900), make.evidence(900, challenger=arrays["champion"], champion=arrays["challenger"])
    same = make.evidence(900, challenger=arrays["champion"])
    assert make.judge(gain(metric, 0.0), better).outcomes[0].verdict == Verdict.PASS
    assert make.judge(gain(metric, 0.0), worse).outcomes[0].verdict == Verdict.FAIL
    equal = make.judge(gain(metric, 0.0), same).outcomes[0]
    assert (equal.verdict, equal.observed) == (Verdict.INCONCLUSIVE, 0)
    assert "did not change" in equal.message


def test_a_constant_model_never_improves_on_itself(make) -> None:
    flat = np.full(200, 0.3)
    evidence = make.evidence(200, challenger=flat, champion=flat)
    for metric in ("auc", "log_loss", "accuracy"):
        assert make.judge(gain(metric, 0.0), evidence).outcomes[0].verdict == Verdict.INCONCLUSIVE


@pytest.mark.parametrize("metric", ["log_loss", "brier"])
def test_observed_is_as_the_metric_is_written_and_margins_count_towards_better(make, metric: str) -> None:
    outcome = make.judge(gain(metric, 0.0), make.evidence()).outcomes[0]
    assert outcome.observed < 0 < outcome.rows
    assert outcome.low < outcome.observed < outcome.high < 0
    assert outcome.p < 0.05
    assert "better by" in outcome.message
    limit = -outcome.high
    assert make.judge(gain(metric, limit - 1e-9), make.evidence()).outcomes[0].verdict == Verdict.PASS
    assert make.judge(gain(metric, limit + 1e-9), make.evidence()).outcomes[0].verdict == Verdict.INCONCLUSIVE


def test_mcnemar_decides_at_margin_zero_and_the_message_says_so(make) -> None:
    """b = 5, c = 0: Tango's 95 % bound is above 0; b = 4: it is too, but the exact p is 1/16."""
    label = np.arange(100) % 2
    for b, verdict in ((4, "INCONCLUSIVE"), (5, "PASS")):
        champion = np.where(np.arange(100) < b, 1 - label, label)
        check = gain("accuracy", 0.0)
        outcome = make.judge(check, make.evidence(100, label=label, challenger=label, champion=champion)).outcomes[0]
        assert (outcome.verdict, outcome.p) == (verdict, 2.0**-b)
        assert outcome.low > 0
        assert "exact McNemar test decides" in outcome.message
        outcome = make.judge(check, make.evidence(100, label=label, challenger=champion, champion=label)).outcomes[0]
        assert outcome.verdict == ("FAIL" if b == 5 else "INCONCLUSIVE")


def test_champions_at_or_below_zero_are_no_special_case(make) -> None:
    gaps = np.tile([0.04, 0.06], 20)
    assert regression(make, gain("mae", -0.1), -gaps, champion=0.0).verdict == Verdict.PASS
    assert regression(make, gain("mae", 0.0), -gaps, champion=0.0).verdict == Verdict.FAIL
    result = regression(make, gain("mae", 0.04), gaps, champion=0.06, label=-7.0)
    assert (result.verdict, result.observed) == (Verdict.PASS, -0.05)


@pytest.mark.parametrize("metric", ["log_loss", "accuracy"])
@pytest.mark.parametrize(("clusters", "verdict"), [(9, "INCONCLUSIVE"), (10, "PASS"), (11, "PASS")])
def test_few_clusters(make, metric: str, clusters: int, verdict: str) -> None:
    outcome = make.judge(gain(metric, 0.0), make.evidence(660, cluster=np.arange(660) % clusters)).outcomes[0]
    assert (outcome.verdict, outcome.clusters) == (verdict, clusters)
    assert (f"only {clusters} clusters, at least 10 are asked (min_clusters)" in outcome.message) == (clusters < 10)
    assert outcome.low is not None
    assert outcome.p is not None


def test_days_decide_where_rows_would_promote(make) -> None:
    """A gain that every row of some days has and no row of the others: a thousand rows, twelve observations."""
    rng = np.random.default_rng(1)
    day = np.repeat(np.arange(12), 100)
    truth = rng.normal(0, 1, 1200)
    label = rng.random(1200) < expit(truth)
    good, bad = expit(truth), expit(truth + rng.normal(0, 2.0, 1200))
    flip = rng.permutation(12)[:4]
    evidence = make.evidence(
        1200,
        label=label,
        cluster=day,
        challenger=np.where(np.isin(day, flip), bad, good),
        champion=np.where(np.isin(day, flip), good, bad),
    )
    assert make.judge(gain("log_loss", 0.0), evidence, clusters="ignore").outcomes[0].verdict == Verdict.PASS
    assert make.judge(gain("log_loss", 0.0), evidence).outcomes[0].verdict == Verdict.INCONCLUSIVE


def test_the_rows_that_would_show_the_gain_seen_are_said(make) -> None:
    """Of a normal mean, quantiles of level and of power .8 have to fit between the margin and the truth."""
    gaps = 0.1 + np.where(np.arange(100) % 2, 1.1, -1.1)
    outcome = regression(make, gain("mae", 0.0), gaps, champion=5.0)
    assert outcome.verdict == Verdict.INCONCLUSIVE
    reach = 0.1 - allow_for_rows(gaps).bounds(0.1, 0.95)[0]
    times = (reach / 0.1 * (1 + stats.norm.ppf(0.8) / stats.norm.ppf(0.95))) ** 2
    assert f"about {times:.1f} times the rows or clusters would show it with probability 0.8" in outcome.message
    n = round(100 * times)
    rng = np.random.default_rng(5)
    drawn = 0.1 + rng.choice([1.1, -1.1], (2000, n))
    lows = drawn.mean(axis=1) - stats.t.ppf(0.95, n - 1) * stats.sem(drawn, axis=1)
    assert np.mean(lows > 0) == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 2000) + 0.02)


def test_a_gain_below_the_margin_is_neither_shown_nor_refuted(make) -> None:
    outcome = regression(make, gain("mae", 0.0), np.where(np.arange(100) % 2, 1.1, -1.1) - 0.1, champion=5.0)
    assert outcome.verdict == Verdict.INCONCLUSIVE
    assert "the gain seen is not more than asked, and the interval straddles the margin: neither" in outcome.message


@pytest.mark.parametrize(("better", "verdict"), [(True, "PASS"), (False, "FAIL")])
def test_an_exact_p_of_the_error_rate_itself_is_enough(make, better: bool, verdict: str) -> None:
    """5 of 5 changed rows: p is 2^-5, and so is alpha, both without rounding."""
    label = np.arange(100) % 2
    worse = np.where(np.arange(100) < 5, 1 - label, label)
    options = {"challenger": label, "champion": worse} if better else {"challenger": worse, "champion": label}
    evidence = make.evidence(100, label=label, **options)
    outcome = make.judge(gain("accuracy", 0.0), evidence, confidence=1 - 2.0**-5).outcomes[0]
    assert outcome.verdict == verdict
    assert make.judge(gain("accuracy", 0.0), evidence, confidence=1 - 2.0**-6).outcomes[0].verdict == "INCONCLUSIVE"
