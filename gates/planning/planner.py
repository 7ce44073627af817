"""plan(policy, …) -> Plan: what each gate needs to pass with a given power. Pure, as judging is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gates.case import Case
from gates.defects import defects
from gates.engine import case_of
from gates.errors import EvidenceError, LockgateError, UnjudgeableError
from gates.evidence import Evidence
from gates.kinds import AnyCheck
from gates.kinds.improvement import Improvement
from gates.kinds.slices import Slices
from gates.metrics import METRICS, metric, unknown
from gates.planning.absolutes import calibration, threshold
from gates.planning.ask import Ask, Gains, number
from gates.planning.comparisons import improvement, share_improvement, slices
from gates.planning.record import Need, Plan
from gates.policy import Policy
from gates.state import State
from gates.stats.sample_size import times_needed

PLANNED: dict[str, Callable[[Any, Case, Gains], Ask]] = {
    "improvement": improvement,
    "threshold": threshold,
    "slices": slices,
    "calibration": calibration,
}
"""Kinds that are planned, by what they ask of a sample."""

WITHOUT_SAMPLE = {
    "leakage": "it compares row ids: nothing is estimated",
    "data": "it counts rows, gaps and columns: nothing is estimated",
    "resource": "it reads what the run measured: nothing is estimated",
    "provenance": "it reads digests and facts: nothing is estimated",
    "parity": "it compares scores row by row: nothing is estimated",
}
NEEDS_PILOT = "it needs a pilot, a scored holdout with a champion: `lockgate plan RUN`"


def plan(
    policy: Policy,
    *,
    power: float,
    gain: Mapping[str, float] | float | None = None,
    evidence: Evidence | None = None,
    disagreement: float | None = None,
) -> Plan:
    """What each gate needs to PASS with probability `power`, and how small a gain the present holdout shows.

    Args:
        power: probability of PASS, in (0, 1).
        gain: the true gain to plan for, by metric, in its units, positive is better; a number is that of accuracy.
            Where none is given: twice a positive margin, 0 for a negative one.
        evidence: a pilot, any scored holdout with a champion, whose standard errors are used. Its variance is taken
            to shrink with 1/rows, or with 1/clusters where rows are clustered and clusters stay as large.
        disagreement: without a pilot, the share of rows that exactly one of two models gets right, in (0, 1]:
            plans comparisons of 0/1 metrics.

    Returns:
        The plan. Rows of a gate suppose that gate alone; `together_rows` are for all blocking ones, by the union
        bound over their probabilities of not passing.

    Raises:
        LockgateError: a power, gain or disagreement out of range, a gain of a metric that no gate compares, or both
            a pilot and a disagreement.
        EvidenceError: evidence that no gate could be judged on.
    """
    gains = _checked(policy, power, gain, evidence, disagreement)
    if evidence is not None and (broken := defects(evidence, clusters_required=policy.clusters == "required")):
        raise EvidenceError("; ".join(broken))
    one_row = Evidence.from_arrays(label=[0.0], challenger=[0.0])
    case = case_of(policy, evidence or one_row, State(), None, spent="")
    sample = Sample(rows=case.rows.n, clusters=case.clusters, present=evidence is not None)
    needs: list[Need] = []
    blocking: list[Ask] = []
    unplanned: list[str] = []
    for name, check in policy.checks.items():
        ask = _ask(check, case, gains, pilot=sample.present, disagreement=disagreement)
        needs.append(_need(name, check, ask, sample, power))
        if check.severity == "block" and check.kind not in WITHOUT_SAMPLE:
            if isinstance(ask, Ask) and ask.truth is not None:
                blocking.append(ask)
            else:
                unplanned.append(name)
    times = _together(blocking, power)
    return Plan(
        power=power,
        rows=sample.rows if sample.present else None,
        clusters=sample.clusters,
        needs=tuple(needs),
        chance=_all_pass(blocking, 1.0) if sample.present and blocking else None,
        chance_most=min(ask.chance_at(1.0) or 0.0 for ask in blocking) if sample.present and blocking else None,
        together_rows=sample.grown(times)[0],
        together_clusters=sample.grown(times)[1],
        unplanned=tuple(unplanned),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The present holdout; a single row where there is none."""

    rows: int
    clusters: int | None
    present: bool

    def grown(self, times: float) -> tuple[int | None, int | None]:
        """Rows and clusters of so many times the sample; None where that is no number."""
        if not math.isfinite(times):
            return None, None
        return _up(times * self.rows), None if self.clusters is None else _up(times * self.clusters)


