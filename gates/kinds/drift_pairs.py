"""The two distributions that a drift is between, from what the run says and from the rows."""

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
class Apart:
    """Two distributions, what the first is of, and how many rows and clusters the second rests on."""

    pair: SharePair
    against: str
    rows: int
    clusters: int | None


def told_features(case: Case, *, against: str) -> Mapping[str, Any]:
    """Distributions of the features by name, unread: of the challenger's training rows, or of the champion's."""
    if against == "training":
        return check_features(case.facts.get("features"), path="facts.features")
    return check_features(parse_part(case.facts, "champion", ChampionFacts).features, path="facts.champion.features")


def of_feature(name: str, told: object, case: Case, *, against: str, measure: str) -> Apart | None:
    """Training rows and holdout, as the facts count them; None for ks of names, which have no order.

    Raises:
        UnjudgeableError: counts that are none, or another number of holdout rows than the evidence has.
    """
    path = f"facts.{'champion.' if against == 'champion' else ''}features.{name[:80]}"
    held = parse_distribution(told, path=path)
    if held.kind == "name" and measure == "ks":
        return None
    if held.holdout is None:
        raise UnjudgeableError("the holdout is not counted", expected="counts of its rows", where=f"{path}.holdout")
    if held.holdout.rows != case.evidence.n:
        raise UnjudgeableError(
            f"{held.holdout.rows:,} holdout rows are counted, the evidence has {case.evidence.n:,}",
            expected="every row once",
            where=f"{path}.holdout",
        )
    reference, compared = _counts(held.train, path), _counts(held.holdout, path)
    return Apart(pair=pair_counts(reference, compared), against=against, rows=case.evidence.n, clusters=None)


def of_scores(case: Case, *, against: str, measure: str) -> Apart:
    """The challenger's scores on the holdout against its scores on the training rows, or against the champion's."""
    rows = case.rows
    if measure == "ks" and rows.challenger.ndim == 2:
        raise UnjudgeableError("classes have no order, which ks needs", expected="measure psi or js")
    if against == "training":
        held = parse_part(case.facts, "scores", Distribution)
        reference = _counts(held.train, "facts.scores")
        # before the cells: those of no value; after them: those of another
        pair = pair_counts_with_rows(reference, 1 + _cells(held, case), weight=rows.weight, cluster=rows.cluster)
    else:
        need_champion(case)
        theirs = rows.champion if rows.champion is not None else rows.challenger
        if theirs.ndim == 2:
            cells, first, second = theirs.shape[1], _decided(theirs), _decided(rows.challenger)
        else:
            edges = quantile_edges(theirs)
            cells, first, second = edges.size + 1, cell_of(theirs, edges), cell_of(rows.challenger, edges)
        pair = pair_codes(first, second, cells, weight=rows.weight, cluster=rows.cluster)
    return Apart(pair=pair, against=against, rows=rows.n, clusters=case.clusters)


def _cells(held: Distribution, case: Case) -> Codes:
    """The cell of each row's score."""
    scores = case.rows.challenger
    if (held.kind == "name") != (scores.ndim == 2):
        raise UnjudgeableError(
            f"scores of task {case.evidence.task} are told as {held.kind}s",
            expected="classes as names, other scores as numbers",
            where="facts.scores.kind",
        )
    if scores.ndim == 1:
        return cell_of(scores, np.array(held.edges))
    place = {value: at for at, value in enumerate(held.values)}
    of_class = np.array([place.get(name, len(place)) for name in case.evidence.classes])
    return of_class[_decided(scores)]


def _decided(scores: Floats) -> Codes:
    classes: Codes = np.argmax(scores, axis=1)
    return classes


def _counts(counts: Counts, path: str) -> Floats:
    """Counts of rows, those that are missing first and those of another value last."""
    if not counts.rows:
        raise UnjudgeableError("no row is counted", expected="at least one", where=path)
    return np.array([counts.missing, *counts.cells, counts.other], dtype=np.float64)
