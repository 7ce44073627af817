"""The two distributions between which drift is measured, from what the run says and from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.facts import (
    ChampionFacts,
    Counts,
    Distribution,
    check_features,
    parse_distribution,
    parse_part,
)
from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.stats.cell_shares import (
    SharePair,
    cell_of,
    pair_codes,
    pair_counts,
    pair_counts_with_rows,
    quantile_edges,
)
from lockgate.gates.stats.scored import Codes, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionPair:
    """Two distributions, what the first is of (training or champion), and the rows and clusters behind the second."""

    cells: SharePair
    against: str
    rows: int
    clusters: int | None


def claimed_features(case: Case, *, against: str) -> Mapping[str, Any]:
    """Distributions of the features by name, not checked yet: of the challenger's training rows, or the champion's."""
    if against == "training":
        return check_features(case.facts.get("features"), path="facts.features")
    return check_features(parse_part(case.facts, "champion", ChampionFacts).features, path="facts.champion.features")


def pair_feature(name: str, claim: object, case: Case, *, against: str, measure: str) -> DistributionPair | None:
    """Training rows and holdout, as the facts count them; None for ks of names, which have no order.

    Raises:
        UnjudgeableError: nothing is counted, or another number of holdout rows than the evidence has.
    """
    path = f"facts.{'champion.' if against == 'champion' else ''}features.{name[:80]}"
    distribution = parse_distribution(claim, path=path)
    if distribution.kind == "name" and measure == "ks":
        return None
    if distribution.holdout is None:
        raise UnjudgeableError("the holdout is not counted", expected="counts of its rows", where=f"{path}.holdout")
    if distribution.holdout.rows != case.evidence.n:
        raise UnjudgeableError(
            f"{distribution.holdout.rows:,} holdout rows are counted, the evidence has {case.evidence.n:,}",
            expected="every row once",
            where=f"{path}.holdout",
        )
    reference, compared = _counts(distribution.train, path), _counts(distribution.holdout, path)
    return DistributionPair(
        cells=pair_counts(reference, compared), against=against, rows=case.evidence.n, clusters=None
    )


def pair_scores(case: Case, *, against: str, measure: str) -> DistributionPair:
    """The challenger's scores on the holdout against its scores on the training rows, or against the champion's."""
    rows = case.rows
    if measure == "ks" and rows.challenger.ndim == 2:
        raise UnjudgeableError("classes have no order, which ks needs", expected="measure psi or js")
    if against == "training":
        training = parse_part(case.facts, "scores", Distribution)
        reference = _counts(training.train, "facts.scores")
        # `_counts` has missing values before the cells and other values after them
        pair = pair_counts_with_rows(reference, 1 + _cells(training, case), weight=rows.weight, cluster=rows.cluster)
    else:
        need_champion(case)
        theirs = rows.champion if rows.champion is not None else rows.challenger
        if theirs.ndim == 2:
            cells, first, second = theirs.shape[1], _top_class(theirs), _top_class(rows.challenger)
        else:
            edges = quantile_edges(theirs)
            cells, first, second = edges.size + 1, cell_of(theirs, edges), cell_of(rows.challenger, edges)
        pair = pair_codes(first, second, cells, weight=rows.weight, cluster=rows.cluster)
    return DistributionPair(cells=pair, against=against, rows=rows.n, clusters=case.clusters)


def _cells(training: Distribution, case: Case) -> Codes:
    """The cell of each row's score."""
    scores = case.rows.challenger
    if (training.kind == "name") != (scores.ndim == 2):
        raise UnjudgeableError(
            f"scores of task {case.evidence.task} are told as {training.kind}s",
            expected="classes as names, other scores as numbers",
            where="facts.scores.kind",
        )
    if scores.ndim == 1:
        return cell_of(scores, np.array(training.edges))
    place = {value: cell for cell, value in enumerate(training.values)}
    of_class = np.array([place.get(name, len(place)) for name in case.evidence.classes])
    return of_class[_top_class(scores)]


def _top_class(scores: Floats) -> Codes:
    classes: Codes = np.argmax(scores, axis=1)
    return classes


def _counts(counts: Counts, path: str) -> Floats:
    """Counts of rows: missing values first, then the cells, values without a cell last."""
    if not counts.rows:
        raise UnjudgeableError("no row is counted", expected="at least one", where=path)
    return np.array([counts.missing, *counts.cells, counts.other], dtype=np.float64)
