"""DeLong against pROC's formulas written out: every positive against every negative."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import Difference, Estimate, estimate_differences, estimate_metric
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats import ranking
from lockgate.gates.stats.scored import Scored
from tests.reference import Allowance

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


def allow(of_positives: np.ndarray, of_negatives: np.ndarray) -> Allowance:
    """DeLong's error with Welch and Satterthwaite's degrees of freedom, and the skewness of the sum of both means."""
    variances = [np.var(values, ddof=1) / values.size for values in (of_positives, of_negatives)]
    shares = sum(v**2 / (values.size - 1) for v, values in zip(variances, (of_positives, of_negatives), strict=True))
    centred = [(values - values.mean()) / values.size for values in (of_positives, of_negatives)]
    moments = [sum(float(np.sum(values**power)) for values in centred) for power in (2, 3)]
    return Allowance(
        error=np.sqrt(sum(variances)),
        df=sum(variances) ** 2 / shares,
        skew=moments[1] / moments[0] ** 1.5,
        slack=np.sqrt(6) / min(of_positives.size, of_negatives.size),
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
    (ours, our_negatives), (theirs, their_negatives) = placements(label, new), placements(label, old)
    delta, allowance = ours.mean() - theirs.mean(), allow(ours - theirs, our_negatives - their_negatives)
    result = difference(Rows(label=label, challenger=new, champion=old))
    assert result.value == pytest.approx(delta, abs=1e-14)
    assert result.bounds(0.975) == pytest.approx(allowance.bounds(delta, 0.975), abs=1e-12)
    assert result.p_gain(0.01) == pytest.approx(allowance.p_above(delta - 0.01), rel=1e-9)
    assert result.p_harm(0.01) == pytest.approx(allowance.p_below(0.01 - delta), rel=1e-9)
    assert result.information.degrees_of_freedom == pytest.approx(allowance.df, rel=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_one_model_is_delong_on_the_logit_scale(ties: bool) -> None:
    label, new, _ = sample(9, ties=ties)
    plain = allow(*placements(label, new))
    area = placements(label, new)[0].mean()
    slope, bend = area * (1 - area), 1 / (1 - area) - 1 / area
    allowance = replace(plain, skew=plain.skew + 3 * plain.error * bend)
    low, high = allowance.bounds(0.0, 0.95)
    expected = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([low, high]) / slope)))
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
