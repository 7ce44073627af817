"""What each kind requires of a sample.

A kind that is not planned needs nothing here: `Check.unplanned` says why, or that there is no function for it yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.calibration import Calibration
from lockgate.gates.kinds.condition import Condition
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.fairness import Fairness
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.slices import Slices
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics import METRICS, explain_unknown, find_metric
from lockgate.gates.planning.absolutes import (
    plan_calibration,
    plan_disagreement,
    plan_disagreement_share,
    plan_threshold,
)
from lockgate.gates.planning.combined import Planned, plan_any_of
from lockgate.gates.planning.comparisons import plan_improvement, plan_improvement_share, plan_slices
from lockgate.gates.planning.conditions import plan_condition
from lockgate.gates.planning.groups import plan_fairness
from lockgate.gates.planning.requirement import Gains, Requirement

PLAN_FUNCTIONS: dict[type[Check], Callable[[Any, Case, Gains], Requirement]] = {
    Improvement: plan_improvement,
    Threshold: plan_threshold,
    Slices: plan_slices,
    Fairness: plan_fairness,
    Disagreement: plan_disagreement,
    Calibration: plan_calibration,
}
"""Kinds of which a gate is one requirement; `condition` and `any_of` are several."""

NEEDS_PILOT = "it needs a pilot, a scored holdout with a champion: `lockgate plan RUN`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a plan assumes."""

    gains: Gains
    pilot: bool  # whether the case has the rows of a pilot
    disagreement: float | None  # without a pilot: the share of rows that change, where one is given


def plan_gate(check: Check, case: Case, assumptions: Assumptions) -> Planned:
    """What a gate requires of a sample; in words, why nothing is planned for it."""

    def plan_part(part: Check, case: Case) -> Planned:
        return plan_gate(part, case, assumptions)

    if isinstance(check, AnyOf):
        return plan_any_of(check, case, plan_part)
    if isinstance(check, Condition):
        return plan_condition(check, case, plan_part, disagreement=assumptions.disagreement, pilot=assumptions.pilot)
    plan = PLAN_FUNCTIONS.get(type(check))
    if plan is None:
        return check.unplanned or f"gates of kind {check.kind} are not planned"
    try:
        if assumptions.pilot:
            return plan(check, case, assumptions.gains)
        return _plan_without_pilot(check, case, assumptions)
    except UnjudgeableError as err:
        return str(err)


def _plan_without_pilot(check: Check, case: Case, assumptions: Assumptions) -> Planned:
    """Without a pilot only comparisons of shares, and the share of rows that change, can be planned."""
    share = assumptions.disagreement
    if isinstance(check, Improvement) and _is_share(check.metric):
        if share is not None:
            return plan_improvement_share(check, case, assumptions.gains, rows=1.0, disagreement=share)
    elif isinstance(check, Disagreement) and check.beyond is None:
        if share is not None:
            return plan_disagreement_share(check, case, rows=1.0, share=share, source="as is assumed")
    else:
        return NEEDS_PILOT
    return f"{NEEDS_PILOT}; or, as it is a share, a disagreement to assume"


def _is_share(name: str) -> bool:
    """Whether the metric counts hits, in any task that has it."""
    tasks = [task for task, metrics in METRICS.items() if not explain_unknown(name, metrics.values())]
    return any(find_metric(name, task).hits is not None for task in tasks)
