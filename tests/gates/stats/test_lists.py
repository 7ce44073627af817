"""Ranked lists: what belongs together, in which order, and what ties do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import dcg_score

from lockgate.gates.stats.lists import Lists
from lockgate.gates.stats.scored import Scored

QUERY = np.array([7, 3, 7, 3, 3, 7])
SCORE = np.array([1.0, 5.0, 2.0, 5.0, 9.0, 0.0])


def make_scored(**options) -> Scored:
    return Scored(**{"label": np.zeros(6), "score": SCORE, "query": QUERY, **options})


def test_rows_come_by_list_and_best_first() -> None:
    lists = Lists.of(make_scored())
    assert lists.size.tolist() == [3, 3]
    assert SCORE[lists.order].tolist() == [9, 5, 5, 2, 1, 0]
    assert lists.of_row.tolist() == [1, 0, 1, 0, 0, 1]
    assert lists.ordered_by(-SCORE)[3:].tolist() == [5, 0, 2]


def test_what_a_group_has_of_a_query_is_a_list() -> None:
    lists = Lists.of(make_scored(code=np.array([0, 0, 0, 2, 2, 2]), groups=3))
    assert lists.size.tolist() == [1, 2, 2, 1]
    assert lists.group.tolist() == [0, 0, 2, 2]


def test_rows_without_queries_are_one_list() -> None:
    assert Lists.of(make_scored(query=None)).size.tolist() == [6]


def test_a_list_weighs_as_its_rows_do() -> None:
    assert Lists.of(make_scored(weight=np.where(QUERY == 7, 3.0, 0.5))).weight.tolist() == [0.5, 3.0]


@pytest.mark.parametrize("maximum", [0, 1, 2, 5])
def test_gain_is_scikit_learns_with_ties(maximum: int) -> None:
    rng = np.random.default_rng(maximum)
    query, relevance, score = np.arange(60) % 6, rng.integers(0, 4, 60).astype(float), np.round(rng.random(60), 1)
    lists = Lists.of(Scored(label=relevance, score=score, query=query))
    result = lists.gain(lists.order, score, relevance=relevance, cutoff=maximum)
    true = [dcg_score([relevance[query == q]], [score[query == q]], k=maximum or None) for q in range(6)]
    assert result.tolist() == pytest.approx(true, rel=1e-12)


def test_the_first_relevant_row_comes_last_among_its_ties() -> None:
    relevance = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    lists = Lists.of(make_scored())
    assert lists.first_relevant(relevance=relevance, score=SCORE).tolist() == [3, 2]
    assert lists.first_relevant(relevance=np.zeros(6), score=SCORE).tolist() == [np.inf, np.inf]
