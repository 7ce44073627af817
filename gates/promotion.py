"""Judge against the head of the log and commit: one entry, one commit, and never over somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gates.decision import Decision
from gates.engine import judge
from gates.errors import ConflictError, LogError
from gates.evidence import Evidence
from gates.log import Entry, Log
from gates.outcome import Ruling
from gates.policy import Policy

ATTEMPTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A decision and the entry that records it; None where nothing was to be recorded."""

    decision: Decision
    entry: Entry | None


def commit(policy: Policy, evidence: Evidence, log: Log, *, actor: str, clock: Callable[[], datetime]) -> Committed:
    """Judge `evidence` against the head of `log` and append the decision.

    Nothing is appended for an ERROR, for the model that reigns already, and for a look that the log has: then the
    recorded decision is returned. A writer that lost the race judges again against the new head, which costs
    milliseconds; where the champion has changed meanwhile that raises StaleError.

    Raises:
        StaleError: the challenger was scored beside a champion that no longer reigns.
        LogError: the log cannot be read or written, or stays contended.
    """
    for _ in range(ATTEMPTS):
        head = log.head()
        decision = judge(policy, evidence, head.state if head else None, now=clock())
        if decision.verdict is Ruling.ERROR or decision.already_champion:
            return Committed(decision=decision, entry=None)
        if decision.look.repeated and head:
            recorded = log.entry(head.state.holdouts[decision.binding.holdout].looks[decision.look.key])
            return Committed(decision=recorded.decided(), entry=recorded)
        try:
            entry = log.append(
                decision, after=head, actor=actor, now=clock(), sealed=policy.disclose == "promotion_only"
            )
        except ConflictError:
            continue
        return Committed(decision=decision, entry=entry)
    raise LogError(f"{ATTEMPTS} other writers were faster in a row", hint="run the command again")
