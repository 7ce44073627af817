"""Where a metric has no value, and which convention fills a gap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.metrics import find_metric
from lockgate.gates.stats.scored import Linear, Scored

NONE = math.nan
THIRDS = [[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.6, 0.3, 0.1]]
CASES = {
    "auc, one label": ("binary", "auc", [1, 1, 1], [0.2, 0.9, 0.4], NONE),
    "ks, one label": ("binary", "ks", [0, 0, 0], [0.2, 0.9, 0.4], NONE),
    "ks, scores alike": ("binary", "ks", [0, 1, 0], [0.2, 0.2, 0.2], 0),
    "ks, reversed": ("binary", "ks", [1, 1, 0], [0.1, 0.2, 0.9], 1),
    "precision, none taken": ("binary", "precision", [0, 1, 0], [0.1, 0.2, 0.3], NONE),
    "precision, all wrong": ("binary", "precision", [0, 0, 1], [0.9, 0.8, 0.3], 0),
    "recall, no positive": ("binary", "recall", [0, 0, 0], [0.9, 0.8, 0.3], NONE),
    "specificity, no negative": ("binary", "specificity", [1, 1, 1], [0.9, 0.8, 0.3], NONE),
    "fpr, no negative": ("binary", "fpr", [1, 1, 1], [0.9, 0.8, 0.3], NONE),
    "f1, nothing positive": ("binary", "f1", [0, 0, 0], [0.1, 0.2, 0.3], NONE),
    "f1, all wrong": ("binary", "f1", [0, 1, 0], [0.9, 0.2, 0.3], 0),
    "balanced accuracy, one label": ("binary", "balanced_accuracy", [1, 1, 1], [0.9, 0.8, 0.3], NONE),
    "mcc, one decision": ("binary", "mcc", [1, 0, 1], [0.9, 0.8, 0.7], 0),
    "mcc, one label": ("binary", "mcc", [1, 1, 1], [0.9, 0.1, 0.7], 0),
    "multiclass mcc, one decision": ("multiclass", "mcc", [0, 1, 2], [[0.5, 0.3, 0.2]] * 3, 0),
    "precision_macro, a class never decided for": ("multiclass", "precision_macro", [0, 1, 2], THIRDS, 0.75),
    "recall_macro, a class that is no label": ("multiclass", "recall_macro", [0, 0, 0], THIRDS, 2 / 3),
    "f1_macro, a class never decided for": ("multiclass", "f1_macro", [0, 1, 2], THIRDS, (2 / 3 + 1 + 0) / 3),
    "auc_ovr, a class without rows": ("multiclass", "auc_ovr_macro", [0, 1, 1], THIRDS, NONE),
    "multiclass log loss, certain and wrong": (
        "multiclass",
        "log_loss",
        [0],
        [[0.0, 1.0, 0.0]],
        -math.log(np.finfo(float).eps),
    ),
    "multiclass brier, certain and wrong": ("multiclass", "brier", [0], [[0.0, 1.0, 0.0]], 2),
    "r2, labels alike": ("regression", "r2", [2, 2, 2], [1, 2, 3], NONE),
    "mape, a label of 0": ("regression", "mape", [0, 1, 2], [0, 1, 2], NONE),
    "ndcg, nothing relevant": ("ranking", "ndcg", [0, 0, 0], [1, 2, 3], 0),
    "ndcg, one row": ("ranking", "ndcg", [2], [1], 1),
    "mrr, nothing relevant": ("ranking", "mrr", [0, 0, 0], [1, 2, 3], 0),
    "mrr, scores alike": ("ranking", "mrr", [1, 0, 2, 0], [1, 1, 1, 1], 1 / 3),
}


def linear(task: str, name: str, label: list, score: list, **options) -> Linear:
    rows = Scored(label=np.array(label, dtype=float), score=np.array(score, dtype=float), **options)
    return find_metric(name, task).linearise(rows)


@pytest.mark.parametrize("case", CASES)
def test_value(case: str) -> None:
    task, name, label, score, value = CASES[case]
    result = linear(task, name, label, score)
    assert result.value[0] == pytest.approx(value, nan_ok=True, abs=1e-12)
    assert result.influence.shape == (len(label),)


def test_a_label_of_0_is_where_scikit_learn_loses_its_way() -> None:
    assert sk.mean_absolute_percentage_error([0, 1], [1, 1]) > 1e15
    weight = np.array([0.0, 1, 1])  # a row without weight is not there
    assert linear("regression", "mape", [0, 1, 2], [5, 2, 2], weight=weight).value[0] == pytest.approx(0.5)


def test_the_first_of_tied_classes_is_decided_for() -> None:
    result = linear("multiclass", "accuracy", [0, 1], [[0.4, 0.4, 0.2], [0.4, 0.4, 0.2]])
    assert result.value[0] == 0.5


def test_a_score_at_the_cutoff_is_positive() -> None:
    score = [np.nextafter(0.3, 0), 0.3, np.nextafter(0.3, 1)]
    assert linear("binary", "recall@0.3", [1, 1, 1], score).value[0] == pytest.approx(2 / 3)
    assert linear("binary", "f1@0.3", [1, 1, 1], score).value[0] == pytest.approx(0.8)
    half = [np.nextafter(0.5, 0), 0.5, np.nextafter(0.5, 1)]
    assert linear("binary", "accuracy", [1, 1, 1], half).influence.tolist() == pytest.approx([-2 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_certain_and_wrong_costs_a_finite_log_loss(label: float) -> None:
    result = linear("binary", "log_loss", [label, label], [1 - label, 1 - label])
    assert result.value[0] == pytest.approx(sk.log_loss([label] * 2, [1 - label] * 2, labels=[0, 1]), rel=1e-12)
    assert 36 < result.value[0] < 37


def test_a_perfect_regression() -> None:
    result = linear("regression", "rmse", [0, 1, 2], [0, 1, 2])
    assert (result.value[0], result.influence.tolist()) == (0.0, [0.0, 0.0, 0.0])


def test_too_many_cells_are_refused_before_they_are_counted() -> None:
    rows = {"label": np.zeros(4), "score": np.tile(np.eye(4)[0], (4, 1)), "code": np.arange(4), "groups": 3_000_000}
    with pytest.raises(UnjudgeableError, match="3,000,000 groups × 4 classes"):
        find_metric("f1_macro", "multiclass").linearise(Scored(**rows))
