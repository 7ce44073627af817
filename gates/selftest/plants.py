"""What is planted in one of two equal models, in which sizes, and how that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.gates.gate.grouped import Grouped
from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest.harm import constant, shifted, shuffled

GAINS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
REGRESSIONS = (0.05, 0.2, 0.5)
BEHIND = 0.5
"""The share of rows that a champion's scores are shuffled on where a regression hides behind a gain."""

SHIFTS = (0.25, 0.5, 1.0)
IN_SLICE = (0.2, 0.5, 1.0)
LEAKS = (0.0, 0.01, 0.1)
LEAST_ROWS = 50
"""A slice of fewer rows is not harmed, unless a gate looks at smaller ones."""

Plant = Callable[[Evidence, Generator], Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One thing to plant: `plant(evidence, lots)` returns evidence with it. Larger sizes come later."""

    kind: str
    said: str
    size: float
    plant: Plant


def gains() -> list[Planted]:
    """The champion is worse: its scores are shuffled on more and more rows."""
    return [
        Planted(kind="gain", said=f"champion shuffled on {share:.0%} of rows", size=share, plant=_champion(share))
        for share in GAINS
    ]


def regressions() -> list[Planted]:
    """The challenger is worse, and nothing about it is better."""
    kinds = [
        Planted(kind="shuffled", said=f"scores shuffled on {share:.0%} of rows", size=share, plant=_challenger(share))
        for share in REGRESSIONS
    ]
    return [*kinds, Planted(kind="constant", said="one score for every row", size=1.0, plant=_constant)]


def hidden(policy: Policy, evidence: Evidence) -> list[Planted]:
    """The challenger is better, as the champion is shuffled on half of the rows; but something about it is wrong."""
    found = []
    if evidence.task != "ranking":  # which no shift changes
        unit = "sd of the label" if evidence.task == "regression" else "logit"
        found += [
            Planted(kind="shifted", said=f"all scores off by {by:g} {unit}", size=by, plant=_shifted(by))
            for by in SHIFTS
        ]
    for column, value in sliced(policy, evidence):
        found += [
            Planted(
                kind=f"slice {column}",
                size=share,
                plant=_in_slice(column, value, share),
                said=f"scores shuffled on {share:.0%} of {column} {value}",
            )
            for share in IN_SLICE
        ]
    if evidence.train_row_hashes is not None:
        found += [
            Planted(
                kind="leaked",
                size=share,
                plant=_leaked(share),
                said=f"{f'{share:.0%} of' if share else 'one of the'} rows trained on",
            )
            for share in LEAKS
        ]
    return found


def sliced(policy: Policy, evidence: Evidence) -> list[tuple[str, str]]:
    """Slice columns, each with the value of median size among those that are large enough to be judged.

    The columns that gates look at; of a policy that looks at none, the first one of the evidence.
    """
    looked = [
        (name, check.min_rows)
        for check in policy.checks.values()
        if isinstance(check, Grouped)
        for name in check.columns
    ]
    least: dict[str, int] = {}
    for name, rows in looked or [(name, LEAST_ROWS) for name in sorted(evidence.slices)[:1]]:
        least[name] = min(rows, least.get(name, rows))
    found = []
    for name, rows in least.items():
        if name not in evidence.slices:
            continue
        held = evidence.slices[name]
        counts = np.bincount(held.codes, minlength=len(held.values))
        fit = [at for at in np.argsort(counts, kind="stable") if counts[at] >= max(rows, 2)]
        if len(fit) > 1:
            found.append((name, held.values[fit[len(fit) // 2]]))
    return found


def _champion(share: float) -> Plant:
    return lambda evidence, lots: replace(evidence, champion=shuffled(_theirs(evidence), lots, share=share))


def _challenger(share: float) -> Plant:
    return lambda evidence, lots: replace(evidence, challenger=shuffled(evidence.challenger, lots, share=share))


def _constant(evidence: Evidence, lots: Generator) -> Evidence:  # noqa: ARG001 (a Plant)
    return replace(evidence, challenger=constant(evidence))


def _shifted(by: float) -> Plant:
    behind = _champion(BEHIND)
    return lambda evidence, lots: replace(behind(evidence, lots), challenger=shifted(evidence, by=by))


def _in_slice(column: str, value: str, share: float) -> Plant:
    def plant(evidence: Evidence, lots: Generator) -> Evidence:
        held = evidence.slices[column]
        inside = held.codes == held.values.index(value)
        return replace(
            evidence,
            challenger=shuffled(evidence.challenger, lots, share=share, among=np.flatnonzero(inside)),
            champion=shuffled(_theirs(evidence), lots, share=BEHIND, among=np.flatnonzero(~inside)),
        )

    return plant


def _leaked(share: float) -> Plant:
    behind = _champion(BEHIND)

    def plant(evidence: Evidence, lots: Generator) -> Evidence:
        rows = hash_row_ids(evidence.row_id)
        met = lots.permutation(rows)[: max(1, round(share * rows.size))]
        trained = () if evidence.train_row_hashes is None else evidence.train_row_hashes
        return replace(behind(evidence, lots), train_row_hashes=np.unique(np.concatenate([trained, met])))

    return plant


def _theirs(evidence: Evidence) -> np.ndarray:
    if evidence.champion is None:
        raise ValueError("a plant needs a champion")
    return evidence.champion
