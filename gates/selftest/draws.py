"""Random holdouts like a given one, on which challenger and champion are equal: rows drawn and scores swapped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import CodedColumn, to_arrow
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.stats.scored import Codes, Floats

_FIRST_ID = 2**62
"""Drawn rows are numbered from here: a row that is drawn twice is two rows, and no drawn row was trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The rows of a holdout in independent units: clusters, else queries, else single rows.

    `equal(rng)` draws as many clusters as there are, with replacement (Efron's bootstrap by cluster; a cluster that is
    drawn twice becomes two), and swaps the two models' scores in each with probability ½. Given the rows, the models
    are then exchangeable: every paired difference is symmetric about 0, whatever the dependence within clusters, the
    labels, the slices or the calibration. So they are exactly equal, each as good as the mean of both, and only what
    is planted afterwards tells them apart.
    """

    evidence: Evidence
    champion: Floats
    order: Codes  # rows by cluster
    starts: Codes  # of each cluster, in `order`
    sizes: Codes
    names: tuple[str, ...]  # of drawn clusters; empty where rows are independent

    @classmethod
    def from_evidence(cls, evidence: Evidence) -> Self:
        """The units of the evidence. Raises EvidenceError without a champion or without rows."""
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
            names=() if together is None else tuple(f"{number:08d}" for number in range(sizes.size)),
        )

    def equal(self, rng: Generator) -> Evidence:
        """A holdout drawn at random, on which both models are equal."""
        picked = rng.integers(self.sizes.size, size=self.sizes.size)
        swapped = rng.random(picked.size) < 0.5
        sizes = self.sizes[picked]
        number = np.repeat(np.arange(picked.size), sizes)  # of the drawn cluster that each row is in
        within = np.arange(number.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = self.order[np.repeat(self.starts[picked], sizes) + within]
        evidence = self.evidence
        ours, theirs = evidence.challenger[rows], self.champion[rows]
        turned = swapped[number] if ours.ndim == 1 else swapped[number][:, None]
        return replace(
            evidence,
            row_id=_number_rows(rows.size, evidence.row_id.type),
            label=evidence.label[rows],
            challenger=np.where(turned, theirs, ours),
            champion=np.where(turned, ours, theirs),
            weight=None if evidence.weight is None else evidence.weight[rows],
            cluster=None if evidence.cluster is None else CodedColumn(number, self.names),
            query=None if evidence.query is None else _separate_queries(evidence.query, number, rows),
            time=None if evidence.time is None else evidence.time.take(to_arrow(rows)),
            period=evidence.period and evidence.period.take(rows),
            slices={name: values.take(rows) for name, values in evidence.slices.items()},
        )


def _number_rows(rows: int, of_type: pa.DataType) -> pa.Array:
    """Ids of drawn rows, of the type that the holdout's ids have: those of another type are an ERROR of leakage."""
    return to_arrow(np.arange(rows, dtype=np.int64) + _FIRST_ID).cast(of_type)


def _separate_queries(query: CodedColumn, number: Codes, rows: Codes) -> CodedColumn:
    """Queries of drawn rows: a query in a cluster that is drawn twice becomes two."""
    _, code = np.unique(number * len(query.values) + query.codes[rows], return_inverse=True)
    code = code.astype(np.intp)
    return CodedColumn(code, tuple(f"{number:08d}" for number in range(int(code.max(initial=0)) + 1)))
