"""Several challengers at once: they share the error rate of one, and the best of those that pass is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lockgate.gates.metrics import metric
from lockgate.gates.records.outcome import Ruling

if TYPE_CHECKING:
    from lockgate.gates.evidence.task import Task
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.decision import Decision

_NEAREST_FIRST = (Ruling.PROMOTE, Ruling.INCONCLUSIVE, Ruling.HOLD, Ruling.ERROR)


def shared(policy: Policy, among: int) -> Policy:
    """The policy that each of `among` challengers is judged by, so that all of them together err as one would.

    Every bound, also one that a schedule made stricter already, errs at most at 1/among of its rate (Bonferroni). Of
    one challenger it is the policy itself. Raises ValueError below 1.
    """
    if among < 1:
        raise ValueError(f"among must be at least 1; got {among}")
    return policy if among == 1 else policy.model_copy(update={"confidence": 1.0 - policy.alpha / among})


def best(decisions: Mapping[str, Decision], task: Task) -> str | None:
    """Which challenger to propose: of those that PROMOTE the one whose gain is shown to be greatest.

    The gain is the bound of the policy's first blocking comparison (`improvement`); ties, and policies without a
    comparison, go by the order of `decisions`. Where none promotes, INCONCLUSIVE comes before HOLD before ERROR. None
    for no decision.
    """
    names = sorted(
        decisions,
        key=lambda name: (_NEAREST_FIRST.index(decisions[name].verdict), -_shown_gain(decisions[name], task)),
    )
    return names[0] if names else None


def _shown_gain(decision: Decision, task: Task) -> float:
    """In the metric's units, positive where the challenger is better; −inf where nothing was compared."""
    for one in decision.outcomes:
        if one.kind == "improvement" and one.severity == "block" and one.low is not None and one.high is not None:
            return one.low if metric(str(one.metric), task).higher_is_better else -one.high
    return -math.inf
