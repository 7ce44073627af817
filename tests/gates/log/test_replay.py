"""What an event makes of the state: known answers, and what fits no state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from obstore.store import MemoryStore

from lockgate import State
from lockgate.gates.errors import LogError
from lockgate.gates.log import Log, LogEntry, replay
from lockgate.gates.log.events import (
    RegisteredEvent,
    RetractedEvent,
    ReverifiedEvent,
    RevokedEvent,
    RolledBackEvent,
    WaivedEvent,
)
from lockgate.gates.log.replay import MAX_WAIVERS, Moment
from lockgate.gates.records.state import KEPT_PREDECESSORS, Champion, Holdout, Waiver
from tests.gates.candidates import NOON, one_line, promoted, run_of, sha_of

DAY = timedelta(days=1)


def champion(seq: int, **given: Any) -> Champion:
    """Model `seq`, which entry `seq` promoted."""
    held = {"sha256": sha_of(str(seq)), "run": run_of(str(seq)), "valid_until": NOON + 90 * DAY, **given}
    return Champion(seq=seq, **held)


def state(reigns: int | Champion | None, *before: int | Champion, **given: Any) -> State:
    """The state after entry 9."""
    known = [champion(one) if isinstance(one, int) else one for one in (reigns, *before) if one is not None]
    first, rest = (None, known) if reigns is None else (known[0], known[1:])
    return State(**{"seq": 9, "salt": "salt", "champion": first, "predecessors": tuple(rest), **given})


def after(before: State, event: Any, *, days: float = 0) -> State:
    return replay.apply_event(before, event, Moment(seq=10, time=NOON + days * DAY))


def reign(found: State) -> tuple[int | None, list[int]]:
    return found.champion and found.champion.seq, [one.seq for one in found.predecessors]


def refused(before: State, event: Any, expected: str, *, days: float = 0) -> None:
    with pytest.raises(LogError, match=f"does not fit the state before it; expected {expected}") as caught:
        after(before, event, days=days)
    assert "log/00000010.json" in one_line(caught)


# --- revoked ---------------------------------------------------------------------------------------------------------


def revoked(model: int, successor: int | None) -> RevokedEvent:
    return RevokedEvent(of=run_of(str(model)), model=sha_of(str(model)), reason="it leaks", successor=successor)


EXPIRED, SUSPECT = champion(2, valid_until=NOON - DAY), champion(2, suspect=5)


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (state(3, 2, 1), revoked(3, 2), (2, [1])),
        (state(3, 2, 1), revoked(2, 3), (3, [1])),
        (state(3, 2, 1), revoked(1, 3), (3, [2])),
        (state(3, 2, 1), revoked(7, 3), (3, [2, 1])),  # it was judged only
        (state(None), revoked(7, None), (None, [])),
        (state(1), revoked(1, None), (None, [])),
        (state(3, EXPIRED, 1), revoked(3, 1), (1, [2])),
        (state(3, SUSPECT, 1), revoked(3, 1), (1, [2])),
        (state(3, champion(2, run=None), 1), revoked(3, 1), (1, [2])),
        (state(3, SUSPECT), revoked(3, None), (None, [2])),
        (state(2, 3, 1), revoked(2, 1), (1, [3])),  # 3 was rolled back from: it does not come again by itself
        (state(1, 3, 2), revoked(1, None), (None, [3, 2])),
        (state(3, champion(2, sha256=sha_of("3")), 1), revoked(3, 1), (1, [])),  # the same model twice
    ],
)
def test_a_revoked_model_is_gone_and_the_last_before_it_that_may_be_served_reigns(
    before: State, event: RevokedEvent, expected: Any
) -> None:
    found = after(before, event)
    assert reign(found) == expected
    assert found.revoked == {event.model: 10}
    assert (found.seq, found.salt, found.waivers, found.holdouts) == (10, "salt", (), {})


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (state(3, 2), revoked(3, 3), "the last model that may be served to succeed"),
        (state(3, 2), revoked(3, None), "the last model that may be served to succeed"),
        (state(3, 2, 1), revoked(3, 1), "the last model that may be served to succeed"),
        (state(3, SUSPECT), revoked(3, 2), "the last model that may be served to succeed"),
        (state(3, 2), revoked(2, 2), "the champion to stay"),
        (state(3, 2), revoked(7, None), "the champion to stay"),
        (state(3, 2, revoked={sha_of("7"): 4}), revoked(7, 3), "a model that was not revoked before"),
        (state(3, 2), revoked(3, 2).model_copy(update={"model": sha_of("8")}), f"the model of {run_of('3')}"),
    ],
)
def test_a_revocation_that_no_state_allows(before: State, event: RevokedEvent, expected: str) -> None:
    refused(before, event, expected)


# --- rolled back -----------------------------------------------------------------------------------------------------


def rolled_back(to: int, run: str = "") -> RolledBackEvent:
    return RolledBackEvent(to=run or run_of(str(to)), promoted_by=to, reason="slow")


@pytest.mark.parametrize(
    ("before", "to", "expected"),
    [
        (state(3, 2, 1), 2, (2, [3, 1])),
        (state(3, 2, 1), 1, (1, [3, 2])),
        (state(1, 3, 2), 3, (3, [1, 2])),
        (state(None, 3, 2), 2, (2, [3])),
    ],
)
def test_a_model_reigns_again_and_nothing_is_forgotten(before: State, to: int, expected: Any) -> None:
    found = after(before, rolled_back(to))
    assert reign(found) == expected
    assert found.champion == champion(to)


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (state(3, 2), rolled_back(1), "a model that reigned before"),
        (state(3, 2), rolled_back(3), "a model that reigned before"),
        (state(3, 2), rolled_back(2, run_of("7")), "a model that reigned before"),
        (state(3, SUSPECT), rolled_back(2), "a model that may be served"),
        (state(3, EXPIRED), rolled_back(2), "a model that may be served"),
        (state(3, 2, revoked={sha_of("2"): 4}), rolled_back(2), "a model that may be served"),
    ],
)
def test_a_roll_back_that_no_state_allows(before: State, event: RolledBackEvent, expected: str) -> None:
    refused(before, event, expected)


@pytest.mark.parametrize(("days", "served"), [(89.99, True), (90, True), (90.01, False)])
def test_the_last_moment_of_a_promotion_counts(days: float, *, served: bool) -> None:
    if served:
        assert reign(after(state(3, 2), rolled_back(2), days=days)) == (2, [3])
    else:
        refused(state(3, 2), rolled_back(2), "a model that may be served", days=days)


# --- waived ----------------------------------------------------------------------------------------------------------


def waiver(seq: int = 10, *, gate: str = "log_loss", until: Any = NOON + DAY) -> Waiver:
    return Waiver(
        gate=gate,
        run=run_of("7"),
        model=sha_of("7"),
        policy="p",
        reason="known",
        until=until,
        approver="ann",
        key="k",
        seq=seq,
    )


def test_a_waiver_is_kept_after_those_that_were() -> None:
    before = state(3, 2, waivers=(waiver(4), waiver(5)))
    found = after(before, WaivedEvent(waiver=waiver()))
    assert [one.seq for one in found.waivers] == [4, 5, 10]
    assert reign(found) == (3, [2])


@pytest.mark.parametrize("event", [waiver(9), waiver(11), waiver(until=NOON), waiver(until=NOON - DAY)])
def test_a_waiver_of_another_entry_or_time_is_none(event: Waiver) -> None:
    refused(state(3), WaivedEvent(waiver=event), "a waiver of this entry, until a later time")


def test_of_many_waivers_those_that_ran_out_first_go_first_and_none_that_counts() -> None:
    held = tuple(waiver(seq, until=NOON - DAY * (seq % 3)) for seq in range(MAX_WAIVERS))
    found = after(state(3, waivers=held), WaivedEvent(waiver=waiver()))
    assert len(found.waivers) == MAX_WAIVERS
    assert {one.seq for one in held} - {one.seq for one in found.waivers} == {2}  # two days ago, the first of those
    alive = tuple(waiver(seq) for seq in range(MAX_WAIVERS))
    refused(state(3, waivers=alive), WaivedEvent(waiver=waiver()), f"at most {MAX_WAIVERS} waivers at once")


# --- retracted -------------------------------------------------------------------------------------------------------


def retracted(*suspects: int, what: Any = "metric", value: str = "auc", barred: tuple[str, ...] = ()) -> RetractedEvent:
    return RetractedEvent(what=what, value=value, reason="wrong", suspects=suspects, barred=barred)


@pytest.mark.parametrize(
    ("suspects", "marked"),
    [
        ((), [None, None, None]),
        ((3,), [10, None, None]),
        ((3, 1), [10, None, 10]),
        ((7,), [None, None, None]),
        ((2,), [None, 5, None]),
    ],
)
def test_promotions_that_rest_on_it_are_suspect(suspects: tuple[int, ...], marked: list[int | None]) -> None:
    before = state(3, SUSPECT if suspects == (2,) else 2, 1)
    found = after(before, retracted(*suspects))
    assert reign(found) == (3, [2, 1])
    assert [one.suspect for one in (found.champion, *found.predecessors)] == marked
    assert found.retracted == {}


def test_rows_that_were_retracted_are_remembered() -> None:
    event = retracted(what="data", value="a" * 64, barred=("a" * 64,))
    assert after(state(3), event).retracted == {"a" * 64: 10}
    assert after(state(3, retracted={"a" * 64: 4}), event).retracted == {"a" * 64: 4}
    for barred in ((), ("b" * 64,), ("a" * 64, "b" * 64)):
        refused(state(3), event.model_copy(update={"barred": barred}), "exactly these rows to be barred")


def test_scores_of_an_entry_that_was_wrong_are_remembered_and_its_waiver_is_not() -> None:
    event = retracted(what="entry", value="4", barred=("c" * 64,))
    found = after(state(3, waivers=(waiver(4), waiver(5)), retracted={"a" * 64: 2}), event)
    assert found.retracted == {"a" * 64: 2, "c" * 64: 10}
    assert [one.seq for one in found.waivers] == [5]


def test_a_metric_bars_nothing() -> None:
    event = retracted(what="metric", value="auc")
    assert after(state(3, waivers=(waiver(4),)), event).waivers == (waiver(4),)
    refused(state(3), event.model_copy(update={"barred": ("a" * 64,)}), "nothing to be barred")


# --- reverified ------------------------------------------------------------------------------------------------------


def reverified(
    of: int, *, verdict: str = "PROMOTE", days: float | None = 180, model: int | None = None
) -> ReverifiedEvent:
    decision = {"verdict": verdict, "binding": {"model": sha_of(str(of if model is None else model))}}
    until = None if days is None else NOON + days * DAY
    return ReverifiedEvent(
        of=run_of(str(of)),
        promoted_by=of,
        evidence_run=run_of("8"),
        decision=decision,
        decision_sha256="0" * 64,
        policy_sha256="0" * 64,
        valid_until=until,
    )


@pytest.mark.parametrize(
    ("verdict", "days", "suspect"),
    [
        ("PROMOTE", 180, None),
        ("PROMOTE", 10, None),
        ("PROMOTE", None, None),
        ("HOLD", 90, 5),
        ("HOLD", 0, 5),
        ("INCONCLUSIVE", 90, 5),
        ("INCONCLUSIVE", 1, 5),
    ],
)
def test_only_gates_that_pass_clear_a_suspect_champion(verdict: str, days: float | None, suspect: int | None) -> None:
    found = after(state(champion(3, suspect=5), 2), reverified(3, verdict=verdict, days=days))
    assert found.champion.suspect == suspect
    assert found.champion.valid_until == (None if days is None else NOON + days * DAY)
    assert reign(found) == (3, [2])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (reverified(2), "the champion"),
        (reverified(3).model_copy(update={"promoted_by": 2}), "the champion"),
        (reverified(3, model=2), "a judgement of the champion's model"),
        (reverified(3).model_copy(update={"decision": {"verdict": "PROMOTE"}}), "a judgement of the champion's model"),
        (reverified(3, verdict="HOLD", days=90.1), "no longer than before"),
        (reverified(3, verdict="INCONCLUSIVE", days=None), "no longer than before"),
    ],
)
def test_a_reverification_that_no_state_allows(event: ReverifiedEvent, expected: str) -> None:
    refused(state(3, 2), event, expected)


def test_nobody_is_reverified_where_nobody_reigns() -> None:
    refused(state(None, 3), reverified(3), "the champion")


# --- registered ------------------------------------------------------------------------------------------------------


def holdout(**given: Any) -> Holdout:
    return Holdout(**{"rows": 300, "hashes": "AAAAAA==", "numbered": False, "since": 10, **given})


def test_a_registered_holdout_is_known() -> None:
    found = after(state(3), RegisteredEvent(digest="d" * 64, holdout=holdout(), note=""))
    assert found.holdouts == {"d" * 64: holdout()}
    refused(found, RegisteredEvent(digest="d" * 64, holdout=holdout(), note=""), "a holdout that is not known")


@pytest.mark.parametrize("given", [{"since": 9}, {"looks": {"a": 10}}, {"spent": 0.01}, {"retired": True}])
def test_what_was_looked_at_is_not_registered(given: dict[str, Any]) -> None:
    event = RegisteredEvent(digest="d" * 64, holdout=holdout(**given), note="")
    refused(state(3), event, "a holdout of this entry, without looks")


def test_the_state_of_any_other_event_is_replayed() -> None:
    event, before = rolled_back(2), state(3, 2)
    made = {"log_id": "l", "project": "orders", "seq": 10, "previous": "p", "time": NOON, "actor": "ada"}
    entry = LogEntry(**made, event=event, state=after(before, event))
    replay.check_entry(entry, before)
    forged = entry.model_copy(update={"state": entry.state.model_copy(update={"champion": champion(4)})})
    with pytest.raises(LogError, match="the state does not follow from the event and the previous state"):
        replay.check_entry(forged, before)


def test_so_many_predecessors_are_kept() -> None:
    assert KEPT_PREDECESSORS == 32
    log = Log(MemoryStore(), project="orders")
    for model in "0123":
        promoted(log, model)
    assert reign(log.state()) == (4, [3, 2, 1])
    found = State()
    for seq in range(1, 40):
        found = found.promoted(champion(seq))
    assert reign(found) == (39, list(range(38, 6, -1)))
