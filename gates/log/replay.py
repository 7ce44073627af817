"""What an event makes of the state: the log replayed. Pure; `verify` holds every entry against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gates.errors import LogError
from gates.log.events import Judged, Registered, Retracted, Reverified, Revoked, RolledBack, Waived
from gates.state import KNOWN_HOLDOUTS, Champion, Holdout, State

if TYPE_CHECKING:
    from gates.log.entry import Entry
    from gates.log.events import Event

WAIVERS_KEPT = 64
"""How many waivers the state remembers; those that ran out first go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Which entry, and when."""

    seq: int
    time: datetime


def after(before: State, event: Event, at: Moment) -> State:
    """The state after an entry that records `event`. Raises LogError where the event does not fit the state before it.

    What a judgement makes of the state, the engine says (`Decision.state`); it is not replayed here but checked.
    """
    return _MEANING[event.kind](event, before, at).model_copy(update={"seq": at.seq})


def _revoked(event: Revoked, before: State, at: Moment) -> State:
    revoked = {**before.revoked, event.model: at.seq}
    others = tuple(one for one in before.predecessors if one.sha256 != event.model)
    base = before.model_copy(update={"revoked": revoked, "predecessors": others})
    if before.champion is None or before.champion.sha256 != event.model:
        _expect(event.successor == (before.champion and before.champion.seq), "the champion stays", at.seq)
        return base
    successor = base.before_champion(at.time)
    _expect(event.successor == (successor and successor.seq), "the last that may be served succeeds", at.seq)
    rest = tuple(one for one in others if successor is None or one.seq != successor.seq)
    return base.model_copy(update={"champion": successor, "predecessors": rest})


def _rolled_back(event: RolledBack, before: State, at: Moment) -> State:
    target = next((one for one in before.predecessors if one.seq == event.promoted_by), None)
    _expect(target is not None and target.run == event.to, "a model that reigned before", at.seq)
    assert target is not None  # for the type checker
    _expect(not target.refusal(at.time, revoked=before.revoked), "a model that may be served", at.seq)
    return before.promoted(target)


def _waived(event: Waived, before: State, at: Moment) -> State:
    _expect(
        event.waiver.seq == at.seq and event.waiver.until > at.time,
        "a waiver of this entry, until a later time",
        at.seq,
    )
    kept = before.waivers
    while len(kept) >= WAIVERS_KEPT:
        first = min(kept, key=lambda one: one.until)
        _expect(first.until < at.time, f"at most {WAIVERS_KEPT} waivers at once", at.seq)
        kept = tuple(one for one in kept if one is not first)
    return before.model_copy(update={"waivers": (*kept, event.waiver)})


def _retracted(event: Retracted, before: State, at: Moment) -> State:
    def marked(one: Champion) -> Champion:
        return one.model_copy(update={"suspect": at.seq}) if one.seq in event.suspects and one.suspect is None else one

    update: dict[str, object] = {
        "champion": before.champion and marked(before.champion),
        "predecessors": tuple(marked(one) for one in before.predecessors),
    }
    if event.what == "data":
        update["retracted"] = {**before.retracted, event.value: at.seq}
    return before.model_copy(update=update)


def _reverified(event: Reverified, before: State, at: Moment) -> State:
    champion = before.champion
    _expect(
        champion is not None and (champion.run, champion.seq) == (event.of, event.promoted_by), "the champion", at.seq
    )
    assert champion is not None  # for the type checker
    cleared = None if event.verdict == "PROMOTE" else champion.suspect
    renewed = champion.model_copy(update={"valid_until": event.valid_until, "suspect": cleared})
    return before.model_copy(update={"champion": renewed})


def _registered(event: Registered, before: State, at: Moment) -> State:
    _expect(event.holdout.since == at.seq and not event.holdout.looks, "a holdout of this entry, without looks", at.seq)
    return before.registered(event.digest, event.holdout)


_MEANING: Mapping[str, Callable[..., State]] = {
    "revoked": _revoked,
    "rolled_back": _rolled_back,
    "waived": _waived,
    "retracted": _retracted,
    "reverified": _reverified,
    "registered": _registered,
}


def check(entry: Entry, before: State) -> None:
    """Raise LogError where the entry's state is not what its event makes of `before`."""
    if not isinstance(entry.event, Judged):
        if after(before, entry.event, Moment(seq=entry.seq, time=entry.time)) != entry.state:
            _refuse("the state is not what its event makes of the one before", entry.seq)
        return
    now, decision = entry.state, entry.decided()
    promoted = decision.verdict == "PROMOTE" and not decision.already_champion
    expected = before
    if promoted:
        bound, champion = decision.binding, now.champion
        _expect(champion is not None, "a champion after a promotion", entry.seq)
        assert champion is not None  # for the type checker
        fits = (champion.sha256, champion.run, champion.seq, champion.suspect)
        _expect(fits == (bound.model, bound.run, entry.seq, None), "the champion that was judged", entry.seq)
        if before.champion is not None and bound.champion_scores is not None:
            _expect(
                bound.champion_model == before.champion.sha256, "a challenge to the champion that reigned", entry.seq
            )
        expected = before.promoted(champion)
    same = ("champion", "predecessors", "revoked", "retracted", "waivers")
    _expect(all(getattr(now, name) == getattr(expected, name) for name in same), "nothing else to change", entry.seq)
    _expect(before.seq == 0 or now.salt == before.salt, "the log's salt", entry.seq)
    full = len(before.holdouts) >= KNOWN_HOLDOUTS
    for name, held in before.holdouts.items():
        kept = now.holdouts.get(name)
        _expect(full if kept is None else _grown(held, kept), "holdouts to keep their looks", entry.seq)


def _grown(was: Holdout, now: Holdout) -> bool:
    """Whether nothing of a holdout's ledger was taken back."""
    kept = (now.retired and not now.looks) or was.looks.items() <= now.looks.items()
    return kept and now.spent >= was.spent and now.retired >= was.retired and now.rows == was.rows


def _expect(holds: object, expected: str, seq: int) -> None:
    if not holds:
        _refuse(f"the event does not fit the state before it; expected {expected}", seq)


def _refuse(problem: str, seq: int) -> None:
    from gates.log.entry import path

    raise LogError(problem, where=path(seq), hint="the log was not written by lockgate alone")
