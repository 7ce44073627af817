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
from lockgate.gates.records.state import MAX_PREDECESSORS, Champion, Holdout, Waiver
from tests.builders import NOON, assert_one_line, promote_model, run_of, sha_of

DAY = timedelta(days=1)


def make_champion(seq: int, **fields: Any) -> Champion:
    """Model `seq`, which entry `seq` promoted."""
    defaults = {"sha256": sha_of(str(seq)), "run": run_of(str(seq)), "valid_until": NOON + 90 * DAY, **fields}
    return Champion(seq=seq, **defaults)


def make_state(reigns: int | Champion | None, *before: int | Champion, **fields: Any) -> State:
    """The state after entry 9."""
    champions = [
        make_champion(former) if isinstance(former, int) else former
        for former in (reigns, *before)
        if former is not None
    ]
    first, rest = (None, champions) if reigns is None else (champions[0], champions[1:])
    return State(**{"seq": 9, "salt": "salt", "champion": first, "predecessors": tuple(rest), **fields})


def apply_event(before: State, event: Any, *, days: float = 0) -> State:
    return replay.apply_event(before, event, Moment(seq=10, time=NOON + days * DAY))


def reigning_seqs(state: State) -> tuple[int | None, list[int]]:
    return state.champion and state.champion.seq, [former.seq for former in state.predecessors]


def assert_misfit(before: State, event: Any, expected: str, *, days: float = 0) -> None:
    with pytest.raises(LogError, match=f"does not fit the state before it; expected {expected}") as caught:
        apply_event(before, event, days=days)
    assert "log/00000010.json" in assert_one_line(caught)


# --- revoked ---------------------------------------------------------------------------------------------------------


def revoked_event(model: int, successor: int | None) -> RevokedEvent:
    return RevokedEvent(of=run_of(str(model)), model=sha_of(str(model)), reason="it leaks", successor=successor)


EXPIRED, SUSPECT = make_champion(2, valid_until=NOON - DAY), make_champion(2, suspect=5)


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (make_state(3, 2, 1), revoked_event(3, 2), (2, [1])),
        (make_state(3, 2, 1), revoked_event(2, 3), (3, [1])),
        (make_state(3, 2, 1), revoked_event(1, 3), (3, [2])),
        (make_state(3, 2, 1), revoked_event(7, 3), (3, [2, 1])),  # it was judged only
        (make_state(None), revoked_event(7, None), (None, [])),
        (make_state(1), revoked_event(1, None), (None, [])),
        (make_state(3, EXPIRED, 1), revoked_event(3, 1), (1, [2])),
        (make_state(3, SUSPECT, 1), revoked_event(3, 1), (1, [2])),
        (make_state(3, make_champion(2, run=None), 1), revoked_event(3, 1), (1, [2])),
        (make_state(3, SUSPECT), revoked_event(3, None), (None, [2])),
        (
            make_state(2, 3, 1),
            revoked_event(2, 1),
            (1, [3]),
        ),  # 3 was rolled back from: it does not come again by itself
        (make_state(1, 3, 2), revoked_event(1, None), (None, [3, 2])),
        (make_state(3, make_champion(2, sha256=sha_of("3")), 1), revoked_event(3, 1), (1, [])),  # the same model twice
    ],
)
def test_a_revoked_model_is_gone_and_the_last_before_it_that_may_be_served_reigns(
    before: State, event: RevokedEvent, expected: Any
) -> None:
    state = apply_event(before, event)
    assert reigning_seqs(state) == expected
    assert state.revoked == {event.model: 10}
    assert (state.seq, state.salt, state.waivers, state.holdouts) == (10, "salt", (), {})


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (make_state(3, 2), revoked_event(3, 3), "the last model that may be served to succeed"),
        (make_state(3, 2), revoked_event(3, None), "the last model that may be served to succeed"),
        (make_state(3, 2, 1), revoked_event(3, 1), "the last model that may be served to succeed"),
        (make_state(3, SUSPECT), revoked_event(3, 2), "the last model that may be served to succeed"),
        (make_state(3, 2), revoked_event(2, 2), "the champion to stay"),
        (make_state(3, 2), revoked_event(7, None), "the champion to stay"),
        (make_state(3, 2, revoked={sha_of("7"): 4}), revoked_event(7, 3), "a model that was not revoked before"),
        (
            make_state(3, 2),
            revoked_event(3, 2).model_copy(update={"model": sha_of("8")}),
            f"the model of {run_of('3')}",
        ),
    ],
)
def test_a_revocation_that_no_state_allows(before: State, event: RevokedEvent, expected: str) -> None:
    assert_misfit(before, event, expected)


