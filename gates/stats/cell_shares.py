"""Shares of the same cells in two samples, and the covariance that they are known with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lockgate.gates.stats.scored import Codes, Floats

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two distributions over B cells, estimated from samples.

    reference, compared: shares (B,), each with sum 1. covariance: of the shares' estimates, those of the reference
    first (2B, 2B). rows: how many rows each rests on; of weighted rows (Σw)²/Σw². df: degrees of freedom of the
    covariance, infinite unless rows are clustered.
    """

    reference: Floats
    compared: Floats
    covariance: Floats
    rows: tuple[float, float]
    df: float = math.inf

    @property
    def difference(self) -> Floats:
        """Covariance of compared − reference (B, B)."""
        width = self.reference.size
        held = self.covariance
        cross = held[:width, width:]
        return held[:width, :width] + held[width:, width:] - cross - cross.T

    def grouped(self, code: Codes) -> Pair:
        """The pair over larger cells: cell i goes into cell code[i] (B,)."""
        sums = (code[:, None] == np.arange(code.max() + 1)).astype(np.float64)
        both = np.zeros((2 * code.size, 2 * sums.shape[1]))
        both[: code.size, : sums.shape[1]], both[code.size :, sums.shape[1] :] = sums, sums
        return Pair(
            reference=self.reference @ sums,
            compared=self.compared @ sums,
            covariance=both.T @ self.covariance @ both,
            rows=self.rows,
            df=self.df,
        )


def counted(reference: Floats, compared: Floats) -> Pair:
    """Two independent samples of independent rows, from their counts in the cells (B,); neither is empty."""
    p, q = reference / reference.sum(), compared / compared.sum()
    rows = float(reference.sum()), float(compared.sum())
    blocks = _multinomial(p) / rows[0], _multinomial(q) / rows[1]
    return Pair(reference=p, compared=q, covariance=_blocks(*blocks), rows=rows)


def rows_against_counts(reference: Floats, code: Codes, *, weight: Floats | None, cluster: Codes | None) -> Pair:
    """Counts in the cells (B,), of independent rows, against rows that may be weighted and clustered.

    Args:
        code: the cell of each row (n,).
        weight: not negative, not all 0 (n,); None weighs all alike.
        cluster: codes 0 … G−1 (n,); None makes every row its own.
    """
    p = reference / reference.sum()
    q, covariance, rows, df = _of_rows(code[None], reference.size, weight, cluster)
    blocks = _blocks(_multinomial(p) / reference.sum(), covariance)
    return Pair(reference=p, compared=q, covariance=blocks, rows=(float(reference.sum()), rows), df=df)


def paired(reference: Codes, compared: Codes, cells: int, *, weight: Floats | None, cluster: Codes | None) -> Pair:
    """Two codes of the same rows, in so many cells (n,) each; weights and clusters as in `rows_against_counts`."""
    shares, covariance, rows, df = _of_rows(np.stack([reference, compared]), cells, weight, cluster)
    return Pair(reference=shares[:cells], compared=shares[cells:], covariance=covariance, rows=(rows, rows), df=df)


def _multinomial(p: Floats) -> Floats:
    return np.diag(p) - np.outer(p, p)


def _blocks(first: Floats, second: Floats) -> Floats:
    width = first.shape[0]
    both = np.zeros((2 * width, 2 * width))
    both[:width, :width], both[width:, width:] = first, second
    return both


def _of_rows(
    codes: Codes, cells: int, weight: Floats | None, cluster: Codes | None
) -> tuple[Floats, Floats, float, float]:
    """Shares (k·cells,) of k codes of the same rows (k, n), their covariance, the rows they rest on, and its df."""
    kinds, n = codes.shape
    width = kinds * cells
    held = np.ones(n) if weight is None else weight
    total, squares = float(held.sum()), float(held @ held)
    at = codes + cells * np.arange(kinds)[:, None]
    shares = np.bincount(at.ravel(), weights=np.tile(held, kinds), minlength=width) / total
    if cluster is None:
        of_row = held * held
        pairs = (at[:, None, :] * width + at[None, :, :]).ravel()
        raw = np.bincount(pairs, weights=np.tile(of_row, kinds * kinds), minlength=width * width).reshape(width, width)
        linear = np.bincount(at.ravel(), weights=np.tile(of_row, kinds), minlength=width)
        groups, size = int(np.count_nonzero(held)), squares
    else:
        from scipy import sparse

        rows = np.tile(cluster, kinds)
        sums = sparse.csr_array((np.tile(held, kinds), (rows, at.ravel())), shape=(int(cluster.max()) + 1, width))
        sizes = np.bincount(cluster, weights=held)
        raw, linear = (sums.T @ sums).toarray(), sums.T @ sizes
        groups, size = int(np.count_nonzero(sizes)), float(sizes @ sizes)
    centred = raw - np.outer(linear, shares) - np.outer(shares, linear) + size * np.outer(shares, shares)
    correction = groups / max(groups - 1, 1)
    df = math.inf if cluster is None else float(max(groups - 1, 1))
    return shares, correction * centred / total**2, total**2 / squares, df
