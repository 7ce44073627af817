"""Holdouts like the one at hand, on which challenger and champion are equal: drawn again, and swapped, by cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.random import Generator

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import CodedColumn, to_arrow
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.stats.scored import Codes, Floats

_FIRST_ID = 2**62
"""Drawn rows are numbered from here on: a row that is drawn twice is two rows, and none was trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The rows of a holdout by what is independent of the others: cluster, else query, else row.

    `equal(lots)` draws as many clusters as there are, with replacement (Efron's bootstrap, by cluster; a cluster that
    is drawn twice is two clusters), and swaps the two models' scores in each with probability ½. Given the rows, the
    models are then exchangeable: every paired difference is symmetric about 0, whatever depends on what within
    a cluster, and however labels, slices and calibration are. So they are equal, exactly, and whatever is planted in
    one of them afterwards is all that tells them apart. Each is as good as the mean of both.
    """

    evidence: Evidence
    champion: Floats
    order: Codes  # rows by cluster
    starts: Codes  # of each cluster, in `order`
    sizes: Codes
    names: tuple[str, ...]  # of drawn clusters

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Raises EvidenceError without a champion, or without rows."""
        if evidence.champion is None:
            raise EvidenceError(
                "the evidence has no champion scores",
                expected="a column `champion`: two models to swap",
                hint="evaluate once more, beside the champion",
            )
        if evidence.n == 0:
            raise EvidenceError("the evidence has no rows", expected="at least one")
        together = evidence.cluster or evidence.query
        code = np.arange(evidence.n) if together is None else together.codes
        sizes = np.bincount(code)
        sizes = sizes[sizes > 0]
        return cls(
            evidence=evidence,
            champion=evidence.champion,
            order=np.argsort(code, kind="stable"),
            starts=np.cumsum(sizes) - sizes,
            sizes=sizes,
            names=() if together is None else tuple(f"{at:08d}" for at in range(sizes.size)),
        )

    def equal(self, lots: Generator) -> Evidence:
        """One draw."""
        picked = lots.integers(self.sizes.size, size=self.sizes.size)
        swapped = lots.random(picked.size) < 0.5
        sizes = self.sizes[picked]
        number = np.repeat(np.arange(picked.size), sizes)  # of the drawn cluster that each row is in
        within = np.arange(number.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = self.order[np.repeat(self.starts[picked], sizes) + within]
        held = self.evidence
        ours, theirs = held.challenger[rows], self.champion[rows]
        turned = swapped[number] if ours.ndim == 1 else swapped[number][:, None]
        return replace(
            held,
            row_id=to_arrow(np.arange(rows.size, dtype=np.int64) + _FIRST_ID),
            label=held.label[rows],
            challenger=np.where(turned, theirs, ours),
            champion=np.where(turned, ours, theirs),
            weight=None if held.weight is None else held.weight[rows],
            cluster=None if held.cluster is None else CodedColumn(number, self.names),
            query=None if held.query is None else _apart(held.query, number, rows),
            time=None if held.time is None else held.time.take(to_arrow(rows)),
            slices={name: values.take(rows) for name, values in held.slices.items()},
        )


def _apart(query: CodedColumn, number: Codes, rows: Codes) -> CodedColumn:
    """Queries of drawn rows: one of a cluster that is drawn twice is two."""
    _, code = np.unique(number * len(query.values) + query.codes[rows], return_inverse=True)
    code = code.astype(np.intp)
    return CodedColumn(code, tuple(f"{at:08d}" for at in range(int(code.max(initial=0)) + 1)))
