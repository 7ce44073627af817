"""How many looks are left at the holdout at hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gates.evidence import Evidence
from gates.holdouts import recognise
from gates.policy import Policy
from gates.state import State

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """`left`: so many further comparisons that ask for a gain can pass here; None where looks are not counted."""

    left: int | None
    said: str


def looks_left(policy: Policy, evidence: Evidence, state: State) -> Looks:
    """What the log's state leaves of the schedule, on these rows: of the holdouts that they are, the one used most."""
    if policy.schedule.looks is None:
        return Looks(left=None, said="looks at this holdout are not counted")
    if not any(check.scheduled for check in policy.checks.values()):
        return Looks(left=None, said="no gate asks for a gain: none takes a look at this holdout")
    met = [state.holdouts[one.digest] for one in recognise(evidence, state, seq=state.seq + 1).met]
    if any(held.retired for held in met):
        return Looks(left=0, said="this holdout is retired: no gain can be shown on it; judge on fresh rows")
    if not met:
        return Looks(left=policy.schedule.looks, said=f"all {policy.schedule.looks} are left at this holdout")
    spent = max(held.spent for held in met)
    taken = max(len(held.looks) for held in met)
    left = max(0, math.floor((policy.alpha * (1 + _ROUNDING) - spent) / policy.scheduled_alpha))
    said = f"{taken} of {policy.schedule.looks} taken at this holdout, {left} left" + (
        "; judge on fresh rows" * (left == 0)
    )
    return Looks(left=left, said=said)
