"""What makes evidence unfit to be judged, whatever the gate."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from gates.evidence import Evidence
from gates.metrics.metric import Floats

SHOWN = 3


def defects(evidence: Evidence, *, clusters_required: bool) -> list[str]:
    """Every defect in one sentence, with the count and the first rows (ids hashed); empty where there is none.

    Labels and scores must be finite; for binary, labels 0 or 1 and scores in [0, 1]. Weights must be finite,
    not negative, and not all 0. Row ids must be unique. A champion named in the facts must have its column.
    """
    found: list[str] = []
    if evidence.n == 0:
        return ["there are no rows; expected at least one scored row"]
    binary = evidence.task == "binary"
    label = evidence.label
    if binary:
        _note(found, evidence, ~((label == 0) | (label == 1)), "a label that is neither 0 nor 1")
    else:
        _note(found, evidence, ~np.isfinite(label), "a label that is no finite number")
    for name, scores in (("challenger", evidence.challenger), ("champion", evidence.champion)):
        if scores is not None:
            _note(found, evidence, ~_in_range(scores, binary=binary), _out_of_range(name, binary=binary))
    if evidence.weight is not None:
        _note(found, evidence, ~(np.isfinite(evidence.weight) & (evidence.weight >= 0)), "a negative or missing weight")
        if not found and not np.any(evidence.weight > 0):
            found.append("every weight is 0; expected weight on some row")
    ids = evidence.row_id
    if evidence.n > 1:
        repeated = np.zeros(evidence.n, dtype=bool)
        repeated[1:] = np.asarray(pc.equal(ids.slice(1), ids.slice(0, evidence.n - 1)))
        _note(found, evidence, repeated, "a row_id that another row has too")
    if evidence.facts.get("champion") and evidence.champion is None:
        found.append("the facts name a champion, but the column `champion` is missing")
    if clusters_required and evidence.cluster is None:
        found.append("the policy requires clusters, but the column `cluster` is missing")
    return found


def _in_range(scores: Floats, *, binary: bool) -> NDArray[np.bool_]:
    return (scores >= 0) & (scores <= 1) if binary else np.isfinite(scores)


def _out_of_range(name: str, *, binary: bool) -> str:
    return f"a {name} score outside 0 … 1, or none" if binary else f"a {name} score that is no finite number"


def _note(found: list[str], evidence: Evidence, bad: NDArray[np.bool_], what: str) -> None:
    where = np.flatnonzero(bad)
    if where.size:
        first = ", ".join(_hidden(evidence.row_id[int(at)].as_py()) for at in where[:SHOWN])
        found.append(f"{where.size:,} rows have {what} (first rows, ids hashed: {first})")


def _hidden(row_id: object) -> str:
    return hashlib.sha256(str(row_id).encode()).hexdigest()[:12]