# --- rolled back -----------------------------------------------------------------------------------------------------


def rolled_back_event(to: int, run: str = "") -> RolledBackEvent:
    return RolledBackEvent(to=run or run_of(str(to)), promoted_by=to, reason="slow")


@pytest.mark.parametrize(
    ("before", "to", "expected"),
    [
        (make_state(3, 2, 1), 2, (2, [3, 1])),
        (make_state(3, 2, 1), 1, (1, [3, 2])),
        (make_state(1, 3, 2), 3, (3, [1, 2])),
        (make_state(None, 3, 2), 2, (2, [3])),
    ],
)
def test_a_model_reigns_again_and_nothing_is_forgotten(before: State, to: int, expected: Any) -> None:
    state = apply_event(before, rolled_back_event(to))
    assert reigning_seqs(state) == expected
    assert state.champion == make_champion(to)


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        (make_state(3, 2), rolled_back_event(1), "a model that reigned before"),
        (make_state(3, 2), rolled_back_event(3), "a model that reigned before"),
        (make_state(3, 2), rolled_back_event(2, run_of("7")), "a model that reigned before"),
        (make_state(3, SUSPECT), rolled_back_event(2), "a model that may be served"),
        (make_state(3, EXPIRED), rolled_back_event(2), "a model that may be served"),
        (make_state(3, 2, revoked={sha_of("2"): 4}), rolled_back_event(2), "a model that may be served"),
    ],
)
def test_a_roll_back_that_no_state_allows(before: State, event: RolledBackEvent, expected: str) -> None:
    assert_misfit(before, event, expected)


@pytest.mark.parametrize(("days", "served"), [(89.99, True), (90, True), (90.01, False)])
def test_the_last_moment_of_a_promotion_counts(days: float, *, served: bool) -> None:
    if served:
        assert reigning_seqs(apply_event(make_state(3, 2), rolled_back_event(2), days=days)) == (2, [3])
    else:
        assert_misfit(make_state(3, 2), rolled_back_event(2), "a model that may be served", days=days)


# --- waived ----------------------------------------------------------------------------------------------------------


def make_waiver(seq: int = 10, *, gate: str = "log_loss", until: Any = NOON + DAY) -> Waiver:
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
    before = make_state(3, 2, waivers=(make_waiver(4), make_waiver(5)))
    state = apply_event(before, WaivedEvent(waiver=make_waiver()))
    assert [waiver.seq for waiver in state.waivers] == [4, 5, 10]
    assert reigning_seqs(state) == (3, [2])


@pytest.mark.parametrize(
    "event", [make_waiver(9), make_waiver(11), make_waiver(until=NOON), make_waiver(until=NOON - DAY)]
)
def test_a_waiver_of_another_entry_or_time_is_none(event: Waiver) -> None:
    assert_misfit(make_state(3), WaivedEvent(waiver=event), "a waiver of this entry, until a later time")


def test_of_many_waivers_those_that_ran_out_first_go_first_and_none_that_counts() -> None:
    waivers = tuple(make_waiver(seq, until=NOON - DAY * (seq % 3)) for seq in range(MAX_WAIVERS))
    state = apply_event(make_state(3, waivers=waivers), WaivedEvent(waiver=make_waiver()))
    assert len(state.waivers) == MAX_WAIVERS
    assert {waiver.seq for waiver in waivers} - {waiver.seq for waiver in state.waivers} == {
        2
    }  # two days ago, the first of those
    alive = tuple(make_waiver(seq) for seq in range(MAX_WAIVERS))
    assert_misfit(
        make_state(3, waivers=alive), WaivedEvent(waiver=make_waiver()), f"at most {MAX_WAIVERS} waivers at once"
    )


# --- retracted -------------------------------------------------------------------------------------------------------


def retracted_event(
    *suspects: int, kind: Any = "metric", value: str = "auc", barred: tuple[str, ...] = ()
) -> RetractedEvent:
    return RetractedEvent(what=kind, value=value, reason="wrong", suspects=suspects, barred=barred)


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
    before = make_state(3, SUSPECT if suspects == (2,) else 2, 1)
    state = apply_event(before, retracted_event(*suspects))
    assert reigning_seqs(state) == (3, [2, 1])
    assert [model.suspect for model in (state.champion, *state.predecessors)] == marked
    assert state.retracted == {}


def test_rows_that_were_retracted_are_remembered() -> None:
    event = retracted_event(kind="data", value="a" * 64, barred=("a" * 64,))
    assert apply_event(make_state(3), event).retracted == {"a" * 64: 10}
    assert apply_event(make_state(3, retracted={"a" * 64: 4}), event).retracted == {"a" * 64: 4}
    for barred in ((), ("b" * 64,), ("a" * 64, "b" * 64)):
        assert_misfit(make_state(3), event.model_copy(update={"barred": barred}), "exactly these rows to be barred")


