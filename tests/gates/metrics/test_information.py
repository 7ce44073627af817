"""What estimates rest on, beside the rows counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences, estimate_hits, estimate_metric
from lockgate.gates.metrics.metric import Hits
from lockgate.gates.metrics.rows import GroupedRows, Groups, Rows
from lockgate.gates.records.outcome import Information

N = 240
RNG = np.random.default_rng(3)
LABEL = (RNG.random(N) < 0.2).astype(float)
SCORES = np.clip(0.4 + 0.2 * LABEL + RNG.normal(0, 0.2, (2, N)), 0.01, 0.99)
DAY = np.repeat(np.arange(12), 20)
POSITIVES = int(LABEL.sum())
GROUPS = Groups(keys=(("a",), ("b",)), code=np.arange(N) % 2)


def rest_on(name: str, *, paired: bool = False, groups: Groups | None = None, group: int = 0, **options) -> Information:
    rows = Rows(label=LABEL, challenger=SCORES[0], champion=SCORES[1], **options)
    split = GroupedRows(rows=rows, groups=groups) if groups else GroupedRows(rows=rows)
    find = estimate_differences if paired else estimate_metric
    return find(find_metric(name, "binary"), split).of_group(group).information


@pytest.mark.parametrize("paired", [False, True])
def test_independent_rows(paired: bool) -> None:
    assert rest_on("accuracy", paired=paired) == Information(rows=N)
    assert rest_on("recall", paired=paired) == Information(rows=POSITIVES, class_rows=POSITIVES)
    loss = rest_on("log_loss", paired=paired)
    assert loss == Information(rows=N, class_rows=POSITIVES, degrees_of_freedom=N - 1)


def test_an_area_rests_on_the_rarer_label_and_the_freedom_of_both() -> None:
    area = rest_on("auc", paired=True)
    assert (area.rows, area.class_rows, area.clusters, area.effective_clusters) == (POSITIVES, POSITIVES, None, None)
    assert POSITIVES - 1 < area.degrees_of_freedom < N - 1


def test_clusters_without_a_positive_carry_no_recall() -> None:
    positives = np.bincount(DAY, weights=LABEL)
    early = np.where(DAY < 3, LABEL, 0.0)
    rows = Rows(label=early, challenger=SCORES[0], champion=SCORES[1], cluster=DAY)
    information = estimate_metric(find_metric("recall", "binary"), GroupedRows(rows=rows)).of_group().information
    size = positives[:3]
    assert (information.rows, information.clusters) == (int(size.sum()), 3)
    assert information.effective_clusters == pytest.approx(size.sum() ** 2 / np.sum(size**2))
    assert information.degrees_of_freedom < 3
    loss = estimate_metric(find_metric("log_loss", "binary"), GroupedRows(rows=rows)).of_group().information
    assert (loss.rows, loss.class_rows, loss.clusters, loss.effective_clusters) == (N, int(size.sum()), 12, 12)
    assert loss.degrees_of_freedom == pytest.approx(11)


def test_weights_leave_fewer_rows_than_there_are() -> None:
    weight = np.where(np.arange(N) < 40, 10.0, 1.0)
    information = rest_on("accuracy", paired=True, weight=weight)
    assert (information.rows, information.clusters) == (N, None)
    assert information.effective_clusters == pytest.approx(weight.sum() ** 2 / np.sum(weight**2))


@pytest.mark.parametrize("ordered", [False, True])
def test_the_correlation_of_neighbours_is_known_where_there_are_some(ordered: bool) -> None:
    information = rest_on("brier", paired=True, cluster=DAY, ordered=ordered)
    assert (information.lag_1 is not None) == ordered
    if ordered:
        means = np.bincount(DAY, weights=(SCORES[0] - LABEL) ** 2 - (SCORES[1] - LABEL) ** 2)
        means -= means.mean()
        lag_1 = (12 * np.sum(means[1:] * means[:-1]) / np.sum(means**2) + 1) / 8
        assert information.lag_1 == pytest.approx(lag_1)


def test_every_group_has_its_own() -> None:
    for group in (0, 1):
        own = GROUPS.code == group
        information = rest_on("recall", groups=GROUPS, group=group, cluster=DAY)
        assert information.rows == information.class_rows == int(LABEL[own].sum())
        assert information.clusters == np.count_nonzero(np.bincount(DAY[own], weights=LABEL[own]))


def test_a_share_of_no_metric_rests_on_all_rows() -> None:
    rows = Rows(label=LABEL, challenger=SCORES[0], cluster=DAY)
    information = estimate_hits(Hits(LABEL), GroupedRows(rows=rows)).of_group().information
    assert (information.rows, information.class_rows, information.clusters) == (N, None, 12)


@pytest.mark.parametrize(("effective", "units"), [(None, 500), (20.0, 20)])
def test_the_rate_of_what_may_be_unseen(effective: float | None, units: float) -> None:
    """Events of that rate are missing from so many units with probability 1 − level, which is about e^(−rate n)."""
    information = Information(rows=500, clusters=effective and 30, effective_clusters=effective).with_unseen(0.9975)
    assert information.unseen_rate == pytest.approx(-math.log(0.0025) / units)
    assert Information(rows=2).with_unseen(0.9975).unseen_rate == 1
