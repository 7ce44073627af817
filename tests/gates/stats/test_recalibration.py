"""Recalibration against statsmodels' regressions, with their sandwich errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from lockgate.gates.stats import recalibration
from lockgate.gates.stats.scored import Linear, Scored


def binary(n: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(-0.5, 1.2, n)
    return (rng.random(n) < expit(truth)).astype(float), expit(0.3 + 1.4 * truth), rng.integers(1, 4, n).astype(float)


def error(result: Linear, weight: np.ndarray) -> float:
    """Of influences, as HC0 writes it."""
    return float(np.sqrt(np.sum((weight * result.influence) ** 2)) / weight.sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_slope(weighted: bool) -> None:
    label, score, weight = binary()
    used = weight if weighted else np.ones_like(label)
    model = sm.GLM(label, sm.add_constant(logit(score)), family=sm.families.Binomial(), freq_weights=used)
    truth = model.fit(tol=1e-12)
    result = recalibration.logistic_slope(Scored(label=label, score=score, weight=weight if weighted else None))
    assert result.value[0] == pytest.approx(truth.params[1], rel=1e-9)
    if not weighted:
        assert error(result, used) == pytest.approx(model.fit(cov_type="HC0", tol=1e-12).bse[1], rel=1e-6)
    assert np.average(result.influence, weights=used) == pytest.approx(0, abs=1e-9)


def test_logistic_intercept() -> None:
    label, score, _ = binary()
    model = sm.GLM(label, np.ones((label.size, 1)), family=sm.families.Binomial(), offset=logit(score))
    truth = model.fit(cov_type="HC0", tol=1e-12)
    result = recalibration.logistic_intercept(Scored(label=label, score=score))
    assert result.value[0] == pytest.approx(truth.params[0], rel=1e-9)
    assert error(result, np.ones_like(label)) == pytest.approx(truth.bse[0], rel=1e-6)


def test_linear() -> None:
    rng = np.random.default_rng(3)
    score = rng.normal(5, 2, 400)
    label = 1 + 0.8 * score + rng.normal(0, 1 + np.abs(score) / 5)
    truth = sm.OLS(label, sm.add_constant(score)).fit(cov_type="HC0")
    result = recalibration.linear_slope(Scored(label=label, score=score))
    assert result.value[0] == pytest.approx(truth.params[1], rel=1e-10)
    assert error(result, np.ones(400)) == pytest.approx(truth.bse[1], rel=1e-8)
    assert recalibration.linear_intercept(Scored(label=label, score=score)).value[0] == pytest.approx(
        label.mean() - score.mean()
    )


@pytest.mark.parametrize("fit", [recalibration.logistic_slope, recalibration.logistic_intercept])
def test_copies_are_a_weight(fit: Callable[[Scored], Linear]) -> None:
    label, score, weight = binary(300)
    index = np.repeat(np.arange(300), weight.astype(int))
    weighted, copied = (
        fit(Scored(label=label, score=score, weight=weight)),
        fit(Scored(label=label[index], score=score[index])),
    )
    assert weighted.value[0] == pytest.approx(copied.value[0], rel=1e-9)
    np.testing.assert_allclose(weighted.influence[index], copied.influence, rtol=1e-6, atol=1e-9)


SEPARATED = np.repeat([0.0, 1.0], 20)


@pytest.mark.parametrize(
    ("label", "score"),
    [
        (SEPARATED, 0.3 + 0.4 * SEPARATED),
        (SEPARATED, np.full(40, 0.5)),
        (np.ones(40), np.linspace(0.1, 0.9, 40)),
        (SEPARATED, SEPARATED),
    ],
)
def test_what_has_no_slope(label: np.ndarray, score: np.ndarray) -> None:
    assert np.isnan(recalibration.logistic_slope(Scored(label=label, score=score)).value[0])


def test_labels_all_alike_have_no_intercept_and_predictions_all_alike_no_slope() -> None:
    alike = Scored(label=np.ones(40), score=np.linspace(0.1, 0.9, 40))
    assert np.isnan(recalibration.logistic_intercept(alike).value[0])
    assert np.isnan(recalibration.linear_slope(Scored(label=np.arange(4.0), score=np.ones(4))).value[0])
