"""Shares of the same cells in two samples, and the covariance that they are known with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lockgate.gates.stats.scored import Codes, Floats

MAX_CELLS = 20
"""How many cells the range of a number is cut into, at most."""


def quantile_edges(values: Floats) -> Floats:
    """The inner edges of at most 20 cells that hold about equally many values (k,), ascending and distinct.

    Edges are values that occur, so that rows with the same value stay in one cell. Up to 20 distinct values get a
    cell each, except infinite ones. Without values, and for a constant, there are no edges.

    Args:
        values: float64 (n,), no NaN.
    """
    if not values.size:
        return np.empty(0)
    ascending = np.sort(values)
    distinct = ascending[np.append(True, ascending[1:] != ascending[:-1])]
    if distinct.size > MAX_CELLS:
        cuts = (
            -(-np.arange(1, MAX_CELLS) * ascending.size // MAX_CELLS) - 1
        )  # the smallest value with a share of i/20 up to it
        distinct = np.append(np.unique(ascending[cuts]), ascending[-1])
    edges: Floats = distinct[(distinct < ascending[-1]) & np.isfinite(distinct)] + 0.0  # −0 is 0
    return edges


def cell_of(values: Floats, edges: Floats) -> Codes:
    """The cell of each value (n,), 0 … k: cell i holds edges[i − 1] < value <= edges[i], the outer cells the rest."""
    cells: Codes = np.searchsorted(edges, values, side="left")
    return cells


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePair:
    """Two distributions over B cells, estimated from samples.

    reference, compared: shares (B,), each with sum 1. covariance: of the estimated shares, the reference's first
    (2B, 2B). rows: how many rows each sample has, (Σw)²/Σw² if they are weighted. df: degrees of freedom of the
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
        covariance = self.covariance
        cross = covariance[:width, width:]
        return covariance[:width, :width] + covariance[width:, width:] - cross - cross.T

    def regroup(self, code: Codes) -> SharePair:
        """The pair over larger cells: cell i goes into cell code[i] (B,)."""
        sums = (code[:, None] == np.arange(code.max() + 1)).astype(np.float64)
        both = np.zeros((2 * code.size, 2 * sums.shape[1]))
        both[: code.size, : sums.shape[1]], both[code.size :, sums.shape[1] :] = sums, sums
        return SharePair(
            reference=self.reference @ sums,
            compared=self.compared @ sums,
            covariance=both.T @ self.covariance @ both,
            rows=self.rows,
            df=self.df,
        )


def pair_counts(reference: Floats, compared: Floats) -> SharePair:
    """Two independent samples of independent rows, from their counts in the cells (B,). Neither is empty."""
    p, q = reference / reference.sum(), compared / compared.sum()
    rows = float(reference.sum()), float(compared.sum())
    blocks = _multinomial(p) / rows[0], _multinomial(q) / rows[1]
    return SharePair(reference=p, compared=q, covariance=_blocks(*blocks), rows=rows)


def pair_counts_with_rows(reference: Floats, code: Codes, *, weight: Floats | None, cluster: Codes | None) -> SharePair:
    """Counts in the cells (B,), of independent rows, against rows that may be weighted and clustered.

    Args:
        code: the cell of each row (n,).
        weight: not negative, not all 0 (n,); None weighs all rows alike.
        cluster: codes 0 … G−1 (n,); None means that every row is its own cluster.
    """
    p = reference / reference.sum()
    q, covariance, rows, df = _estimate_shares(code[None], reference.size, weight, cluster)
    blocks = _blocks(_multinomial(p) / reference.sum(), covariance)
    return SharePair(reference=p, compared=q, covariance=blocks, rows=(float(reference.sum()), rows), df=df)


def pair_codes(
    reference: Codes, compared: Codes, cells: int, *, weight: Floats | None, cluster: Codes | None
) -> SharePair:
    """Two codes of the same rows (n,), each in 0 … cells − 1; weights and clusters as in `pair_counts_with_rows`."""
    shares, covariance, rows, df = _estimate_shares(np.stack([reference, compared]), cells, weight, cluster)
    return SharePair(reference=shares[:cells], compared=shares[cells:], covariance=covariance, rows=(rows, rows), df=df)


def _multinomial(p: Floats) -> Floats:
    return np.diag(p) - np.outer(p, p)


def _blocks(first: Floats, second: Floats) -> Floats:
    width = first.shape[0]
    both = np.zeros((2 * width, 2 * width))
    both[:width, :width], both[width:, width:] = first, second
    return both


def _estimate_shares(
    codes: Codes, cells: int, weight: Floats | None, cluster: Codes | None
) -> tuple[Floats, Floats, float, float]:
    """Shares (k·cells,) of k codes of the same rows (k, n), their covariance, its number of rows and its df."""
    samples, n = codes.shape
    width = samples * cells
    mass = np.ones(n) if weight is None else weight
    total, squares = float(mass.sum()), float(mass @ mass)
    cell = codes + cells * np.arange(samples)[:, None]
    shares = np.bincount(cell.ravel(), weights=np.tile(mass, samples), minlength=width) / total
    if cluster is None:
        of_row = mass * mass
        pairs = (cell[:, None, :] * width + cell[None, :, :]).ravel()
        raw = np.bincount(pairs, weights=np.tile(of_row, samples * samples), minlength=width * width).reshape(
            width, width
        )
        linear = np.bincount(cell.ravel(), weights=np.tile(of_row, samples), minlength=width)
        groups, size = int(np.count_nonzero(mass)), squares
    else:
        from scipy import sparse

        rows = np.tile(cluster, samples)
        sums = sparse.csr_array((np.tile(mass, samples), (rows, cell.ravel())), shape=(int(cluster.max()) + 1, width))
        sizes = np.bincount(cluster, weights=mass)
        raw, linear = (sums.T @ sums).toarray(), sums.T @ sizes
        groups, size = int(np.count_nonzero(sizes)), float(sizes @ sizes)
    centred = raw - np.outer(linear, shares) - np.outer(shares, linear) + size * np.outer(shares, shares)
    correction = groups / max(groups - 1, 1)
    df = math.inf if cluster is None else float(max(groups - 1, 1))
    return shares, correction * centred / total**2, total**2 / squares, df
