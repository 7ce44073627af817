"""What is planted in one of two equal models, and in which sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.gates.evidence.task import QUERY_TASKS
from lockgate.gates.gate.grouped import Grouped
from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest.harm import constant_scores, lower_scores, shift_scores

GAIN_SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
REGRESSION_SHARES = (0.05, 0.2, 0.5)
COVERING_GAIN_SHARE = 0.5
"""Share of rows on which the champion is made worse, so that a hidden regression comes with a gain."""

SHIFTS = (0.25, 0.5, 1.0)
SLICE_SHARES = (0.2, 0.5, 1.0)
LEAK_SHARES = (0.0, 0.01, 0.1)
MIN_SLICE_ROWS = 50
"""Slices with fewer rows are left alone, unless a gate judges smaller ones."""

Plant = Callable[[Evidence, Generator], Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting:
    """One change to plant: `plant(evidence, rng)` returns evidence with it. Of one kind, smaller sizes come first."""

    kind: str
    description: str
    size: float
    plant: Plant


def plant_gains(evidence: Evidence) -> list[Planting]:
    """Gains of the challenger: the champion's scores are shuffled, on more and more rows; lowered for task score."""
    return [
        Planting(
            kind="gain",
            description=f"champion {_name_harm(evidence)} on {share:.0%} of rows",
            size=share,
            plant=_lower_champion(share),
        )
        for share in GAIN_SHARES
    ]


def plant_regressions(evidence: Evidence) -> list[Planting]:
    """Plain regressions: the challenger is worse, and better in nothing."""
    kinds = [
        Planting(
            kind="shuffled",
            description=f"scores {_name_harm(evidence)} on {share:.0%} of rows",
            size=share,
            plant=_lower_challenger(share),
        )
        for share in REGRESSION_SHARES
    ]
    return [*kinds, Planting(kind="constant", description="one score for every row", size=1.0, plant=_plant_constant)]


def plant_hidden_regressions(policy: Policy, evidence: Evidence) -> list[Planting]:
    """Regressions behind a gain: the champion is made worse on half of the rows, and the challenger has a flaw."""
    plantings = []
    if evidence.task not in QUERY_TASKS:  # a shift of all scores changes no ranking, and is a plain loss of mean score
        unit = "sd of the label" if evidence.task == "regression" else "logit"
        plantings += [
            Planting(kind="shifted", description=f"all scores off by {by:g} {unit}", size=by, plant=_plant_shift(by))
            for by in SHIFTS
        ]
    for column, value in choose_slices(policy, evidence):
        plantings += [
            Planting(
                kind=f"slice {column}",
                size=share,
                plant=_lower_slice(column, value, share),
                description=f"scores {_name_harm(evidence)} on {share:.0%} of {column} {value}",
            )
            for share in SLICE_SHARES
        ]
    if evidence.train_row_hashes is not None:
        plantings += [
            Planting(
                kind="leaked",
                size=share,
                plant=_plant_leak(share),
                description=f"{f'{share:.0%} of' if share else 'one of the'} rows trained on",
            )
            for share in LEAK_SHARES
        ]
    return plantings


def choose_slices(policy: Policy, evidence: Evidence) -> list[tuple[str, str]]:
    """Slice columns, each with the value to harm: the one of median size among those with enough rows to be judged.

    The columns are those that gates use; if none does, the first column of the evidence.
    """
    looked = [
        (name, check.min_rows)
        for check in policy.checks.values()
        if isinstance(check, Grouped)
        for name in check.columns
    ]
    min_rows: dict[str, int] = {}
    for name, rows in looked or [(name, MIN_SLICE_ROWS) for name in sorted(evidence.slices)[:1]]:
        min_rows[name] = min(rows, min_rows.get(name, rows))
    slices = []
    for name, rows in min_rows.items():
        if name not in evidence.slices:
            continue
        coded = evidence.slices[name]
        counts = np.bincount(coded.codes, minlength=len(coded.values))
        fit = [code for code in np.argsort(counts, kind="stable") if counts[code] >= max(rows, 2)]
        if len(fit) > 1:
            slices.append((name, coded.values[fit[len(fit) // 2]]))
    return slices


def _name_harm(evidence: Evidence) -> str:
    return "at the lowest" if evidence.task == "score" else "shuffled"


def _lower_champion(share: float) -> Plant:
    return lambda evidence, rng: replace(
        evidence, champion=lower_scores(evidence, _champion_scores(evidence), rng, share=share)
    )


def _lower_challenger(share: float) -> Plant:
    return lambda evidence, rng: replace(
        evidence, challenger=lower_scores(evidence, evidence.challenger, rng, share=share)
    )


def _plant_constant(evidence: Evidence, rng: Generator) -> Evidence:  # noqa: ARG001 (a Plant)
    return replace(evidence, challenger=constant_scores(evidence))


def _plant_shift(by: float) -> Plant:
    behind = _lower_champion(COVERING_GAIN_SHARE)
    return lambda evidence, rng: replace(behind(evidence, rng), challenger=shift_scores(evidence, by=by))


def _lower_slice(column: str, value: str, share: float) -> Plant:
    def plant(evidence: Evidence, rng: Generator) -> Evidence:
        coded = evidence.slices[column]
        inside = coded.codes == coded.values.index(value)
        return replace(
            evidence,
            challenger=lower_scores(evidence, evidence.challenger, rng, share=share, among=np.flatnonzero(inside)),
            champion=lower_scores(
                evidence, _champion_scores(evidence), rng, share=COVERING_GAIN_SHARE, among=np.flatnonzero(~inside)
            ),
        )

    return plant


def _plant_leak(share: float) -> Plant:
    behind = _lower_champion(COVERING_GAIN_SHARE)

    def plant(evidence: Evidence, rng: Generator) -> Evidence:
        rows = hash_row_ids(evidence.row_id)
        leaked = rng.permutation(rows)[: max(1, round(share * rows.size))]
        trained = () if evidence.train_row_hashes is None else evidence.train_row_hashes
        return replace(behind(evidence, rng), train_row_hashes=np.unique(np.concatenate([trained, leaked])))

    return plant


def _champion_scores(evidence: Evidence) -> np.ndarray:
    if evidence.champion is None:
        raise ValueError("a plant needs a champion")
    return evidence.champion
