"""Judge against the head of the log and commit: one entry, one commit, and never over somebody else's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lockgate.gates.durations import MAX_CLOCK_SKEW
from lockgate.gates.errors import ConflictError, LogError, StaleError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.judge.engine import judge
from lockgate.gates.log import Log, LogEntry, policies, replay
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.gates.log.events import JudgedEvent
from lockgate.gates.log.log import unrecordable_error
from lockgate.gates.log.replay import Moment
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Ruling
from lockgate.gates.records.state import Champion, State

if TYPE_CHECKING:
    from lockgate.gates.log.events import Event

MAX_ATTEMPTS = 64
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """A decision and the entry that records it; None where nothing was to be recorded."""

    decision: Decision
    entry: LogEntry | None
    was_recorded: bool  # whether the entry was in the log already


def commit(policy: Policy, evidence: Evidence, log: Log, *, actor: str, clock: Clock) -> CommitResult:
    """Judge `evidence` against the head of `log` and append the decision.

    Nothing is appended for an ERROR, for the model that reigns already, for the run whose promotion made the champion,
    and for a look that the log has: for these two the recorded decision is returned, unless a waiver that was granted
    since lifts what it failed on. A writer that lost the race judges again against the new head, which costs
    milliseconds; where the champion has changed meanwhile that raises StaleError. A clock that is behind the head's
    time by no more than `MAX_CLOCK_SKEW` is taken to be right by the head.

    Raises:
        StaleError: the challenger was scored beside a champion that no longer reigns.
        SigningError: the log is signed, and there is no key to sign with.
        LogError: the log cannot be read or written, or stays contended; or it says that this was promoted and rolled
            back.
    """
    keep = cache(partial(policies.store_policy, log.store, policy))
    for head, state in _heads(log):
        now = _now(clock, head)
        try:
            decision = judge(policy, evidence, state, now=now)
            report_step(Step.JUDGED)
        except StaleError:
            if head and (promotion := _promotion_of(evidence, state.champion, log)):
                return CommitResult(decision=promotion.read_decision(), entry=promotion, was_recorded=True)
            raise
        if decision.verdict is Ruling.ERROR or decision.already_champion:
            return CommitResult(decision=decision, entry=None, was_recorded=False)
        if head and (seq := state.look(decision.look.key)):
            recorded = log.entry(seq)
            _check_reigns(recorded, state)
            if decision.verdict is not Ruling.PROMOTE or not any(use.status == "used" for use in decision.waivers):
                return CommitResult(decision=_told_again(recorded, decision), entry=recorded, was_recorded=True)
        told = decision.seal() if policy.disclose == "promotion_only" else decision
        event = JudgedEvent(
            decision=told.model_dump(mode="json", exclude={"state"}),
            decision_sha256=told.sha256,
            policy_sha256=policies.policy_sha256(policy),
            valid_for=policy.valid_for,
        )
        try:
            entry = log.append(event, decision.state, after=head, actor=actor, now=now, before_write=keep)
        except ConflictError:
            continue
        return CommitResult(decision=decision, entry=entry, was_recorded=False)
    raise AssertionError("unreachable")


def record_event(
    log: Log,
    event: Callable[[State, Moment], Event],
    *,
    actor: str,
    clock: Clock,
    before_write: Callable[[], object] | None = None,
) -> LogEntry:
    """Append what `event(state, moment)` says, and what that makes of the state; again where a writer was faster.

    `beside` as `Log.append` has it.

    Raises LogError as `commit` does and for what cannot be recorded, and what `event` raises.
    """
    for head, state in _heads(log):
        at = Moment(seq=state.seq + 1, time=_now(clock, head))
        try:
            happened = event(state, at)
        except ValidationError as err:
            raise unrecordable_error(err) from err
        try:
            after = replay.apply_event(state, happened, at)
            return log.append(happened, after, after=head, actor=actor, now=at.time, before_write=before_write)
        except ConflictError:
            continue
    raise AssertionError("unreachable")


def _now(clock: Clock, head: LogEntry | None) -> datetime:
    """What the clock says; the time of the head where it is behind that by what clocks may lie apart."""
    now = clock()
    return max(now, head.time) if head and now.tzinfo and head.time <= now + MAX_CLOCK_SKEW else now


def _heads(log: Log) -> Iterator[tuple[LogEntry | None, State]]:
    """The head of the log and its state, again and again; LogError after too many."""
    begun = State(salt=secrets.token_hex(16))
    for _ in range(MAX_ATTEMPTS):
        head = log.head()
        report_step(Step.HEAD_READ)
        yield head, head.state if head else begun
    raise LogError(f"{MAX_ATTEMPTS} other writers were faster in a row", hint="run the command again")


def _check_reigns(recorded: LogEntry, state: State) -> None:
    """Raise LogError for a promotion that was taken back since: what it said is true no more."""
    if recorded.promotes and (state.champion is None or state.champion.seq != recorded.seq):
        reigns = f"{state.champion.run} reigns" if state.champion else "no model reigns"
        raise LogError(
            f"entry {recorded.seq} promoted {recorded.event.run or 'these scores'}, and {reigns} now",
            hint="it was rolled back; `lockgate rollback --to RUN` lets it reign again where it may be served",
        )


def _told_again(recorded: LogEntry, now: Decision) -> Decision:
    """The recorded decision, with what became of the waivers that were granted since."""
    decision = recorded.read_decision()
    return decision if decision.sealed else decision.model_copy(update={"waivers": now.waivers})


def _promotion_of(evidence: Evidence, champion: Champion | None, log: Log) -> LogEntry | None:
    """The entry that promoted exactly this evidence, where its model still reigns: judging it again is no news.

    That happens when a command died between its entry and the tag, or the store's answer to the entry was lost.
    """
    if champion is None:
        return None
    entry = log.entry(champion.seq)
    bound = entry.read_decision().binding
    scores = (evidence.scores_digest(evidence.challenger), evidence.scores_digest(evidence.champion))
    same = (bound.holdout, bound.scores, bound.champion_scores) == (evidence.holdout, *scores)
    challenger = read_part(evidence.facts, "challenger")
    return entry if same and challenger and challenger.get("sha256") == champion.sha256 == bound.model else None
