"""What makes evidence unfit to be judged by any gate."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.task import QUERY_TASKS
from lockgate.gates.stats.scored import Floats

MAX_LISTED_ROWS = 3

SUM_TOLERANCE = 1e-6
"""How far the sum of a row's class probabilities may be from 1: float32 is that precise after normalising."""


def find_defects(evidence: Evidence, *, clusters_required: bool) -> list[str]:
    """One sentence per defect, with the number of rows and the first of them (ids hashed); empty if there is none.

    Labels and scores must be finite. For binary, labels are 0 or 1 and scores in [0, 1]. For multiclass, labels are
    0 … k − 1, and a row's probabilities are in [0, 1] and sum to 1 within 1e-6. For ranking, labels are not
    negative, and every row has a query. For ranking and score, the rows of one query share a weight and a cluster.
    Weights must be finite, not negative, and not all 0. Row ids must be unique. A champion named in the facts must have
    its column.
    """
    problems: list[str] = []
    if evidence.n == 0:
        return ["there are no rows; expected at least one scored row"]
    _note_rows(problems, evidence, ~_has_fitting_label(evidence), f"a label that is {_UNFIT[evidence.task]}")
    for name, scores in (("challenger", evidence.challenger), ("champion", evidence.champion)):
        if scores is not None:
            _check_scores(problems, evidence, name, scores)
    if evidence.weight is not None:
        _note_rows(
            problems, evidence, ~(np.isfinite(evidence.weight) & (evidence.weight >= 0)), "a negative or missing weight"
        )
        if not problems and not np.any(evidence.weight > 0):
            problems.append("every weight is 0; expected weight on some row")
    ids = evidence.row_id
    if evidence.n > 1:
        repeated = np.zeros(evidence.n, dtype=bool)
        repeated[1:] = np.asarray(pc.equal(ids.slice(1), ids.slice(0, evidence.n - 1)))
        _note_rows(problems, evidence, repeated, "a row_id that another row has too")
    if evidence.task == "ranking" and evidence.query is None:
        problems.append("task ranking needs to know which rows are ranked together, but the column `query` is missing")
    elif evidence.task in QUERY_TASKS and evidence.query is not None:
        _check_queries(problems, evidence, evidence.query.codes)
    if evidence.facts.get("champion") and evidence.champion is None:
        problems.append("the facts name a champion, but the column `champion` is missing")
    queries_are_clusters = evidence.task == "ranking" or (evidence.task == "score" and evidence.query is not None)
    if clusters_required and evidence.cluster is None and not queries_are_clusters:
        problems.append("the policy requires clusters, but the column `cluster` is missing")
    return problems


_UNFIT = {
    "binary": "neither 0 nor 1",
    "multiclass": "not the index of a class",
    "regression": "no finite number",
    "ranking": "no finite relevance of 0 or more",
    "score": "not 0, which stands for none",
}


def _has_fitting_label(evidence: Evidence) -> NDArray[np.bool_]:
    label = evidence.label
    fits: NDArray[np.bool_] = np.isfinite(label)
    if evidence.task == "binary":
        fits = (label == 0) | (label == 1)
    elif evidence.task == "multiclass":
        fits = (label >= 0) & (label < len(evidence.classes)) & (label == np.floor(label))
    elif evidence.task == "ranking":
        fits &= label >= 0
    return fits


def _check_scores(problems: list[str], evidence: Evidence, name: str, scores: Floats) -> None:
    if evidence.task == "binary":
        _note_rows(problems, evidence, ~((scores >= 0) & (scores <= 1)), f"a {name} score outside 0 … 1, or none")
    elif evidence.task == "multiclass":
        with np.errstate(invalid="ignore"):  # inf − inf, which is out of range anyway
            within = (scores.min(axis=1) >= 0) & (scores.max(axis=1) <= 1)
            off = within & ~(np.abs(scores.sum(axis=1) - 1) <= SUM_TOLERANCE)
        _note_rows(problems, evidence, ~within, f"a {name} probability outside 0 … 1, or none")
        _note_rows(problems, evidence, off, f"{name} probabilities that do not sum to 1 within {SUM_TOLERANCE:g}")
    else:
        _note_rows(problems, evidence, ~np.isfinite(scores), f"a {name} score that is no finite number")


def _check_queries(problems: list[str], evidence: Evidence, query: NDArray[np.intp]) -> None:
    first = np.empty(int(query.max()) + 1, dtype=np.intp)
    first[query[::-1]] = np.arange(evidence.n - 1, -1, -1)
    columns: dict[str, NDArray[Any]] = {} if evidence.weight is None else {"weight": evidence.weight}
    if evidence.cluster is not None:
        columns["cluster"] = evidence.cluster.codes
    for name, values in columns.items():
        _note_rows(
            problems,
            evidence,
            values != values[first[query]],
            f"a {name} other than that of the first row of their query",
        )


def _note_rows(problems: list[str], evidence: Evidence, bad: NDArray[np.bool_], description: str) -> None:
    where = np.flatnonzero(bad)
    if where.size:
        first = ", ".join(hash_row_id(evidence.row_id[int(row)].as_py()) for row in where[:MAX_LISTED_ROWS])
        problems.append(f"{where.size:,} rows have {description} (first rows, ids hashed: {first})")


def hash_row_id(row_id: object) -> str:
    """How messages call a row: 12 hexadecimal digits of its id's SHA-256, as rows may be personal."""
    return hashlib.sha256(str(row_id).encode()).hexdigest()[:12]
