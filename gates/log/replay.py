"""The state after an event, computed from the state before it. Pure; every entry that is checked must agree with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lockgate.gates.durations import parse_duration, shift_time
from lockgate.gates.errors import LogError
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.log.entry import LogEntry, entry_path
from lockgate.gates.log.events import (
    JudgedEvent,
    RegisteredEvent,
    RetractedEvent,
    ReverifiedEvent,
    RevokedEvent,
    RolledBackEvent,
    WaivedEvent,
)
from lockgate.gates.records.state import MAX_HOLDOUTS, Champion, Holdout, State

if TYPE_CHECKING:
    from lockgate.gates.log.events import Event
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.records.state import Waiver

MAX_WAIVERS = 64
"""How many waivers the state remembers. Expired ones make room, the first to expire first."""

_HARMLESS_VERDICTS = ("PASS", "SKIP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The number and the time of an entry."""

    seq: int
    time: datetime


def apply_event(before: State, event: Event, moment: Moment) -> State:
    """The state after an entry that records `event`. Raises LogError if the event does not fit the state before it.

    Not for judgements: the engine computes the state after them (`Decision.state`), and `check_entry` checks it.
    """
    return _APPLY[event.kind](event, before, moment).model_copy(update={"seq": moment.seq})


def _apply_revoked(event: RevokedEvent, before: State, moment: Moment) -> State:
    _expect(event.model not in before.revoked, "a model that was not revoked before", moment.seq)
    champion = before.find_champion(event.of)
    _expect(champion is None or champion.sha256 == event.model, f"the model of {event.of}", moment.seq)
    revoked = {**before.revoked, event.model: moment.seq}
    others = tuple(predecessor for predecessor in before.predecessors if predecessor.sha256 != event.model)
    base = before.model_copy(update={"revoked": revoked, "predecessors": others})
    if before.champion is None or before.champion.sha256 != event.model:
        _expect(event.successor == (before.champion and before.champion.seq), "the champion to stay", moment.seq)
        return base
    successor = base.find_successor(moment.time)
    _expect(
        event.successor == (successor and successor.seq), "the last model that may be served to succeed", moment.seq
    )
    rest = tuple(predecessor for predecessor in others if successor is None or predecessor.seq != successor.seq)
    return base.model_copy(update={"champion": successor, "predecessors": rest})


def _apply_rolled_back(event: RolledBackEvent, before: State, moment: Moment) -> State:
    target = next((predecessor for predecessor in before.predecessors if predecessor.seq == event.promoted_by), None)
    _expect(target is not None and target.run == event.to, "a model that reigned before", moment.seq)
    assert target is not None  # for the type checker
    _expect(not target.refusal(moment.time, revoked=before.revoked), "a model that may be served", moment.seq)
    return before.with_champion(target)


def _apply_waived(event: WaivedEvent, before: State, moment: Moment) -> State:
    _expect(
        event.waiver.seq == moment.seq and event.waiver.until > moment.time,
        "a waiver of this entry, until a later time",
        moment.seq,
    )
    waivers = before.waivers
    while len(waivers) >= MAX_WAIVERS:
        first = min(waivers, key=lambda waiver: waiver.until)
        _expect(first.until < moment.time, f"at most {MAX_WAIVERS} waivers at once", moment.seq)
        waivers = tuple(waiver for waiver in waivers if waiver is not first)
    return before.model_copy(update={"waivers": (*waivers, event.waiver)})


def _apply_retracted(event: RetractedEvent, before: State, moment: Moment) -> State:
    def mark_suspect(champion: Champion) -> Champion:
        if champion.seq not in event.suspects or champion.suspect is not None:  # the first retraction stays its reason
            return champion
        return champion.model_copy(update={"suspect": moment.seq})

    _expect(event.what != "data" or event.barred == (event.value,), "exactly these rows to be barred", moment.seq)
    _expect(event.what != "metric" or not event.barred, "nothing to be barred", moment.seq)
    update: dict[str, object] = {
        "champion": before.champion and mark_suspect(before.champion),
        "predecessors": tuple(mark_suspect(predecessor) for predecessor in before.predecessors),
    }
    if event.barred:
        update["retracted"] = {**dict.fromkeys(event.barred, moment.seq), **before.retracted}
    if event.what == "entry":
        update["waivers"] = tuple(waiver for waiver in before.waivers if str(waiver.seq) != event.value)
    return before.model_copy(update=update)


def _apply_reverified(event: ReverifiedEvent, before: State, moment: Moment) -> State:
    champion = before.champion
    _expect(
        champion is not None and (champion.run, champion.seq) == (event.of, event.promoted_by),
        "the champion",
        moment.seq,
    )
    assert champion is not None  # for the type checker
    _expect(
        read_part(event.decision, "binding").get("model") == champion.sha256,
        "a judgement of the champion's model",
        moment.seq,
    )
    _expect(event.has_passed or _ends_by(event.valid_until, champion.valid_until), "no longer than before", moment.seq)
    cleared = None if event.has_passed else champion.suspect
    renewed = champion.model_copy(update={"valid_until": event.valid_until, "suspect": cleared})
    return before.model_copy(update={"champion": renewed})


def _apply_registered(event: RegisteredEvent, before: State, moment: Moment) -> State:
    fresh = event.holdout.since == moment.seq and not event.holdout.looks and not event.holdout.spent
    _expect(fresh and not event.holdout.retired, "a holdout of this entry, without looks", moment.seq)
    _expect(event.digest not in before.holdouts, "a holdout that is not known", moment.seq)
    return before.register_holdout(event.digest, event.holdout)


