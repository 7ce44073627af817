"""What a policy will find too few of in a holdout, whatever models score: known before any is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.gate.case import Case
from lockgate.gates.judge.engine import build_case
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.data import MEASURE_OF_KEY, Data
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics import Metric
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.outcome import Information
from lockgate.gates.records.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why gates will not pass, in their words, and which part of what is asked is there, in [0, 1)."""

    reason: str
    share: float


def find_shortfalls(policy: Policy, evidence: Evidence, *, compared: bool) -> tuple[Shortfall, ...]:
    """What blocking gates will find too few of on these rows: each reason once.

    Asked are the gates over all rows: `min_rows` and `min_clusters` of the kind `data`, thresholds that a bound decides
    and, if `compared`, comparisons. Of metrics whose rows depend on the scores, such as a precision, only the clusters
    are counted. No score of the evidence is read. What is an ERROR whatever the rows is left to the judge.
    """
    case = build_case(policy, evidence, State(), None, spent="")
    blocking = [check for check in policy.checks.values() if check.severity == "block"]
    shortfalls = [shortfall for check in blocking for shortfall in _measure_check(check, case, compared=compared)]
    return tuple({shortfall.reason: shortfall for shortfall in shortfalls}.values())


def _measure_check(check: AnyCheck, case: Case, *, compared: bool) -> Iterator[Shortfall]:
    try:
        if isinstance(check, Data):
            yield from _measure_data(check, case)
        elif (isinstance(check, Improvement) and compared) or (
            isinstance(check, Threshold) and check.decide == "bound"
        ):
            yield from _measure_metric(case.metric(check.metric), case)
    except UnjudgeableError:  # another task's metric, or no clusters
        return


def _measure_data(check: Data, case: Case) -> Iterator[Shortfall]:
    for key, minimum in (("min_rows", check.min_rows), ("min_clusters", check.min_clusters)):
        if minimum is not None and not (measurement := MEASURE_OF_KEY[key](case, minimum)).passed:
            yield Shortfall(reason=f"{measurement.message} ({key})", share=(measurement.observed or 0) / minimum)


def _measure_metric(metric: Metric, case: Case) -> Iterator[Shortfall]:
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
    if reason := case.explain_shortfall(information):
        yield Shortfall(reason=reason, share=min(shares))
