"""What each kind asks of a sample: `PLANNED` has a function for each kind that asks one thing.

A kind that is not in it is not planned, and `Check.unplanned` says why where it needs no sample.
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
from lockgate.gates.metrics import METRICS, find_metric, explain_unknown
from lockgate.gates.planning.absolutes import calibration, disagreement, share_disagreement, threshold
from lockgate.gates.planning.ask import Ask, Gains
from lockgate.gates.planning.comparisons import improvement, share_improvement, slices
from lockgate.gates.planning.conditions import condition
from lockgate.gates.planning.groups import fairness
from lockgate.gates.planning.several import Asked, any_of

PLANNED: dict[type[Check], Callable[[Any, Case, Gains], Ask]] = {
    Improvement: improvement,
    Threshold: threshold,
    Slices: slices,
    Fairness: fairness,
    Disagreement: disagreement,
    Calibration: calibration,
}
"""Kinds that ask one thing; `condition` and `any_of` ask several."""

NEEDS_PILOT = "it needs a pilot, a scored holdout with a champion: `lockgate plan RUN`"


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
        return any_of(check, case, of)
    if isinstance(check, Condition):
        return condition(check, case, of, disagreement=given.disagreement, pilot=given.pilot)
    planned = PLANNED.get(type(check))
    if planned is None:
        return check.unplanned or f"gates of kind {check.kind} are not planned"
    try:
        return planned(check, case, given.gains) if given.pilot else _assumed(check, case, given)
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


def _is_share(name: str) -> bool:
    """Whether a metric of that name counts hits, of any task."""
    tasks = [task for task, known in METRICS.items() if not explain_unknown(name, known.values())]
    return any(find_metric(name, task).hits is not None for task in tasks)
