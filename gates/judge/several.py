"""Several challengers judged together: they share the error rate of one, and the best that passes is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lockgate.gates.metrics import find_metric
from lockgate.gates.records.outcome import Ruling

if TYPE_CHECKING:
    from lockgate.gates.evidence.task import Task
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.decision import Decision

_NEAREST_FIRST = (Ruling.PROMOTE, Ruling.INCONCLUSIVE, Ruling.HOLD, Ruling.ERROR)


def share_error_rate(policy: Policy, among: int) -> Policy:
    """The policy for judging each of `among` challengers, so that all of them together err no more often than one.

    Every bound, including those that a schedule already made stricter, errs at most at 1/among of its rate
    (Bonferroni). For one challenger it is the policy itself. Raises ValueError below 1.
    """
    if among < 1:
        raise ValueError(f"among must be at least 1; got {among}")
    return policy if among == 1 else policy.model_copy(update={"confidence": 1.0 - policy.alpha / among})


def choose_best(decisions: Mapping[str, Decision], task: Task) -> str | None:
    """The name of the challenger to propose: of those that PROMOTE, the one whose gain is shown to be greatest.

    The gain is the bound of the policy's first blocking comparison (`improvement`). Ties, and policies without a
    comparison, are resolved by the order of `decisions`. If none promotes, INCONCLUSIVE comes before HOLD before ERROR.
    None if there are no decisions.
    """
    names = sorted(
        decisions,
        key=lambda name: (_NEAREST_FIRST.index(decisions[name].verdict), -_shown_gain(decisions[name], task)),
    )
    return names[0] if names else None


def _shown_gain(decision: Decision, task: Task) -> float:
    """The gain in the metric's units, positive where the challenger is better; −inf where nothing was compared."""
    for outcome in decision.outcomes:
        if (
            outcome.kind == "improvement"
            and outcome.severity == "block"
            and outcome.low is not None
            and outcome.high is not None
        ):
            return outcome.low if find_metric(str(outcome.metric), task).higher_is_better else -outcome.high
    return -math.inf
