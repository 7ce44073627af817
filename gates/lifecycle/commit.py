"""Judge against the head of the log and commit the decision: one entry, never over another writer's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lockgate.gates.durations import MAX_CLOCK_SKEW, shift_time
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
"""How often a writer that lost the race tries again before it gives up."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """A decision and the entry that records it; None if there was nothing to record."""

    decision: Decision
    entry: LogEntry | None
    was_recorded: bool  # the entry was in the log before this call


def commit(policy: Policy, evidence: Evidence, log: Log, *, actor: str, clock: Clock) -> CommitResult:
    """Judge `evidence` against the head of `log` and append the decision.

    Nothing is appended

    - for an ERROR, and for the model that reigns already;
    - for the run whose promotion made the champion, and for a look that the log has already. Then the recorded
      decision is returned, unless a waiver that was granted since lifts what the look failed on.

    A writer that lost the race judges again against the new head, which costs milliseconds. If the champion has
    changed, that raises StaleError. A clock that is behind the head by at most `MAX_CLOCK_SKEW` is set to the head's
    time, so that times never decrease.

    Raises:
        StaleError: the challenger was scored beside a champion that no longer reigns.
        SigningError: the log is signed, and there is no key to sign with.
        LogError: the log cannot be read or written, or other writers keep winning, or this evidence was promoted and
            rolled back before.
    """
    store_policy_once = cache(partial(policies.store_policy, log.store, policy))
    for head, state in _read_heads(log):
        now = _entry_time(clock, head)
        try:
            decision = judge(policy, evidence, state, now=now)
            report_step(Step.JUDGED)
        except StaleError:
            if head and (promotion := _find_promotion(evidence, state.champion, log)):
                return CommitResult(decision=promotion.read_decision(), entry=promotion, was_recorded=True)
            raise
        if decision.verdict is Ruling.ERROR or decision.already_champion:
            return CommitResult(decision=decision, entry=None, was_recorded=False)
        if head and (seq := state.find_look(decision.look.key)):
            recorded = log.entry(seq)
            _check_reigns(recorded, state)
            if decision.verdict is not Ruling.PROMOTE or not any(use.status == "used" for use in decision.waivers):
                return CommitResult(decision=_repeat_decision(recorded, decision), entry=recorded, was_recorded=True)
        disclosed = apply_disclosure(policy, decision)
        event = JudgedEvent(
            decision=disclosed.model_dump(mode="json", exclude={"state"}),
            decision_sha256=disclosed.sha256,
            policy_sha256=policies.policy_sha256(policy),
            valid_for=policy.valid_for,
        )
        try:
            entry = log.append(event, decision.state, after=head, actor=actor, now=now, before_write=store_policy_once)
        except ConflictError:
            continue
        return CommitResult(decision=decision, entry=entry, was_recorded=False)
    raise AssertionError("unreachable")


def record_event(
    log: Log,
    build_event: Callable[[State, Moment], Event],
    *,
    actor: str,
    clock: Clock,
    before_write: Callable[[], object] | None = None,
) -> LogEntry:
    """Append the event that `build_event` makes of the head's state, and the state after it.

    `build_event` is called again if another writer was faster. `before_write` is as in `Log.append`.

    Raises LogError as `commit` does, and for values that cannot be recorded; and what `build_event` raises.
    """
    for head, state in _read_heads(log):
        moment = Moment(seq=state.seq + 1, time=_entry_time(clock, head))
        try:
            event = build_event(state, moment)
        except ValidationError as err:
            raise unrecordable_error(err) from err
        try:
            after = replay.apply_event(state, event, moment)
            return log.append(event, after, after=head, actor=actor, now=moment.time, before_write=before_write)
        except ConflictError:
            continue
    raise AssertionError("unreachable")


def apply_disclosure(policy: Policy, decision: Decision) -> Decision:
    """The decision as outsiders may see it: sealed if the policy discloses promotions only."""
    return decision.seal() if policy.disclose == "promotion_only" else decision


def _entry_time(clock: Clock, head: LogEntry | None) -> datetime:
    """The clock's time, or the head's if the clock is behind it by no more than clocks may differ."""
    now = clock()
    return max(now, head.time) if head and now.tzinfo and head.time <= shift_time(now, MAX_CLOCK_SKEW) else now


def _read_heads(log: Log) -> Iterator[tuple[LogEntry | None, State]]:
    """The head of the log and its state, once per attempt. Raises LogError after too many."""
    first_state = State(salt=secrets.token_hex(16))
    for _ in range(MAX_ATTEMPTS):
        head = log.head()
        report_step(Step.HEAD_READ)
        yield head, head.state if head else first_state
    raise LogError(f"{MAX_ATTEMPTS} other writers were faster in a row", hint="run the command again")


def _check_reigns(recorded: LogEntry, state: State) -> None:
    """Raise LogError for a promotion that was rolled back since: repeating its decision would mislead."""
    if recorded.promotes and (state.champion is None or state.champion.seq != recorded.seq):
        reigns = f"{state.champion.run} reigns" if state.champion else "no model reigns"
        raise LogError(
            f"entry {recorded.seq} promoted {recorded.event.run or 'these scores'}, and {reigns} now",
            hint="it was rolled back; `lockgate rollback --to RUN` makes it champion again if it may be served",
        )


def _repeat_decision(recorded: LogEntry, now: Decision) -> Decision:
    """The recorded decision, with the current status of waivers."""
    decision = recorded.read_decision()
    return decision if decision.sealed else decision.model_copy(update={"waivers": now.waivers})


def _find_promotion(evidence: Evidence, champion: Champion | None, log: Log) -> LogEntry | None:
    """The entry that promoted exactly this evidence, if its model still reigns; None otherwise.

    A command is run again with such evidence when it died after its entry was created, or when the store's answer to
    that entry was lost.
    """
    if champion is None:
        return None
    entry = log.entry(champion.seq)
    binding = entry.read_decision().binding
    scores = (evidence.scores_digest(evidence.challenger), evidence.scores_digest(evidence.champion))
    same = (binding.holdout, binding.scores, binding.champion_scores) == (evidence.holdout, *scores)
    challenger = read_part(evidence.facts, "challenger")
    return entry if same and challenger and challenger.get("sha256") == champion.sha256 == binding.model else None
