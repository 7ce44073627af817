from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from lockgate import Verdict

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"metric": "accuracy"},
    {"metric": "accuracy", "margin": -0.02},
    {"metric": "auc", "margin": 0.05},
    {"margin": 0.3},
    {"margin": 0.02, "severity": "warn"},
    {"metric": "rmse", "margin": 0.1},
]


def gain(metric: str, margin: float) -> dict[str, object]:
    return {"kind": "improvement", "metric": metric, "margin": margin}


def regression(make, check, *, challenger: float, champion: float, label: float = 0.0, n: int = 40):
    """Every row errs by the same: an interval without width."""
    evidence = make.evidence(
        n,
        task="regression",
        slices=None,
        label=np.full(n, label),
        challenger=np.full(n, label + challenger),
        champion=np.full(n, label + champion),
    )
    return make.judge(check, evidence).outcomes[0]


@pytest.mark.parametrize(("challenger", "champion", "margin"), [(0.2, 0.3, 0.1), (0.9, 0.95, 0.05), (0.1, 0.4, 0.3)])
@pytest.mark.parametrize(("off", "verdict"), [(-1e-9, "PASS"), (0.0, "PASS"), (1e-9, "FAIL")])
def test_the_margin_itself_is_met(make, challenger, champion, margin, off, verdict) -> None:
    """.3 against .2 with .1, and .95 against .9 with .05, as binary fractions never quite add up."""
    for metric in ("mae", "rmse"):
        check = gain(metric, margin + off)
        assert regression(make, check, challenger=challenger, champion=champion).verdict == verdict
        check = gain(metric, -margin + off)
        assert regression(make, check, challenger=champion, champion=challenger).verdict == verdict


@pytest.mark.parametrize("metric", ["auc", "log_loss", "accuracy", "average_precision"])
@pytest.mark.parametrize(("off", "verdict"), [(-1e-9, "PASS"), (0.0, "PASS"), (1e-9, "INCONCLUSIVE")])
def test_the_bound_decides_at_its_very_end(make, metric: str, off: float, verdict: str) -> None:
    outcome = make.judge(gain(metric, -0.5), make.evidence()).outcomes[0]
    minimum = -outcome.high if metric == "log_loss" else outcome.low
    check = gain(metric, minimum + off)
    assert make.judge(check, make.evidence()).outcomes[0].verdict == verdict


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "accuracy", "average_precision", "ece"])
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


@pytest.mark.parametrize("metric", ["log_loss", "brier", "ece"])
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
    assert regression(make, gain("mae", -0.1), challenger=0.05, champion=0.0).verdict == Verdict.PASS
    assert regression(make, gain("mae", 0.0), challenger=0.05, champion=0.0).verdict == Verdict.FAIL
    result = regression(make, gain("mae", 0.05), challenger=0.0, champion=0.05, label=-7.0)
    assert (result.verdict, result.observed) == (Verdict.PASS, -0.05)


@pytest.mark.parametrize("metric", ["log_loss", "auc", "accuracy"])
@pytest.mark.parametrize(("clusters", "verdict"), [(9, "INCONCLUSIVE"), (10, "PASS"), (11, "PASS")])
def test_few_clusters(make, metric: str, clusters: int, verdict: str) -> None:
    outcome = make.judge(gain(metric, 0.0), make.evidence(cluster=np.arange(600) % clusters)).outcomes[0]
    assert (outcome.verdict, outcome.clusters) == (verdict, clusters)
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


@pytest.mark.parametrize(("shift", "message"), [(0.1, "about 3.4 times the rows"), (-0.1, "a better model is needed")])
def test_what_would_be_needed_is_said(make, shift: float, message: str) -> None:
    champion = 5 + shift + np.where(np.arange(100) % 2, 1.1, -1.1)
    evidence = make.evidence(
        100, task="regression", slices=None, label=np.zeros(100), challenger=np.full(100, 5.0), champion=champion
    )
    outcome = make.judge(gain("mae", 0.0), evidence).outcomes[0]
    assert outcome.verdict == Verdict.INCONCLUSIVE
    assert message in outcome.message


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
