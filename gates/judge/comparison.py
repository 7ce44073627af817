"""The metrics of both models side by side, for a reader. The gates decide by their own intervals, not by these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.judge.engine import build_case
from lockgate.gates.records.state import State

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.policy.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric of both models on all rows; None where there is no champion or the metric is undefined."""

    metric: str
    champion: float | None
    challenger: float | None
    better: bool | None  # whether the challenger's value is; None where they are equal, or one is missing


def compare_metrics(policy: Policy, evidence: Evidence) -> tuple[MetricComparison, ...]:
    """Every metric that a gate of the policy names, once each, in the order of the gates."""
    case = build_case(policy, evidence, State(), None, spent="")
    declared = (getattr(check, "metric", None) for check in policy.checks.values())
    comparisons = []
    for name in dict.fromkeys(metric for metric in declared if isinstance(metric, str)):
        try:
            challenger: float | None = case.estimate(name).value
            difference = None if evidence.champion is None else case.difference(name).value
        except UnjudgeableError:
            challenger = difference = None
        gain = None if difference is None else case.metric(name).gain(difference)
        comparisons.append(
            MetricComparison(
                metric=name,
                challenger=challenger,
                better=None if not gain else gain > 0,
                champion=None if challenger is None or difference is None else challenger - difference,
            )
        )
    return tuple(comparisons)
