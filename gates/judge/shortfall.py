"""What a policy will find too few of in a holdout, whatever models score: known before any is trained."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.gate.case import Case
from lockgate.gates.judge.engine import build_case
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.outcome import Information
from lockgate.gates.records.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why gates will be INCONCLUSIVE, in their words, and which part of what is asked is there, in [0, 1)."""

    reason: str
    share: float


def find_shortfalls(policy: Policy, evidence: Evidence, *, compared: bool) -> tuple[Shortfall, ...]:
    """What blocking gates will find too few of on these rows: each reason once.

    Asked are the gates over all rows: thresholds that a bound decides and, if `compared`, comparisons. Of metrics whose
    rows depend on the scores, such as a precision, only the clusters are counted. No score of the evidence is read.
    Gates with a metric that the task does not have are left to the judge.
    """
    case = build_case(policy, evidence, State(), None, spent="")
    shortfalls = (_measure(check, case) for check in policy.checks.values() if _counts_rows(check, compared=compared))
    return tuple({shortfall.reason: shortfall for shortfall in shortfalls if shortfall.reason}.values())


def _counts_rows(check: AnyCheck, *, compared: bool) -> bool:
    if check.severity != "block":
        return False
    return (isinstance(check, Improvement) and compared) or (isinstance(check, Threshold) and check.decide == "bound")


def _measure(check: AnyCheck, case: Case) -> Shortfall:
    """What a gate will find too few of; without a reason if there is enough."""
    assert isinstance(check, Improvement | Threshold)  # for the type checker
    try:
        metric = case.metric(check.metric)
    except UnjudgeableError:
        return Shortfall(reason="", share=1.0)
    rows = case.split()
    countable = None if metric.carriers is None or metric.carriers.by_score else metric
    units = rows.units if countable is None else rows.carrying_units(countable)
    class_rows = None if countable is None else rows.class_rows(countable)
    information = Information(
        rows=case.rows.n,
        class_rows=None if class_rows is None else int(class_rows[0]),
        clusters=case.clusters,
        effective_clusters=None if case.rows.plain else float(units.effective[0]),
    )
    shares = [
        count / required
        for count, required in (
            (information.class_rows, case.min_class_rows),
            (information.effective_clusters, case.min_clusters),
        )
        if count is not None
    ]
    return Shortfall(reason=case.explain_shortfall(information), share=min(shares, default=1.0))
