"""Both models' metrics, side by side, for a reader. What decides are the gates' own intervals, not these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.judge.engine import case_of
from lockgate.gates.records.state import State

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One metric of both models on all rows. None where there is no champion, or the metric is undefined."""

    metric: str
    champion: float | None
    challenger: float | None
    better: bool | None  # whether the challenger's value is; None where they are equal, or one is missing


def compared(policy: Policy, evidence: Evidence) -> tuple[Compared, ...]:
    """Every metric that a gate of the policy names, once each, in the gates' order."""
    case = case_of(policy, evidence, State(), None, spent="")
    named = (getattr(check, "metric", None) for check in policy.checks.values())
    found = []
    for name in dict.fromkeys(one for one in named if isinstance(one, str)):
        try:
            challenger: float | None = case.estimate(name).value
            difference = None if evidence.champion is None else case.difference(name).value
        except UnjudgeableError:
            challenger = difference = None
        gain = None if difference is None else case.metric(name).gain(difference)
        found.append(
            Compared(
                metric=name,
                challenger=challenger,
                better=None if not gain else gain > 0,
                champion=None if challenger is None or difference is None else challenger - difference,
            )
        )
    return tuple(found)
