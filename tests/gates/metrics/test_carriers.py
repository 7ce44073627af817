"""Which rows carry a metric: counted by hand, in groups and with weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from lockgate.gates.metrics import METRICS, carriers, find_metric
from lockgate.gates.metrics.carriers import Carriers
from lockgate.gates.metrics.metric import Family
from lockgate.gates.metrics.rows import GroupedRows, Groups, Rows
from lockgate.gates.stats.scored import Scored

LABEL = np.array([1.0, 0, 0, 0, 1, 1, 1, 0, 1, 0])
SCORE = np.array([0.9, 0.6, 0.1, 0.2, 0.3, 0.4, 0.8, 0.7, 0.5, 0.1])
CODE = np.repeat([0, 1, 2], [4, 4, 2])
"""One positive of four, three of four, one of two."""


def find(carry: Carriers | object, **options) -> list[int]:
    """The numbers of the rows that carry the metric."""
    search = carry.find if isinstance(carry, Carriers) else carry
    return np.flatnonzero(search(Scored(label=LABEL, score=SCORE, **options))).tolist()


def test_the_rarer_label_is_that_of_less_weight_in_its_group() -> None:
    assert find(carriers.RARER_LABEL) == [0, 4, 5, 6, 8]  # as many of both: label 1
    assert find(carriers.RARER_LABEL, code=CODE, groups=3) == [0, 7, 8]
    heavy = np.where(np.arange(10) == 7, 9.0, 1.0)
    assert find(carriers.RARER_LABEL, code=CODE, groups=3, weight=heavy) == [0, 4, 5, 6, 8]
    assert find(carriers.RARER_LABEL_MOSTLY, code=CODE, groups=3) == [0, 7, 8]


def test_a_label_that_no_row_has_is_carried_by_none() -> None:
    only = Scored(label=np.ones(3), score=np.ones(3))
    assert not carriers.rarer_label(only).any()
    assert not carriers.rarer_label(Scored(label=np.zeros(3), score=np.ones(3))).any()


def test_decisions_are_counted_at_the_cutoff_itself() -> None:
    assert find(partial(carriers.decided_positive, cutoff=0.5)) == [0, 1, 6, 7, 8]
    assert find(partial(carriers.decided_positive, cutoff=0.5 + 1e-12)) == [0, 1, 6, 7]
    assert find(partial(carriers.either_positive, cutoff=0.5)) == [0, 1, 4, 5, 6, 7, 8]


def test_the_rarest_class_is_one_that_occurs() -> None:
    """Class 1 and 3 occur nowhere; class 2 has fewer rows, but more weight where its rows are heavy."""
    label, score = np.array([0.0, 0, 0, 0, 2, 2, 2]), np.zeros((7, 4))
    assert np.flatnonzero(carriers.rarest_class(Scored(label=label, score=score))).tolist() == [4, 5, 6]
    heavy = Scored(label=label, score=score, weight=np.where(label == 2, 9.0, 1.0))
    assert np.flatnonzero(carriers.rarest_class(heavy)).tolist() == [0, 1, 2, 3]


def test_of_several_rarest_classes_it_is_the_first_in_each_group() -> None:
    label, score = np.array([1.0, 2, 2, 0, 0, 1, 1]), np.zeros((7, 3))
    in_groups = Scored(label=label, score=score, code=np.array([0, 0, 0, 1, 1, 1, 1]), groups=2)
    assert np.flatnonzero(carriers.rarest_class(in_groups)).tolist() == [0, 3, 4]
    assert np.flatnonzero(carriers.rarest_class(Scored(label=label, score=score))).tolist() == [3, 4]


# --- metrics --------------------------------------------------------------------------------------------------------

POSITIVES, NEGATIVES, DECIDED = {0, 4, 5, 6, 8}, {1, 2, 3, 7, 9}, {0, 1, 6, 7, 8}


@pytest.mark.parametrize(
    ("name", "rows", "alone"),
    [
        ("recall", POSITIVES, True),
        ("specificity", NEGATIVES, True),
        ("fpr", NEGATIVES, True),
        ("auc", POSITIVES, True),
        ("ks", POSITIVES, True),
        ("balanced_accuracy", POSITIVES, True),
        ("mcc", POSITIVES, True),
        ("average_precision", POSITIVES, True),
        ("precision", DECIDED, True),
        ("f1", POSITIVES | DECIDED, True),
        ("log_loss", POSITIVES, False),
        ("brier", POSITIVES, False),
        ("accuracy", None, None),
        ("selection_rate", None, None),
        ("ece", None, None),
    ],
)
def test_what_carries_a_binary_metric(name: str, rows: set[int] | None, alone: bool | None) -> None:
    carry = find_metric(name, "binary").carriers
    if carry is None:
        assert rows is None
    else:
        assert (set(find(carry)), carry.alone) == (rows, alone)


def test_every_binary_metric_was_thought_of() -> None:
    (mark,) = test_what_carries_a_binary_metric.pytestmark
    assert set(METRICS["binary"]) == {name for name, *_ in mark.args[1]}


@pytest.mark.parametrize("task", ["regression", "ranking"])
def test_all_rows_carry_what_has_no_classes(task: str) -> None:
    made = [
        value.make(value.default or value.low) if isinstance(value, Family) else value
        for value in METRICS[task].values()
    ]
    assert [metric.name for metric in made if metric.carriers is not None] == []


@pytest.mark.parametrize("name", METRICS["multiclass"])
def test_the_rarest_class_carries_what_counts_classes_alike(name: str) -> None:
    macro = name.endswith("_macro") or name in ("balanced_accuracy", "mcc")
    assert (find_metric(name, "multiclass").carriers is carriers.RAREST_CLASS) == macro


# --- rows that are split into groups --------------------------------------------------------------------------------


def split_rows(*, weight: np.ndarray | None = None, cluster: np.ndarray | None = None) -> GroupedRows:
    rows = Rows(label=LABEL, challenger=SCORE, champion=SCORE[::-1].copy(), weight=weight, cluster=cluster)
    return GroupedRows(rows=rows, groups=Groups(keys=(("a",), ("b",), ("c",)), code=CODE))


def test_a_difference_is_carried_by_the_decisions_of_either_model() -> None:
    split, precision = split_rows(), find_metric("precision", "binary")
    assert split.class_rows(precision).tolist() == [2, 2, 1]
    either = (SCORE >= 0.5) | (SCORE[::-1] >= 0.5)
    assert split.class_rows(precision, paired=True).tolist() == np.bincount(CODE, weights=either).tolist() != [2, 2, 1]
    recall = find_metric("recall", "binary")
    assert split.class_rows(recall, paired=True).tolist() == split.class_rows(recall).tolist() == [1, 3, 1]


def test_rows_without_weight_carry_nothing() -> None:
    weight = np.where(np.arange(10) == 4, 0.0, 2.5)
    assert split_rows(weight=weight).class_rows(find_metric("recall", "binary")).tolist() == [1, 2, 1]
    assert split_rows(weight=weight).class_rows(find_metric("accuracy", "binary")) is None


def test_clusters_count_by_the_weight_that_carries_the_metric() -> None:
    weight, cluster = np.arange(1.0, 11), np.array([0, 0, 1, 1, 0, 0, 1, 1, 0, 1])
    split = split_rows(weight=weight, cluster=cluster)
    units = split.carrying_units(find_metric("recall", "binary"))
    assert units.size.tolist() == [1, 0, 5 + 6, 7, 9, 0]  # of groups a, b and c, in clusters 0 and 1
    assert units.rows.tolist() == split.units.size.tolist() == [3, 7, 11, 15, 9, 10]
    assert units.effective.tolist() == pytest.approx([1, 18**2 / (11**2 + 7**2), 1])
    assert split.carrying_units(find_metric("log_loss", "binary")) is split.units
