"""The cells that a number is counted in; shares and their covariance are in test_divergence.py."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.gates.stats.cell_shares import MAX_CELLS, cell_of, quantile_edges


def counts(values) -> list[int]:
    edges = quantile_edges(np.asarray(values, dtype=float))
    return np.bincount(cell_of(np.asarray(values, dtype=float), edges), minlength=edges.size + 1).tolist()


def test_cells_hold_about_as_many_values_each() -> None:
    result = counts(np.random.default_rng(1).normal(size=10_007))
    assert len(result) == MAX_CELLS
    assert max(result) - min(result) <= 1


@pytest.mark.parametrize("distinct", [1, 2, 5, MAX_CELLS])
def test_few_distinct_values_have_a_cell_each(distinct: int) -> None:
    values = np.random.default_rng(2).permutation(np.repeat(np.arange(distinct) * 1.5, np.arange(1, distinct + 1)))
    assert counts(values) == list(range(1, distinct + 1))


def test_a_value_that_many_rows_share_is_not_cut_apart() -> None:
    values = np.concatenate([np.zeros(600), np.arange(1, 401)])
    result = counts(values)
    assert result[0] == 600
    assert sum(result) == 1000
    assert 2 <= len(result) <= MAX_CELLS
    assert min(result) > 0


def test_edges_are_values_and_ascend() -> None:
    values = np.random.default_rng(3).integers(0, 40, 500).astype(float)
    edges = quantile_edges(values)
    assert set(edges) <= set(values)
    assert np.all(np.diff(edges) > 0)
    assert edges[-1] < values.max()


def test_values_beyond_the_edges_fall_into_the_outer_cells() -> None:
    assert cell_of(np.array([-np.inf, 1, 1.5, 2, 99, np.inf]), np.array([1.0, 2.0])).tolist() == [0, 0, 1, 1, 2, 2]


def test_no_value_and_one_value_have_no_edges() -> None:
    assert quantile_edges(np.empty(0)).size == quantile_edges(np.full(9, 3.0)).size == 0
    assert cell_of(np.array([1.0]), np.empty(0)).tolist() == [0]


def test_infinite_values() -> None:
    assert counts([-np.inf, -np.inf, 0, 1, np.inf]) == [3, 1, 1]
