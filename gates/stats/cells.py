"""Cells of a number's range: where their edges lie, and which cell a value falls in."""

from __future__ import annotations

import numpy as np

from gates.stats.scored import Codes, Floats

CELLS = 20
"""How many cells the range of a number is cut into, at most."""


def quantile_edges(values: Floats) -> Floats:
    """The inner edges of at most 20 cells that hold about as many of the values each (k,), ascending and distinct.

    Edges are values that occur, so that a value which many rows share is not cut apart; of 20 distinct values or
    fewer each is a cell of its own, but for infinite ones. Empty for no value and for a constant.

    Args:
        values: float64 (n,), no NaN.
    """
    if not values.size:
        return np.empty(0)
    ascending = np.sort(values)
    distinct = ascending[np.append(True, ascending[1:] != ascending[:-1])]
    if distinct.size > CELLS:
        at = -(-np.arange(1, CELLS) * ascending.size // CELLS) - 1  # the smallest value with a share of i/20 up to it
        distinct = np.append(np.unique(ascending[at]), ascending[-1])
    edges: Floats = distinct[(distinct < ascending[-1]) & np.isfinite(distinct)] + 0.0  # −0 is 0
    return edges


def cell_of(values: Floats, edges: Floats) -> Codes:
    """The cell of each value (n,), 0 … k: cell i holds edges[i − 1] < value <= edges[i], the outer ones all beyond."""
    cells: Codes = np.searchsorted(edges, values, side="left")
    return cells