_APPLY: Mapping[str, Callable[..., State]] = {
    "revoked": _apply_revoked,
    "rolled_back": _apply_rolled_back,
    "waived": _apply_waived,
    "retracted": _apply_retracted,
    "reverified": _apply_reverified,
    "registered": _apply_registered,
}


def check_entry(entry: LogEntry, before: State) -> None:
    """Raise LogError if the entry's state does not follow from its event and `before`."""
    if not isinstance(entry.event, JudgedEvent):
        if apply_event(before, entry.event, Moment(seq=entry.seq, time=entry.time)) != entry.state:
            _refuse("the state does not follow from the event and the previous state", entry.seq)
        return
    now, decision = entry.state, entry.read_decision()
    _expect(not decision.already_champion, "a model that does not reign", entry.seq)
    used = _check_waiver_uses(decision, before, entry)
    expected = before
    if entry.promotes:
        _check_promotion(decision, before, entry, used)
        assert now.champion is not None  # for the type checker
        expected = before.with_champion(now.champion)
    same = ("champion", "predecessors", "revoked", "retracted", "waivers")
    _expect(all(getattr(now, name) == getattr(expected, name) for name in same), "nothing else to change", entry.seq)
    _expect(before.seq == 0 or now.salt == before.salt, "the log's salt", entry.seq)
    full = len(before.holdouts) >= MAX_HOLDOUTS  # only then may one be forgotten
    for digest, holdout in before.holdouts.items():
        grown = now.holdouts.get(digest)
        keeps = full if grown is None else _has_only_grown(holdout, grown, entry.seq)
        _expect(keeps, "holdouts to keep their looks", entry.seq)
    for digest in now.holdouts.keys() - before.holdouts.keys():
        holdout = now.holdouts[digest]
        _expect({holdout.since, *holdout.looks.values()} == {entry.seq}, "a holdout of this entry", entry.seq)


def _check_promotion(decision: Decision, before: State, entry: LogEntry, used: tuple[Waiver, ...]) -> None:
    binding, champion = decision.binding, entry.state.champion
    _expect(champion is not None, "a champion after a promotion", entry.seq)
    assert champion is not None  # for the type checker
    assert entry.judgement is not None
    promoted = (champion.sha256, champion.run, champion.seq, champion.suspect)
    _expect(promoted == (binding.model, binding.run, entry.seq, None), "the champion that was judged", entry.seq)
    _expect(binding.model is None or binding.model not in before.revoked, "a model that was not revoked", entry.seq)
    barred = {binding.holdout, binding.train, binding.scores} & before.retracted.keys()
    _expect(not barred, "rows and scores that were not retracted", entry.seq)
    if before.champion is not None and binding.champion_scores is not None:
        _expect(binding.champion_model == before.champion.sha256, "a challenge to the champion that reigned", entry.seq)
    limit = min((shift_time(entry.time, parse_duration(entry.judgement.valid_for)), *(waiver.until for waiver in used)))
    _expect(_ends_by(champion.valid_until, limit), f"a promotion until {limit.isoformat()}", entry.seq)
    lifted = all(
        outcome.waived or outcome.severity == "warn" or outcome.verdict in _HARMLESS_VERDICTS
        for outcome in decision.outcomes
    )
    _expect(lifted, "every blocking gate passed, skipped or waived", entry.seq)


def _check_waiver_uses(decision: Decision, before: State, entry: LogEntry) -> tuple[Waiver, ...]:
    """The waivers that lifted a gate. Raises LogError unless each was granted for exactly this use."""
    granted = {waiver.seq: waiver for waiver in before.waivers}
    binding, used = decision.binding, []
    for use in decision.waivers:
        waiver = granted.get(use.entry)
        matches = waiver is not None and (waiver.gate, waiver.key, waiver.run, waiver.model) == (
            use.gate,
            use.key,
            binding.run,
            binding.model,
        )
        _expect(matches, f"a waiver by entry {use.entry}", entry.seq)
        if waiver and use.status == "used":
            _expect(entry.time <= waiver.until, "a waiver that has not run out", entry.seq)
            _expect(waiver.policy == binding.policy, "a waiver of this policy", entry.seq)
            used.append(waiver)
    waived = {outcome.name for outcome in decision.outcomes if outcome.waived}
    _expect(waived == {waiver.gate for waiver in used}, "a waiver for each gate that is waived", entry.seq)
    return tuple(used)


def _ends_by(until: datetime | None, limit: datetime | None) -> bool:
    return limit is None or (until is not None and until <= limit)


def _has_only_grown(before: Holdout, now: Holdout, seq: int) -> bool:
    """Whether entry `seq` has taken nothing back from a holdout's ledger, and added only looks of its own."""
    if (now.rows, now.numbered) != (before.rows, before.numbered):
        return False
    if now.spent < before.spent or now.retired < before.retired:
        return False
    if now == now.short_record and now.hashes == before.short_record.hashes and now.since in (before.last, seq):
        return True  # retired by this entry, and shortened
    added = now.looks.items() - before.looks.items()
    same_rows = (now.hashes, now.since) == (before.hashes, before.since)
    return same_rows and before.looks.items() <= now.looks.items() and all(look_seq == seq for _, look_seq in added)


def _expect(holds: object, expected: str, seq: int) -> None:
    if not holds:
        _refuse(f"the event does not fit the state before it; expected {expected}", seq)


def _refuse(problem: str, seq: int) -> None:
    raise LogError(problem, where=entry_path(seq), hint="the log was not written by lockgate alone")
