"""plan(policy, …) -> Plan: what each gate needs to pass with a given power. Pure, as judging is."""

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
from lockgate.gates.planning.ask import Ask, Gains, number
from lockgate.gates.planning.kinds import Given, ask
from lockgate.gates.planning.record import Need, Plan
from lockgate.gates.planning.several import Asked, Several, all_pass, times_together
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.state import State

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
    if not any(check.is_scheduled for check in policy.checks.values()):
        return Looks(left=None, said="no gate asks for a gain: none takes a look at this holdout")
    met = [state.holdouts[one.digest] for one in recognise(evidence, state, seq=state.seq + 1).matches]
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


def plan(
    policy: Policy,
    *,
    power: float,
    gain: Mapping[str, float] | float | None = None,
    evidence: Evidence | None = None,
    disagreement: float | None = None,
    state: State | None = None,
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
        state: what the head of the promotion log carries: it says how many looks are left at the pilot's rows.

    Returns:
        The plan. Rows of a gate suppose that gate alone; `together_rows` are for all blocking ones, by the union
        bound over their probabilities of not passing.

    Raises:
        LockgateError: a power, gain or disagreement out of range, a gain of a metric that no gate compares, or both
            a pilot and a disagreement.
        EvidenceError: evidence that no gate could be judged on.
    """
    gains = _checked(policy, power, gain, evidence, disagreement)
    if evidence is not None and (broken := find_defects(evidence, clusters_required=policy.clusters == "required")):
        raise EvidenceError("; ".join(broken))
    one_row = Evidence.from_arrays(label=[0.0], challenger=[0.0])
    case = build_case(policy, evidence or one_row, State(), None, spent="")
    given = Given(gains=gains, pilot=evidence is not None, disagreement=disagreement)
    looks = looks_left(policy, evidence, state) if evidence is not None and state is not None else None
    sample = Sample(rows=case.rows.n, clusters=case.clusters, present=evidence is not None)
    needs: list[Need] = []
    blocking: list[Ask | Several] = []
    unplanned: list[str] = []
    for name, check in policy.checks.items():
        asked = ask(check, case, given)
        said = {"name": name, "kind": check.kind, "severity": check.severity, "rule": check.rule}
        needs.append(_need(said, asked, sample, power))
        if check.severity == "block" and not check.unplanned:
            if not isinstance(asked, str) and asked.supposes:
                blocking.append(asked)
            else:
                unplanned.append(name)
    times = times_together(blocking, power)
    return Plan(
        power=power,
        rows=sample.rows if sample.present else None,
        clusters=sample.clusters,
        needs=tuple(needs),
        chance=all_pass(blocking, 1.0) if sample.present and blocking else None,
        chance_most=min(ask.chance_at(1.0) or 0.0 for ask in blocking) if sample.present and blocking else None,
        together_rows=sample.grown(times)[0],
        together_clusters=sample.grown(times)[1],
        unplanned=tuple(unplanned),
        looks_left=looks.left if looks else None,
        looks=looks.said if looks else "",
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
    policy: Policy,
    power: float,
    gain: Mapping[str, float] | float | None,
    evidence: Evidence | None,
    disagreement: float | None,
) -> Gains:
    if not 0 < power < 1:
        raise LockgateError(f"power is {number(power)}", expected="a probability above 0 and below 1")
    if disagreement is not None and not 0 < disagreement <= 1:
        raise LockgateError(f"the disagreement is {number(disagreement)}", expected="a share above 0, at most 1")
    if disagreement is not None and evidence is not None:
        raise LockgateError(
            "a pilot and an assumed disagreement are both given", expected="one of them: a pilot shows its own"
        )
    gains = {"accuracy": gain} if isinstance(gain, int | float) else dict(gain or {})
    metrics = {name for check in policy.checks.values() for name in check.compared_metrics}
    for name, value in gains.items():
        if name not in metrics:
            known = ", ".join(sorted(metrics)) or "none"
            raise LockgateError(f"no gate compares {name[:80]!r}", expected=f"one of the metrics compared: {known}")
        if not math.isfinite(value):
            raise LockgateError(f"the gain of {name} is {value}", expected="a finite number, positive is better")
    return gains


def _need(said: Mapping[str, Any], asked: Asked, sample: Sample, power: float) -> Need:
    """What is told of a gate, or of a part of one: `said` is its name, kind, severity and rule."""
    if isinstance(asked, str):
        return Need(**said, why=asked)
    times = asked.times(power)
    rows, clusters = sample.grown(times) if not asked.passes_unless or asked.least_times > 1 else (None, None)
    found = Need(
        **said,
        rows=rows,
        clusters=clusters,
        chance=asked.chance_at(1.0) if sample.present else None,
        why=_why(asked, times, said["rule"]),
    )
    if isinstance(asked, Several):
        parts = tuple(
            _need({**said, "name": name, "kind": part.kind, "rule": part.rule}, part.asked, sample, power)
            for name, part in asked.parts.items()
        )
        return replace(found, parts=parts, cheapest=asked.cheapest(power) if asked.one else "")
    smallest = asked.smallest(power) if sample.present else None
    return replace(
        found,
        level=asked.level,
        truth=asked.truth,
        supposed=asked.supposed,
        detectable=smallest,
        shows="" if smallest is None else asked.shows(smallest),
        bound_rows=asked.bound_rows,
        narrow_rows=None if asked.narrow_times is None else sample.grown(asked.narrow_times)[0],
    )


def _why(asked: Ask | Several, times: float, rule: str) -> str:
    if asked.passes_unless:
        return asked.passes_unless
    if isinstance(asked, Several):
        if not asked.supposes:
            return "no check of it is planned" if asked.one else "a clause of it is not planned"
        left_out = ", ".join(name for name in asked.parts if name not in asked.known)
        return f"it passes as often as its best check at least; not planned: {left_out}" if left_out else ""
    if asked.truth is None:
        return "a margin of 0 has no scale: say which true gain to plan for"
    if not math.isfinite(times):
        return f"no number of rows: what is supposed does not meet the rule ({rule})"
    return (
        "the present holdout has fewer clusters, or rows in a slice, than the policy asks for"
        if asked.least_times > 1
        else ""
    )
