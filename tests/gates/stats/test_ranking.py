"""DeLong against pROC's formulas written out: every positive against every negative."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import Difference, Estimate, estimate_differences, estimate_metric
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats import ranking
from lockgate.gates.stats.scored import Scored

AUC = find_metric("auc", "binary")


def difference(rows: Rows) -> Difference:
    return estimate_differences(AUC, GroupedRows(rows=rows)).of_group()


def estimate(rows: Rows) -> Estimate:
    return estimate_metric(AUC, GroupedRows(rows=rows)).of_group()


def placements(label: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """V10 of the positives and V01 of the negatives, O(P·N)."""
    positive, negative = score[label == 1][:, None], score[label == 0][None, :]
    wins = (positive > negative) + (positive == negative) / 2
    return wins.mean(axis=1), wins.mean(axis=0)


def covariance(label: np.ndarray, *scores: np.ndarray) -> np.ndarray:
    of_positives, of_negatives = zip(*(placements(label, score) for score in scores), strict=True)
    return np.atleast_2d(np.cov(of_positives)) / len(of_positives[0]) + np.atleast_2d(np.cov(of_negatives)) / len(
        of_negatives[0]
    )


def sample(seed: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = (rng.random(120) < 0.4).astype(float)
    scores = np.clip(0.35 + 0.2 * label[:, None] + rng.normal(0, [0.2, 0.3], (120, 2)), 0, 1)
    scores = np.round(scores, 1) if ties else scores
    return label, scores[:, 0], scores[:, 1]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_paired_difference_is_delongs(seed: int, ties: bool) -> None:
    label, new, old = sample(seed, ties=ties)
    s = covariance(label, new, old)
    error = np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])
    delta = placements(label, new)[0].mean() - placements(label, old)[0].mean()
    result = difference(Rows(label=label, challenger=new, champion=old))
    assert result.value == pytest.approx(delta, abs=1e-14)
    half = stats.norm.ppf(0.975) * error
    assert result.bounds(0.975) == pytest.approx((delta - half, delta + half), abs=1e-12)
    assert result.p_gain(0.01) == pytest.approx(stats.norm.sf((delta - 0.01) / error), rel=1e-9)
    assert result.p_harm(0.01) == pytest.approx(stats.norm.cdf((delta - 0.01) / error), rel=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_one_model_is_delong_on_the_logit_scale(ties: bool) -> None:
    label, new, _ = sample(9, ties=ties)
    area, error = placements(label, new)[0].mean(), np.sqrt(covariance(label, new)[0, 0])
    half = stats.norm.ppf(0.95) * error / (area * (1 - area))
    expected = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-half, half]))))
    result = estimate(Rows(label=label, challenger=new))
    assert result.bounds(0.95) == pytest.approx(tuple(expected), abs=1e-12)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_influence_is_the_centred_placement(rows: list[tuple[bool, int]]) -> None:
    label, score = np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], float)
    label[:2] = [1, 0]
    of_positive, of_negative = placements(label, score)
    result = ranking.auc(Scored(label=label, score=score))
    value, influence = float(result.value[0]), result.influence
    assert value == pytest.approx(of_positive.mean(), abs=1e-13)
    share = label.mean()
    np.testing.assert_allclose(influence[label == 1], (of_positive - value) / share, atol=1e-12)
    np.testing.assert_allclose(influence[label == 0], (of_negative - value) / (1 - share), atol=1e-12)


def test_one_row_of_a_class_shows_no_error() -> None:
    rows = Rows(label=np.array([1.0, 0, 0, 0]), challenger=np.array([0.5, 0.1, 0.6, 0.2]))
    assert estimate(rows).bounds(0.95) is None
