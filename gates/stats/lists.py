"""Rows as ranked lists, one for each query in each group, all ranked in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.gates.stats.scored import Codes, Floats, Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The rows of one query in one group form a list: n rows, L lists.

    of_row: the list of each row (n,). order: the rows by list, then by descending score (n,). size: rows of each
    list, all above 0 (L,). weight: the mean weight of its rows (L,). group: its group (L,).
    """

    of_row: Codes
    order: Codes
    size: Codes
    weight: Floats
    group: Codes

    @classmethod
    def of(cls, scored: Scored) -> Lists:
        """The lists of scored rows. Rows without queries count as one query."""
        query = np.zeros(scored.label.size, dtype=np.intp) if scored.query is None else scored.query.astype(np.intp)
        wide = int(query.max(initial=0)) + 1
        cell = query if scored.code is None else scored.code.astype(np.intp) * wide + query
        cells, of_row, size = np.unique(cell, return_inverse=True, return_counts=True)
        mass = size if scored.weight is None else np.bincount(of_row, weights=scored.weight)
        return cls(
            of_row=of_row,
            order=_by_list(of_row, scored.order[::-1]),
            size=size,
            weight=mass / size,
            group=cells // wide if scored.code is not None else np.zeros_like(cells),
        )

    def ordered_by(self, values: Floats) -> Codes:
        """The rows by list, then by descending `values` (n,)."""
        return _by_list(self.of_row, np.argsort(values, kind="stable")[::-1])

    @property
    def starts(self) -> Codes:
        """Where each list starts in an order (L,)."""
        return np.cumsum(self.size) - self.size

    def gain(self, order: Codes, score: Floats | None, *, relevance: Floats, cutoff: int) -> Floats:
        """Discounted cumulative gain of each list (L,) in `order`, up to rank `cutoff`, where 0 means all ranks.

        Rows of a list with the same `score` share the mean of their gains; None means that no rows are tied.
        """
        rank = np.arange(order.size) - np.repeat(self.starts, self.size)
        discount = 1 / np.log2(rank + 2)
        if cutoff:
            discount[rank >= cutoff] = 0.0
        gained = relevance[order]
        if score is not None:
            tied = score[order]
            first = np.flatnonzero((rank == 0) | np.append(True, tied[1:] != tied[:-1]))
            length = np.diff(first, append=order.size)
            gained = np.repeat(np.add.reduceat(gained, first) / length, length)
        return np.asarray(np.add.reduceat(gained * discount, self.starts))

    def first_relevant(self, *, relevance: Floats, score: Floats) -> Floats:
        """The rank of each list's best relevant row (L,); inf if it has none.

        Relevant rows have a relevance above 0. Among rows with the same score the relevant ones come last.
        """
        relevant = relevance > 0
        best = np.full(self.size.size, -np.inf)
        np.maximum.at(best, self.of_row[relevant], score[relevant])
        limit = best[self.of_row]
        ahead = (score > limit) | ((score == limit) & ~relevant)
        rank = 1.0 + np.bincount(self.of_row, weights=ahead, minlength=best.size)
        return np.where(np.isfinite(best), rank, np.inf)


def _by_list(of_row: Codes, order: Codes) -> Codes:
    return order[np.argsort(of_row[order], kind="stable")]
