"""Which kinds are planned, by what they ask of a sample, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.condition import Condition
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.metrics import METRICS, metric, unknown
from lockgate.gates.planning.absolutes import calibration, disagreement, share_disagreement, threshold
from lockgate.gates.planning.ask import Ask, Gains
from lockgate.gates.planning.comparisons import improvement, share_improvement, slices
from lockgate.gates.planning.conditions import condition
from lockgate.gates.planning.groups import fairness
from lockgate.gates.planning.several import Asked, any_of

PLANNED: dict[str, Callable[[Any, Case, Gains], Ask]] = {
    "improvement": improvement,
    "threshold": threshold,
    "slices": slices,
    "fairness": fairness,
    "disagreement": disagreement,
    "calibration": calibration,
}
"""Kinds that ask one thing; `condition` and `any_of` ask several."""

WITHOUT_SAMPLE = {
    "leakage": "it compares row ids: nothing is estimated",
    "data": "it counts rows, gaps and columns: nothing is estimated",
    "resource": "it reads what the run measured: nothing is estimated",
    "provenance": "it reads digests and facts: nothing is estimated",
    "parity": "it compares scores row by row: nothing is estimated",
    "drift": "it asks how rows are distributed, not how good a model is: nothing is supposed of that",
}
NEEDS_PILOT = "it needs a pilot, a scored holdout with a champion: `lockgate plan RUN`"

_FACTS = frozenset(WITHOUT_SAMPLE) - {"drift"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a plan supposes: gains by metric, and a pilot or, without one, perhaps a share of rows that change."""

    gains: Gains
    pilot: bool
    disagreement: float | None


def ask(check: Check, case: Case, given: Given) -> Asked:
    """What a gate asks of a sample, or why that is not planned."""

    def of(part: Check, case: Case) -> Asked:
        return ask(part, case, given)

    if isinstance(check, AnyOf):
        return any_of(check, case, of, facts=_FACTS)
    if isinstance(check, Condition):
        return condition(check, case, of, disagreement=given.disagreement, pilot=given.pilot)
    if check.kind not in PLANNED:
        return WITHOUT_SAMPLE.get(check.kind, f"gates of kind {check.kind} are not planned")
    try:
        return PLANNED[check.kind](check, case, given.gains) if given.pilot else _assumed(check, case, given)
    except UnjudgeableError as err:
        return str(err)


def _assumed(check: Check, case: Case, given: Given) -> Asked:
    """Without a pilot: comparisons of shares, and how many rows change."""
    share = given.disagreement
    if isinstance(check, Improvement) and _is_share(check.metric):
        if share is not None:
            return share_improvement(check, case, given.gains, rows=1.0, disagreement=share)
    elif isinstance(check, Disagreement) and check.beyond is None:
        if share is not None:
            return share_disagreement(check, case, rows=1.0, share=share, seen="as is assumed")
    else:
        return NEEDS_PILOT
    return f"{NEEDS_PILOT}; or, as it is a share, a disagreement to assume"


def compared(checks: Iterable[AnyCheck]) -> set[str]:
    """Metrics of which some gate, or a part of one, compares both models."""
    found: set[str] = set()
    for check in checks:
        if isinstance(check, AnyOf):
            found |= compared(check.checks.values())
        elif isinstance(check, Condition):
            found |= {"accuracy"} if any(clause.n and clause.o for clause in check.clauses) else set()
        elif isinstance(check, Improvement | Slices):
            found.add(check.metric)
    return found


def _is_share(name: str) -> bool:
    """Whether a metric of that name counts hits, of any task."""
    tasks = [task for task, known in METRICS.items() if not unknown(name, known.values())]
    return any(metric(name, task).hits is not None for task in tasks)