def _up(count: float) -> int:
    return max(1, math.ceil(count * (1 - 1e-12)))


def _checked(
    policy: Policy, power: float, gain: Mapping[str, float] | float | None, evidence: Evidence | None,
    disagreement: float | None,
) -> Gains:  # fmt: skip
    if not 0 < power < 1:
        raise LockgateError(f"power is {number(power)}", expected="a probability above 0 and below 1")
    if disagreement is not None and not 0 < disagreement <= 1:
        raise LockgateError(f"the disagreement is {number(disagreement)}", expected="a share above 0, at most 1")
    if disagreement is not None and evidence is not None:
        raise LockgateError(
            "a pilot and an assumed disagreement are both given", expected="one of them: a pilot shows its own"
        )
    gains = {"accuracy": gain} if isinstance(gain, int | float) else dict(gain or {})
    compared = {check.metric for check in policy.checks.values() if isinstance(check, Improvement | Slices)}
    for name, value in gains.items():
        if name not in compared:
            known = ", ".join(sorted(compared)) or "none"
            raise LockgateError(f"no gate compares {name[:80]!r}", expected=f"one of the metrics compared: {known}")
        if not math.isfinite(value):
            raise LockgateError(f"the gain of {name} is {value}", expected="a finite number, positive is better")
    return gains


def _ask(check: AnyCheck, case: Case, gains: Gains, *, pilot: bool, disagreement: float | None) -> Ask | str:
    """What a gate asks of a sample, or why that is not planned."""
    if check.kind not in PLANNED:
        return WITHOUT_SAMPLE.get(check.kind, f"gates of kind {check.kind} are not planned")
    try:
        if pilot:
            return PLANNED[check.kind](check, case, gains)
        if not isinstance(check, Improvement) or not _is_share(check.metric):
            return NEEDS_PILOT
        if disagreement is None:
            return f"{NEEDS_PILOT}; or, as it is a share, a disagreement to assume"
        return share_improvement(check, case, gains, rows=1.0, disagreement=disagreement)
    except UnjudgeableError as err:
        return str(err)


def _is_share(name: str) -> bool:
    """Whether a metric of that name counts hits, of any task."""
    tasks = [task for task, known in METRICS.items() if not unknown(name, known.values())]
    return any(metric(name, task).hits is not None for task in tasks)


def _need(name: str, check: AnyCheck, ask: Ask | str, sample: Sample, power: float) -> Need:
    said: dict[str, Any] = {"name": name, "kind": check.kind, "severity": check.severity, "rule": check.rule}
    if isinstance(ask, str):
        return Need(**said, why=ask)
    times = ask.times(power)
    rows, clusters = sample.grown(times) if not ask.passes_unless or ask.least_times > 1 else (None, None)
    smallest = ask.smallest(power) if sample.present else None
    return Need(
        **said, level=ask.level, truth=ask.truth, supposed=ask.supposed, rows=rows, clusters=clusters,
        chance=ask.chance_at(1.0) if sample.present else None, detectable=smallest,
        shows="" if smallest is None else ask.shows(smallest), bound_rows=ask.bound_rows,
        why=_why(check, ask, times),
    )  # fmt: skip


def _why(check: AnyCheck, ask: Ask, times: float) -> str:
    if ask.passes_unless:
        return ask.passes_unless
    if ask.truth is None:
        return "a margin of 0 has no scale: say which true gain to plan for"
    if not math.isfinite(times):
        return f"no number of rows: what is supposed does not meet the rule ({check.rule})"
    return (
        "the present holdout has fewer clusters, or rows in a slice, than the policy asks for"
        if ask.least_times > 1
        else ""
    )


def _all_pass(asks: list[Ask], times: float) -> float:
    """A lower bound of the probability that all pass: 1 less the probabilities that one does not."""
    return max(0.0, 1 - sum(1 - (ask.chance_at(times) or 0.0) for ask in asks))


def _together(asks: list[Ask], power: float) -> float:
    """How many times the present sample makes all pass together with `power`."""
    if not asks:
        return math.inf
    least = max(ask.least_times for ask in asks)
    return max(least, times_needed(lambda times: _all_pass(asks, times), power))
