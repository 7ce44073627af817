from __future__ import annotations

import numpy as np
import pytest

from lockgate import Evidence, Verdict

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"decide": "point"},
    {"measure": "ece"},
    {"measure": "slope", "max": 0.2},
    {"measure": "intercept", "max": 0.05},
    {"max": 0.001},
    {"measure": "slope", "max": 0.01, "decide": "point"},
]
EDGES = {"one label only": Verdict.FAIL}


def flat(make, score: float, check, *, n: int = 100, share: float = 0.5, **options):
    label = (np.arange(n) < share * n).astype(float)
    return make.judge(check, Evidence.from_arrays(label=label, challenger=np.full(n, score), **options)).outcomes[0]


@pytest.mark.parametrize("measure", ["gap", "ece"])
@pytest.mark.parametrize(
    ("score", "verdict"), [(0.39, "FAIL"), (0.4, "PASS"), (0.41, "PASS"), (0.59, "PASS"), (0.6, "PASS"), (0.61, "FAIL")]
)
def test_the_size_of_the_point(make, measure: str, score: float, verdict: str) -> None:
    result = flat(make, score, make.check("calibration", measure=measure, decide="point"))
    assert result.verdict == verdict
    assert result.observed == pytest.approx(score - 0.5 if measure == "gap" else abs(score - 0.5), abs=1e-11)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [(0.5, "PASS"), (0.58, "INCONCLUSIVE"), (0.42, "INCONCLUSIVE"), (0.75, "FAIL"), (0.25, "FAIL")],
)
def test_the_bound_of_the_gap(make, score: float, verdict: str) -> None:
    result = flat(make, score, make.check("calibration"), n=300)
    assert result.verdict == verdict
    assert result.low < result.observed < result.high


@pytest.mark.parametrize(
    ("measure", "maximum", "verdict"),
    [
        ("slope", 0.45, "PASS"),
        ("slope", 0.2, "FAIL"),
        ("slope", 0.333, "INCONCLUSIVE"),
        ("intercept", 0.5, "FAIL"),
        ("intercept", 0.8, "PASS"),
        ("gap", 0.05, "FAIL"),
    ],
)
def test_scores_that_are_too_extreme_and_too_high(make, measure: str, maximum: float, verdict: str) -> None:
    """The true slope is 1/1.5 = 2/3, and scores are too high throughout."""
    rng = np.random.default_rng(2)
    truth = rng.normal(-0.5, 1.2, 20_000)
    label = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(float)
    evidence = Evidence.from_arrays(label=label, challenger=1 / (1 + np.exp(-(1.5 * truth + 0.8))))
    outcome = make.judge(make.check("calibration", measure=measure, max=maximum), evidence).outcomes[0]
    assert outcome.verdict == verdict
    if measure == "slope":
        assert outcome.observed == pytest.approx(2 / 3, abs=0.03)
        assert outcome.rule == f"|slope - 1| <= {maximum:g} (bound)"


def test_a_slope_that_does_not_exist_is_an_error(make) -> None:
    label = np.repeat([0.0, 1.0], 50)
    evidence = Evidence.from_arrays(label=label, challenger=0.2 + 0.6 * label)
    outcome = make.judge(make.check("calibration", measure="slope"), evidence).outcomes[0]
    assert outcome.verdict == "ERROR"
    assert "do not separate" in outcome.message


def test_a_regression_has_a_gap_and_no_ece(make) -> None:
    evidence = Evidence.from_arrays(label=np.arange(50.0), challenger=np.arange(50) + 3.0, task="regression")
    assert make.judge(make.check("calibration", max=3.0, decide="point"), evidence).outcomes[0].verdict == Verdict.PASS
    outcome = make.judge(make.check("calibration", measure="ece"), evidence).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    assert "rmse, mae" in outcome.message
    sloped = make.judge(make.check("calibration", measure="slope", max=0.1), evidence).outcomes[0]
    assert (sloped.verdict, sloped.observed) == ("PASS", 1.0)
