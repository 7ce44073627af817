"""Waivers: an approver lifts the block of one gate for one candidate, until a date. The gate's verdict stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lockgate.gates.records.decision import Binding, WaiverUse
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.records.state import State, Waiver

LIFTABLE_VERDICTS = (Verdict.FAIL, Verdict.INCONCLUSIVE)
"""Verdicts that a waiver lifts. An ERROR is not one of them: nobody knows what would be waived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivedOutcomes:
    """The outcomes of a judgement after waivers."""

    outcomes: tuple[Outcome, ...]  # those that a waiver lifts are marked as waived
    uses: tuple[WaiverUse, ...]  # what became of each waiver for the candidate
    until: datetime | None  # when the first waiver that was used runs out; None where none was


def apply_waivers(
    outcomes: tuple[Outcome, ...], state: State, binding: Binding, now: datetime | None
) -> WaivedOutcomes:
    """Apply the waivers in `state` that were granted for this candidate: its run, its model's bytes, its policy.

    Without `now` no waiver applies, as it is not known whether it has run out.
    """
    waivers = [waiver for waiver in state.waivers if (waiver.run, waiver.model) == (binding.run, binding.model)]
    by_name = {outcome.name: outcome for outcome in outcomes}
    longest = {
        waiver.gate: waiver
        for waiver in sorted(waivers, key=lambda waiver: (waiver.policy == binding.policy, waiver.until, waiver.seq))
    }
    uses = tuple(
        _use_waiver(waiver, by_name.get(waiver.gate), binding.policy, now, longest=longest[waiver.gate])
        for waiver in waivers
    )
    used = {use.gate for use in uses if use.status == "used"}
    return WaivedOutcomes(
        outcomes=tuple(
            outcome.model_copy(update={"waived": True}) if outcome.name in used else outcome for outcome in outcomes
        ),
        uses=uses,
        until=min((longest[gate].until for gate in used), default=None),
    )


def find_unused_waivers(state: State, runs: frozenset[str], now: datetime) -> Iterator[tuple[Waiver, str]]:
    """Waivers that have no effect, each with the reason: it ran out, or its run was not judged after it was granted."""
    for waiver in state.waivers:
        if now > waiver.until:
            yield waiver, f"ran out at {waiver.until.isoformat(timespec='minutes')}"
        elif waiver.run not in runs:
            yield waiver, f"was never used: no judgement of {waiver.run} was recorded since"


def _use_waiver(
    waiver: Waiver, outcome: Outcome | None, policy: str, now: datetime | None, *, longest: Waiver
) -> WaiverUse:
    by = f"waiver of {waiver.gate} by {waiver.approver} (entry {waiver.seq})"
    status: Literal["used", "unused", "expired", "unmatched"]
    if outcome is None:
        status, message = "unmatched", f"{by}: the policy has no gate of this name"
    elif waiver.policy != policy:
        status, message = "unmatched", f"{by} was granted under another policy"
    elif now is None:
        status, message = "unused", f"{by} is not applied: the time of the judgement is not known"
    elif now > waiver.until:
        status, message = "expired", f"{by} ran out at {waiver.until.isoformat(timespec='minutes')}"
    elif outcome.severity != "block" or outcome.verdict not in LIFTABLE_VERDICTS:
        status, message = "unused", f"{by} lifts nothing: the gate says {outcome.verdict}"
    elif waiver is not longest:
        status, message = "unused", f"{by} is not needed: entry {longest.seq} lifts the gate for longer"
    else:
        status, message = (
            "used",
            f"{by} lifts its {outcome.verdict} until {waiver.until.isoformat(timespec='minutes')}: {waiver.reason}",
        )
    return WaiverUse(gate=waiver.gate, entry=waiver.seq, key=waiver.key, status=status, message=message)
