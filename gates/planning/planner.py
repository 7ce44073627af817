"""plan(policy, …) -> RowPlan: what each gate needs to pass with a given power. Pure, as judging is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lockgate.gates.errors import EvidenceError, LockgateError
from lockgate.gates.evidence.defects import find_defects
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.engine import build_case
from lockgate.gates.judge.holdouts import recognise
from lockgate.gates.planning.combined import CombinedRequirement, Planned, all_pass, times_together
from lockgate.gates.planning.kinds import Assumptions, plan_gate
from lockgate.gates.planning.record import Need, RowPlan
from lockgate.gates.planning.requirement import Gains, Requirement, format_short
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.state import State

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LooksLeft:
    """How many more comparisons that ask for a gain can pass on a holdout."""

    remaining: int | None  # None where looks are not counted
    text: str  # the same in words


def count_looks_left(policy: Policy, evidence: Evidence, state: State) -> LooksLeft:
    """The looks that the log's state leaves at these rows. Of several holdouts that match, the most used one counts."""
    if policy.schedule.looks is None:
        return LooksLeft(remaining=None, text="looks at this holdout are not counted")
    if not any(check.is_scheduled for check in policy.checks.values()):
        return LooksLeft(remaining=None, text="no gate asks for a gain: none takes a look at this holdout")
    holdouts = [state.holdouts[match.digest] for match in recognise(evidence, state, seq=state.seq + 1).matches]
    if any(holdout.retired for holdout in holdouts):
        return LooksLeft(remaining=0, text="this holdout is retired: no gain can be shown on it; judge on fresh rows")
    if not holdouts:
        return LooksLeft(remaining=policy.schedule.looks, text=f"all {policy.schedule.looks} are left at this holdout")
    spent = max(holdout.spent for holdout in holdouts)
    used = max(len(holdout.looks) for holdout in holdouts)
    remaining = max(0, math.floor((policy.alpha * (1 + _ROUNDING) - spent) / policy.scheduled_alpha))
    text = f"{used} of {policy.schedule.looks} taken at this holdout, {remaining} left" + (
        "; judge on fresh rows" * (remaining == 0)
    )
    return LooksLeft(remaining=remaining, text=text)


