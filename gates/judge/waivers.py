"""Waivers: an approver lifts one gate's block for one candidate, for a time. The gate's verdict stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lockgate.gates.records.decision import Binding, WaiverUse
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.records.state import State, Waiver

LIFTED = (Verdict.FAIL, Verdict.INCONCLUSIVE)
"""What can be waived. What could not be judged cannot: nobody knows what is waived there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """The outcomes, with those that a waiver lifts marked; what became of each waiver; when the first used runs out."""

    outcomes: tuple[Outcome, ...]
    uses: tuple[WaiverUse, ...]
    until: datetime | None


def lift(outcomes: tuple[Outcome, ...], state: State, binding: Binding, now: datetime | None) -> Lifted:
    """Apply the waivers that `state` holds for the candidate of `binding`: for its run, its model's bytes, its policy.

    Without `now` none applies: whether it has run out is not known.
    """
    held = [one for one in state.waivers if (one.run, one.model) == (binding.run, binding.model)]
    by_name = {outcome.name: outcome for outcome in outcomes}
    longest = {
        one.gate: one for one in sorted(held, key=lambda one: (one.policy == binding.policy, one.until, one.seq))
    }
    uses = tuple(_use(one, by_name.get(one.gate), binding.policy, now, longest=longest[one.gate]) for one in held)
    used = {use.gate for use in uses if use.status == "used"}
    return Lifted(
        outcomes=tuple(one.model_copy(update={"waived": True}) if one.name in used else one for one in outcomes),
        uses=uses,
        until=min((longest[gate].until for gate in used), default=None),
    )


def unmatched(state: State, runs: frozenset[str], now: datetime) -> Iterator[tuple[Waiver, str]]:
    """Waivers that do nothing, each with why: run out, or for a run of which no judgement was recorded since."""
    for one in state.waivers:
        if now > one.until:
            yield one, f"ran out at {one.until.isoformat(timespec='minutes')}"
        elif one.run not in runs:
            yield one, f"was never used: no judgement of {one.run} was recorded since"


def _use(waiver: Waiver, outcome: Outcome | None, policy: str, now: datetime | None, *, longest: Waiver) -> WaiverUse:
    by = f"waiver of {waiver.gate} by {waiver.approver} (entry {waiver.seq})"
    status: Literal["used", "unused", "expired", "unmatched"]
    if outcome is None:
        status, said = "unmatched", f"{by}: the policy has no gate of this name"
    elif waiver.policy != policy:
        status, said = "unmatched", f"{by} was granted under another policy"
    elif now is None:
        status, said = "unused", f"{by} is not applied: the time of the judgement is not known"
    elif now > waiver.until:
        status, said = "expired", f"{by} ran out at {waiver.until.isoformat(timespec='minutes')}"
    elif outcome.severity != "block" or outcome.verdict not in LIFTED:
        status, said = "unused", f"{by} lifts nothing: the gate says {outcome.verdict}"
    elif waiver is not longest:
        status, said = "unused", f"{by} is not needed: entry {longest.seq} lifts the gate for longer"
    else:
        status, said = (
            "used",
            f"{by} lifts its {outcome.verdict} until {waiver.until.isoformat(timespec='minutes')}: {waiver.reason}",
        )
    return WaiverUse(gate=waiver.gate, entry=waiver.seq, key=waiver.key, status=status, message=said)