def test_scores_of_an_entry_that_was_wrong_are_remembered_and_its_waiver_is_not() -> None:
    event = retracted_event(kind="entry", value="4", barred=("c" * 64,))
    state = apply_event(make_state(3, waivers=(make_waiver(4), make_waiver(5)), retracted={"a" * 64: 2}), event)
    assert state.retracted == {"a" * 64: 2, "c" * 64: 10}
    assert [waiver.seq for waiver in state.waivers] == [5]


def test_a_metric_bars_nothing() -> None:
    event = retracted_event(kind="metric", value="auc")
    assert apply_event(make_state(3, waivers=(make_waiver(4),)), event).waivers == (make_waiver(4),)
    assert_misfit(make_state(3), event.model_copy(update={"barred": ("a" * 64,)}), "nothing to be barred")


# --- reverified ------------------------------------------------------------------------------------------------------


def reverified_event(
    champion: int, *, verdict: str = "PROMOTE", days: float | None = 180, model: int | None = None
) -> ReverifiedEvent:
    decision = {"verdict": verdict, "binding": {"model": sha_of(str(champion if model is None else model))}}
    until = None if days is None else NOON + days * DAY
    return ReverifiedEvent(
        of=run_of(str(champion)),
        promoted_by=champion,
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
    state = apply_event(make_state(make_champion(3, suspect=5), 2), reverified_event(3, verdict=verdict, days=days))
    assert state.champion.suspect == suspect
    assert state.champion.valid_until == (None if days is None else NOON + days * DAY)
    assert reigning_seqs(state) == (3, [2])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (reverified_event(2), "the champion"),
        (reverified_event(3).model_copy(update={"promoted_by": 2}), "the champion"),
        (reverified_event(3, model=2), "a judgement of the champion's model"),
        (
            reverified_event(3).model_copy(update={"decision": {"verdict": "PROMOTE"}}),
            "a judgement of the champion's model",
        ),
        (reverified_event(3, verdict="HOLD", days=90.1), "no longer than before"),
        (reverified_event(3, verdict="INCONCLUSIVE", days=None), "no longer than before"),
    ],
)
def test_a_reverification_that_no_state_allows(event: ReverifiedEvent, expected: str) -> None:
    assert_misfit(make_state(3, 2), event, expected)


def test_nobody_is_reverified_where_nobody_reigns() -> None:
    assert_misfit(make_state(None, 3), reverified_event(3), "the champion")


# --- registered ------------------------------------------------------------------------------------------------------


def make_holdout(**fields: Any) -> Holdout:
    return Holdout(**{"rows": 300, "hashes": "AAAAAA==", "numbered": False, "since": 10, **fields})


def test_a_registered_holdout_is_known() -> None:
    state = apply_event(make_state(3), RegisteredEvent(digest="d" * 64, holdout=make_holdout(), note=""))
    assert state.holdouts == {"d" * 64: make_holdout()}
    assert_misfit(
        state, RegisteredEvent(digest="d" * 64, holdout=make_holdout(), note=""), "a holdout that is not known"
    )


@pytest.mark.parametrize("fields", [{"since": 9}, {"looks": {"a": 10}}, {"spent": 0.01}, {"retired": True}])
def test_what_was_looked_at_is_not_registered(fields: dict[str, Any]) -> None:
    event = RegisteredEvent(digest="d" * 64, holdout=make_holdout(**fields), note="")
    assert_misfit(make_state(3), event, "a holdout of this entry, without looks")


def test_the_state_of_any_other_event_is_replayed() -> None:
    event, before = rolled_back_event(2), make_state(3, 2)
    fields = {"log_id": "l", "project": "orders", "seq": 10, "previous": "p", "time": NOON, "actor": "ada"}
    entry = LogEntry(**fields, event=event, state=apply_event(before, event))
    replay.check_entry(entry, before)
    forged = entry.model_copy(update={"state": entry.state.model_copy(update={"champion": make_champion(4)})})
    with pytest.raises(LogError, match="the state does not follow from the event and the previous state"):
        replay.check_entry(forged, before)


def test_so_many_predecessors_are_kept() -> None:
    assert MAX_PREDECESSORS == 32
    log = Log(MemoryStore(), project="orders")
    for model in "0123":
        promote_model(log, model)
    assert reigning_seqs(log.state()) == (4, [3, 2, 1])
    state = State()
    for seq in range(1, 40):
        state = state.with_champion(make_champion(seq))
    assert reigning_seqs(state) == (39, list(range(38, 6, -1)))