def plan(
    policy: Policy,
    *,
    power: float,
    gain: Mapping[str, float] | float | None = None,
    evidence: Evidence | None = None,
    disagreement: float | None = None,
    state: State | None = None,
) -> RowPlan:
    """What each gate needs to PASS with probability `power`, and how small a gain the present holdout shows.

    Args:
        power: probability of PASS, in (0, 1).
        gain: the true gain to plan for, by metric, in its units, positive is better; a single number is a gain in
            accuracy. The default is twice a positive margin, and 0 for a negative one.
        evidence: a pilot: any scored holdout with a champion. Its standard errors are used; its variance is assumed
            to shrink with 1/rows, or with 1/clusters where rows are clustered and clusters keep their size.
        disagreement: without a pilot, the share of rows that exactly one of two models gets right, in (0, 1]. With
            it, comparisons of 0/1 metrics can be planned.
        state: the state at the head of the promotion log, which says how many looks are left at the pilot's rows.

    Returns:
        The plan. The rows of a gate are for that gate alone; `together_rows` are for all blocking gates, by the
        union bound over their probabilities of not passing.

    Raises:
        LockgateError: power, gain or disagreement is out of range, no gate compares the metric of a gain, or both a
            pilot and a disagreement are given.
        EvidenceError: no gate could be judged on the evidence.
    """
    gains = _check_arguments(policy, power, gain, evidence, disagreement)
    if evidence is not None and (broken := find_defects(evidence, clusters_required=policy.clusters == "required")):
        raise EvidenceError("; ".join(broken))
    one_row = Evidence.from_arrays(label=[0.0], challenger=[0.0])
    case = build_case(policy, evidence or one_row, State(), None, spent="")
    assumptions = Assumptions(gains=gains, pilot=evidence is not None, disagreement=disagreement)
    looks = count_looks_left(policy, evidence, state) if evidence is not None and state is not None else None
    sample = Sample(rows=case.rows.n, clusters=case.clusters, present=evidence is not None)
    needs: list[Need] = []
    blocking: list[Requirement | CombinedRequirement] = []
    unplanned: list[str] = []
    for name, check in policy.checks.items():
        planned = plan_gate(check, case, assumptions)
        labels = {"name": name, "kind": check.kind, "severity": check.severity, "rule": check.rule}
        needs.append(_describe_need(labels, planned, sample, power))
        if check.severity == "block" and not check.unplanned:
            if not isinstance(planned, str) and planned.has_assumption:
                blocking.append(planned)
            else:
                unplanned.append(name)
    times = times_together(blocking, power)
    return RowPlan(
        power=power,
        rows=sample.rows if sample.present else None,
        clusters=sample.clusters,
        needs=tuple(needs),
        chance=all_pass(blocking, 1.0) if sample.present and blocking else None,
        chance_most=min(ask.chance_at(1.0) or 0.0 for ask in blocking) if sample.present and blocking else None,
        together_rows=sample.grown(times)[0],
        together_clusters=sample.grown(times)[1],
        unplanned=tuple(unplanned),
        looks_left=looks.remaining if looks else None,
        looks=looks.text if looks else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The present holdout; a single row without a pilot."""

    rows: int
    clusters: int | None
    present: bool

    def grown(self, times: float) -> tuple[int | None, int | None]:
        """Rows and clusters of `times` the sample; None where that is infinite."""
        if not math.isfinite(times):
            return None, None
        return _round_up(times * self.rows), None if self.clusters is None else _round_up(times * self.clusters)


def _round_range(times: tuple[float, float] | None, sample: Sample) -> tuple[int, int] | None:
    return None if times is None else (_round_up(times[0] * sample.rows), _round_up(times[1] * sample.rows))


def _round_up(count: float) -> int:
    return max(1, math.ceil(count * (1 - 1e-12)))


def _check_arguments(
    policy: Policy,
    power: float,
    gain: Mapping[str, float] | float | None,
    evidence: Evidence | None,
    disagreement: float | None,
) -> Gains:
    if not 0 < power < 1:
        raise LockgateError(f"power is {format_short(power)}", expected="a probability above 0 and below 1")
    if disagreement is not None and not 0 < disagreement <= 1:
        raise LockgateError(f"the disagreement is {format_short(disagreement)}", expected="a share above 0, at most 1")
    if disagreement is not None and evidence is not None:
        raise LockgateError(
            "a pilot and an assumed disagreement are both given", expected="one of them: a pilot shows its own"
        )
    gains = {"accuracy": gain} if isinstance(gain, int | float) else dict(gain or {})
    metrics = {name for check in policy.checks.values() for name in check.compared_metrics}
    for name, value in gains.items():
        if name not in metrics:
            names = ", ".join(sorted(metrics)) or "none"
            raise LockgateError(f"no gate compares {name[:80]!r}", expected=f"one of the metrics compared: {names}")
        if not math.isfinite(value):
            raise LockgateError(f"the gain of {name} is {value}", expected="a finite number, positive is better")
    return gains


def _describe_need(labels: Mapping[str, Any], planned: Planned, sample: Sample, power: float) -> Need:
    """The need of a gate, or of a part of one. `labels` are its name, kind, severity and rule."""
    if isinstance(planned, str):
        return Need(**labels, why=planned)
    times = planned.times(power)
    rows, clusters = sample.grown(times) if not planned.passes_unless or planned.min_times > 1 else (None, None)
    need = Need(
        **labels,
        rows=rows,
        clusters=clusters,
        chance=planned.chance_at(1.0) if sample.present else None,
        why=_why(planned, times, labels["rule"]),
    )
    if isinstance(planned, CombinedRequirement):
        parts = tuple(
            _describe_need({**labels, "name": name, "kind": part.kind, "rule": part.rule}, part.planned, sample, power)
            for name, part in planned.parts.items()
        )
        return replace(need, parts=parts, cheapest=planned.cheapest(power) if planned.any_suffices else "")
    smallest = planned.smallest(power) if sample.present else None
    return replace(
        need,
        level=planned.level,
        truth=planned.truth,
        supposed=planned.supposed,
        detectable=smallest,
        shows="" if smallest is None else planned.shows(smallest),
        rows_range=None if rows is None else _round_range(planned.times_range(power), sample),
        bound_rows=planned.bound_rows,
        narrow_rows=None if planned.narrow_times is None else sample.grown(planned.narrow_times)[0],
    )


def _why(requirement: Requirement | CombinedRequirement, times: float, rule: str) -> str:
    if requirement.passes_unless:
        return requirement.passes_unless
    if isinstance(requirement, CombinedRequirement):
        if not requirement.has_assumption:
            return "no check of it is planned" if requirement.any_suffices else "a clause of it is not planned"
        left_out = ", ".join(name for name in requirement.parts if name not in requirement.requirements)
        return f"it passes at least as often as its best check; not planned: {left_out}" if left_out else ""
    if requirement.truth is None:
        return "a margin of 0 has no scale: name the true gain to plan for"
    if not math.isfinite(times):
        return f"no number of rows is enough: what is assumed does not meet the rule ({rule})"
    return (
        "the present holdout has fewer clusters, or rows in a slice, than the policy asks for"
        if requirement.min_times > 1
        else ""
    )
