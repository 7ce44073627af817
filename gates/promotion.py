"""Judge against the head of the log and commit: one entry, one commit, and never over somebody else's."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gates.decision import Decision
from gates.engine import judge
from gates.errors import ConflictError, LogError, StaleError
from gates.evidence import Evidence
from gates.log import Entry, Log
from gates.outcome import Ruling
from gates.policy import Policy
from gates.state import Champion, State

ATTEMPTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A decision and the entry that records it; None where nothing was to be recorded."""

    decision: Decision
    entry: Entry | None
    before: bool  # whether the entry was in the log already


def commit(policy: Policy, evidence: Evidence, log: Log, *, actor: str, clock: Callable[[], datetime]) -> Committed:
    """Judge `evidence` against the head of `log` and append the decision.

    Nothing is appended for an ERROR, for the model that reigns already, for the run whose promotion made the champion,
    and for a look that the log has: for these two the recorded decision is returned. A writer that lost the race
    judges again against the new head, which costs milliseconds; where the champion has changed meanwhile that raises
    StaleError.

    Raises:
        StaleError: the challenger was scored beside a champion that no longer reigns.
        LogError: the log cannot be read or written, or stays contended.
    """
    begun = State(salt=secrets.token_hex(16))
    for _ in range(ATTEMPTS):
        head = log.head()
        try:
            decision = judge(policy, evidence, head.state if head else begun, now=clock())
        except StaleError:
            if head and (promotion := _promotion_of(evidence, head.state.champion, log)):
                return Committed(decision=promotion.decided(), entry=promotion, before=True)
            raise
        if decision.verdict is Ruling.ERROR or decision.already_champion:
            return Committed(decision=decision, entry=None, before=False)
        if head and (seq := head.state.look(decision.look.key)):
            recorded = log.entry(seq)
            return Committed(decision=recorded.decided(), entry=recorded, before=True)
        try:
            entry = log.append(
                decision, after=head, actor=actor, now=clock(), sealed=policy.disclose == "promotion_only"
            )
        except ConflictError:
            continue
        return Committed(decision=decision, entry=entry, before=False)
    raise LogError(f"{ATTEMPTS} other writers were faster in a row", hint="run the command again")


def _promotion_of(evidence: Evidence, champion: Champion | None, log: Log) -> Entry | None:
    """The entry that promoted exactly this evidence, where its model still reigns: judging it again is no news.

    That happens when a command died between its entry and the tag, or the store's answer to the entry was lost.
    """
    if champion is None:
        return None
    entry = log.entry(champion.seq)
    bound = entry.decided().binding
    scores = (evidence.scores_digest(evidence.challenger), evidence.scores_digest(evidence.champion))
    same = (bound.holdout, bound.scores, bound.champion_scores) == (evidence.holdout, *scores)
    told = evidence.facts.get("challenger")
    return entry if same and isinstance(told, dict) and told.get("sha256") == champion.sha256 == bound.model else None
