"""Scored rows: their order, and sums by group; ties keep their order where rows have weights."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.gates.stats.scored import Scored, by_score, ratio

SCORES = np.array([0.4, 0.1, 0.4, 0.9, 0.1, 0.4])
WEIGHTS = np.array([1.0, 2.0, 3.0, 0.0, 5.0, 6.0])
CODES = np.array([1, 0, 0, 2, 1, 1])


def test_rows_by_score_with_their_runs_of_ties() -> None:
    ascending = by_score(SCORES, WEIGHTS)
    assert ascending.order.tolist() == [1, 4, 0, 2, 5, 3]
    assert ascending.run is not None
    assert ascending.run.tolist() == [1, 1, 2, 2, 2, 3]
    assert by_score(np.array([0.3, 0.1, 0.2]), None).run is None


def test_rows_by_group_and_then_by_score() -> None:
    scored = Scored(label=np.zeros(6), score=SCORES, weight=WEIGHTS, code=CODES, groups=3)
    assert scored.order.tolist() == [1, 2, 4, 0, 5, 3]
    assert scored.by_group.run is not None
    assert scored.by_group.run.tolist() == [1, 2, 1, 2, 2, 3]


def test_rows_that_somebody_keeps_sorted_are_not_sorted_again() -> None:
    ascending = by_score(SCORES, None)
    scored = Scored(label=np.zeros(6), score=np.zeros(6), ascending=lambda: ascending)
    assert scored.by_group is ascending


@pytest.mark.parametrize("groups", [1, 3, 300, 70_000])
def test_sums_and_means_of_each_group(groups: int) -> None:
    """The number of groups decides the type that rows are sorted by."""
    rng = np.random.default_rng(groups)
    code = rng.integers(0, groups, 500)
    scored = Scored(label=np.zeros(500), score=rng.random(500), weight=rng.random(500), code=code, groups=groups)
    values = rng.normal(size=500)
    for group in set(code[:5].tolist()):
        rows = code == group
        assert scored.weight is not None
        assert scored.mass[group] == pytest.approx(scored.weight[rows].sum())
        assert scored.total(values)[group] == pytest.approx((values * scored.weight)[rows].sum())
        assert scored.mean(values)[group] == pytest.approx(np.average(values[rows], weights=scored.weight[rows]))
        assert scored.deviations(values, scored.mean(values))[rows] == pytest.approx(
            values[rows] - scored.mean(values)[group]
        )
    assert (np.diff(code[scored.order]) >= 0).all()


def test_without_groups_and_weights_rows_are_counted() -> None:
    scored = Scored(label=np.zeros(6), score=SCORES)
    assert scored.mass.tolist() == [6.0]
    assert scored.spread(scored.mass).shape == (1,)


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    np.testing.assert_array_equal(ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])), [0.5, np.nan])
