"""Which model may serve: each reason against it in its own sentence, and what a log writer could try."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from obstore.store import MemoryStore

from lockgate import Evidence
from lockgate.gates.durations import MAX_CLOCK_SKEW
from lockgate.gates.errors import AdmissionError, LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.admission import Admission, TrustedHead, admit
from lockgate.gates.log import Log
from lockgate.gates.records.state import Champion, State
from tests.builders import (
    APPROVER,
    BETTER,
    FIRST_MODEL,
    GOOD,
    HOPELESS,
    JUDGE,
    LABEL,
    LENIENT_POLICY,
    NOON,
    as_signer,
    assert_one_line,
    clock_at,
    commit_evidence,
    entry_bytes,
    entry_path,
    make_evidence,
    new_log,
    promote_model,
    run_of,
    sha_of,
)

END = NOON + timedelta(days=90)
SAYS: dict[str, Any] = {"reason": "why", "actor": "bob", "clock": clock_at(1)}
TICK = timedelta(microseconds=1)


@pytest.fixture
def log() -> Log:
    """Signed; 0, 1 and 2 were promoted by entries 1, 2 and 3."""
    created = new_log()
    for model in "012":
        promote_model(created, model)
    return created


def refuse_admission(log: Log, message: str, **options: Any) -> str:
    with pytest.raises(AdmissionError, match=message) as caught:
        admit(log, **{"now": NOON, **options})
    return assert_one_line(caught)


def test_the_champion_is_admitted_under_the_head(log: Log) -> None:
    admitted = admit(as_signer(log, None), now=NOON)
    assert (admitted.champion, admitted.champion.run) == (log.state().champion, run_of("2"))
    assert admitted.head == TrustedHead(seq=3, digest=log.head().digest)


@pytest.mark.parametrize("name", ["0", run_of("0")])
def test_a_run_that_reigned_is_admitted_by_name(log: Log, name: str) -> None:
    assert admit(log, now=NOON, run=name).champion.run == run_of("0")


# --- nothing may serve -----------------------------------------------------------------------------------------------


def test_nobody_was_promoted() -> None:
    empty = new_log()
    refuse_admission(empty, r"^no model has been promoted yet \(`make evaluate model=xgb` trains and judges one;")
    actions.register(empty, FIRST_MODEL, note="", actor="bob", clock=clock_at())
    refuse_admission(empty, "no model has been promoted yet")
    refuse_admission(empty, "run '7' was never promoted, or is revoked; expected one of none", run="7")


def test_who_reigned_was_revoked_and_nobody_is_left() -> None:
    log = new_log()
    promote_model(log, "0")
    actions.revoke(log, "0", **SAYS)
    refuse_admission(log, "no model reigns: the champion was revoked, and no model before it may be served")
    refuse_admission(log, "run '0' was never promoted, or is revoked; expected one of none", run="0")


def test_a_revoked_run_is_not_admitted_by_name(log: Log) -> None:
    actions.revoke(log, "1", **SAYS)
    message = refuse_admission(
        log, "run '1' was never promoted, or is revoked; expected one of EvaluateNewModel/2", run="1"
    )
    assert "the last good predictions stay" in message
    assert admit(log, now=NOON).champion.run == run_of("2")


def test_a_run_that_was_only_judged_is_not_admitted() -> None:
    log = new_log()
    (commit_evidence(log, FIRST_MODEL), commit_evidence(log, HOPELESS))
    refuse_admission(log, r"run '1' was never promoted", run="1")


def test_a_suspect_champion_is_not_admitted(log: Log) -> None:
    actions.retract(log, entry=3, **SAYS)
    message = refuse_admission(
        log, "EvaluateNewModel/2 is suspect since entry 4 retracted what it rests on; expected a promotion"
    )
    assert "`lockgate reverify`, or evaluate again; the last good predictions stay" in message
    assert admit(log, now=NOON, run="1").champion.run == run_of("1")


@pytest.mark.parametrize(("late", "admitted"), [(-TICK, True), (timedelta(0), True), (TICK, False)])
def test_a_promotion_is_served_up_to_its_end_and_five_minutes_of_skew(
    log: Log, late: timedelta, *, admitted: bool
) -> None:
    assert timedelta(minutes=5) == MAX_CLOCK_SKEW
    if admitted:
        assert admit(log, now=END + MAX_CLOCK_SKEW + late).champion.run == run_of("2")
    else:
        refuse_admission(
            log,
            r"the promotion of EvaluateNewModel/2 expired at 2024-07-30T12:00\+00:00",
            now=END + MAX_CLOCK_SKEW + late,
        )


@pytest.mark.parametrize(("early", "admitted"), [(-TICK, True), (timedelta(0), True), (TICK, False)])
def test_a_head_from_the_future_says_that_a_clock_is_wrong(log: Log, early: timedelta, *, admitted: bool) -> None:
    if admitted:
        assert admit(log, now=NOON - MAX_CLOCK_SKEW - early).champion.run == run_of("2")
    else:
        message = refuse_admission(
            log, r"the last entry of the promotion log is dated 2024-05-01T12:00", now=NOON - MAX_CLOCK_SKEW - early
        )
        assert "clock" in message


def test_scores_without_a_model_serve_nobody() -> None:
    log = new_log()
    commit_evidence(log, Evidence.from_arrays(label=LABEL, challenger=GOOD), policy=LENIENT_POLICY)
    refuse_admission(log, "entry 1 promoted scores alone: it names no run and no model that could be loaded")


# --- the model's bytes -----------------------------------------------------------------------------------------------


def test_only_the_bytes_that_were_judged_are_a_model() -> None:
    model = b"what was judged"
    champion = Champion(sha256=hashlib.sha256(model).hexdigest(), run=run_of("2"), seq=3)
    admitted = Admission(champion=champion, head=TrustedHead(seq=3, digest=""), revoked=frozenset())
    assert admitted.check(model) is model
    for other in (b"", b"what was judge", b"What was judged", model + b"\n"):
        with pytest.raises(AdmissionError, match="is not what was judged: SHA-256") as caught:
            admitted.check(other)
        assert str(champion.sha256) in assert_one_line(caught)


# --- what was seen before --------------------------------------------------------------------------------------------


def test_a_log_that_went_on_is_followed(log: Log) -> None:
    entry = [TrustedHead(seq=seq, digest=log.entry(seq).digest) for seq in (1, 2, 3)]
    for item in entry:
        assert admit(log, now=NOON, trusted_head=item).head == entry[2]
    promote_model(log, "3", minute=1)
    assert admit(log, now=NOON, trusted_head=entry[2]).champion.run == run_of("3")


def test_a_log_whose_tail_was_deleted_is_refused(log: Log) -> None:
    observed = admit(log, now=NOON).head
    log.store.delete(entry_path(3))
    assert admit(log, now=NOON).champion.run == run_of("1")  # who has seen nothing cannot know
    message = refuse_admission(
        log, "the promotion log ends at entry 2, but entry 3 was seen before", trusted_head=observed
    )
    assert "its tail was deleted, or this is an older copy" in message
    log.store.delete(entry_path(2))
    log.store.delete(entry_path(1))
    refuse_admission(log, "the promotion log ends at entry 0, but entry 3 was seen before", trusted_head=observed)


def test_a_log_that_was_written_anew_is_refused(log: Log) -> None:
    observed = admit(log, now=NOON).head
    log.store.delete(entry_path(3))
    promote_model(log, "3")
    promote_model(log, "4")
    message = refuse_admission(
        log, "entry 3 of the promotion log is not the one that was seen before", trusted_head=observed
    )
    assert "the log was forked, or another one was put in its place" in message
    assert observed.digest in message
    other = new_log()
    for model in "01234":
        promote_model(other, model)
    refuse_admission(other, "entry 3 of the promotion log is not the one that was seen before", trusted_head=observed)


def test_a_revoked_champion_is_said_only_of_the_log_that_was_seen() -> None:
    log = new_log()
    promote_model(log, "0")
    observed = admit(log, now=NOON).head
    refuse_admission(new_log(), "ends at entry 0, but entry 1 was seen", trusted_head=observed)
    actions.revoke(log, "0", **SAYS)
    refuse_admission(log, "no model reigns", trusted_head=observed)


# --- a head that contradicts the log -------------------------------------------------------------------------------


def forge_entry(log: Log, seq: int, key: Any = JUDGE, **state: Any) -> None:
    """Entry `seq` with another state, signed by who may sign such an event."""
    recorded_entry = log.entry(seq)
    entry = recorded_entry.model_copy(
        update={"state": recorded_entry.state.model_copy(update=state), "signature": None}
    )
    log.store.put(
        entry_path(seq), entry.model_copy(update={"signature": key.sign(entry.payload())}).to_bytes(), mode="overwrite"
    )


@pytest.mark.parametrize(
    "change", [{"run": run_of("0")}, {"sha256": sha_of("0")}, {"seq": 3}, {"seq": 1}, {"run": None}], ids=str
)
def test_a_head_that_names_another_champion_than_was_promoted_is_refused(log: Log, change: dict[str, Any]) -> None:
    """By somebody who holds a key: the approver, who may roll back."""
    actions.rollback(as_signer(log, APPROVER), to="1", **SAYS)
    forge_entry(log, 4, APPROVER, champion=log.state().champion.model_copy(update=change))
    with pytest.raises(LogError, match="the state does not follow from the event and the previous state"):
        admit(log, now=NOON)


@pytest.mark.parametrize(
    "state",
    [
        {"champion": Champion(sha256="e" * 64, run="EvilFlow/1", seq=3, valid_until=END)},
        {"revoked": {}},
        {"retracted": {"a" * 64: 1}},
    ],
    ids=["champion", "revoked", "retracted"],
)
def test_an_approver_who_may_revoke_may_not_sign_any_state_with_it(log: Log, state: dict[str, Any]) -> None:
    actions.revoke(as_signer(log, APPROVER), "1", **SAYS)
    forge_entry(log, 4, APPROVER, **state)
    with pytest.raises(LogError, match="the state does not follow from the event and the previous state"):
        admit(log, now=NOON)
    with pytest.raises(LogError, match="the state does not follow from the event and the previous state"):
        promote_model(log, "3", minute=2)  # nor is anything written behind it


def test_an_approver_signs_no_state_by_putting_another_entry_behind_it(log: Log) -> None:
    """Who may revoke may not promote: neither by one entry, nor by two, of which the second follows from the first."""
    observed = admit(log, now=NOON).head
    actions.revoke(as_signer(log, APPROVER), "1", **SAYS)
    evil = Champion(sha256=sha_of("0"), run=run_of("0"), seq=1, valid_until=END + timedelta(days=999))
    forge_entry(log, 4, APPROVER, champion=evil)
    state = log.entry(4).state
    second = log.entry(4).model_copy(update={"seq": 5, "previous": log.entry(4).digest, "signature": None})
    event = second.event.model_copy(update={"of": run_of("7"), "model": sha_of("7"), "successor": 1})
    after = State(**{**state.model_dump(), "seq": 5, "revoked": {**state.revoked, sha_of("7"): 5}})
    second = second.model_copy(update={"event": event, "state": after})
    log.store.put(entry_path(5), second.model_copy(update={"signature": APPROVER.sign(second.payload())}).to_bytes())
    for call in (log.head, lambda: admit(log, now=NOON), lambda: admit(log, now=NOON, trusted_head=observed)):
        with pytest.raises(
            LogError, match=r"does not follow from the event and the previous state @ log/00000004\.json"
        ) as caught:
            call()
        assert_one_line(caught)


def test_a_long_row_of_an_approvers_entries_is_read_back_to_the_judges_and_no_further(log: Log) -> None:
    for index in range(5):
        actions.retract(as_signer(log, APPROVER), metric="brier", **SAYS | {"reason": f"{index}"})
    (log.store.delete(entry_path(1)), log.store.delete(entry_path(2)))
    assert log.head().seq == 8  # nothing before entry 3, which a judge signed, was asked for
    log.store.delete(entry_path(3))
    with pytest.raises(LogError, match="the promotion log has no entry 3"):
        log.head()


def test_in_an_unsigned_log_the_promotion_has_the_last_word() -> None:
    """Whoever can write there can forge all of it; what contradicts itself is refused."""
    log = Log(MemoryStore(), project="orders")
    for model in "012":
        promote_model(log, model)
    for seq in (2, 3):  # the head follows from the entry before it, but that one from none
        document = json.loads(entry_bytes(log, seq))
        document["state"]["predecessors"][-1]["sha256"] = "e" * 64
        document["previous"] = hashlib.sha256(entry_bytes(log, seq - 1)).hexdigest()
        log.store.put(entry_path(seq), rfc8785.dumps(document), mode="overwrite")
    message = refuse_admission(
        log, "entry 1 did not promote EvaluateNewModel/0; expected its promotion, of the model e", run="0"
    )
    assert "the head of the log contradicts its history; run `lockgate verify`" in message
    assert entry_path(1) in message
    assert admit(log, now=NOON).champion.run == run_of("2")


def test_a_date_that_nothing_can_be_taken_from_is_no_crash() -> None:
    log = Log(MemoryStore(), project="orders")
    commit_evidence(log, make_evidence(BETTER, model="0"), policy=LENIENT_POLICY)
    document = json.loads(entry_bytes(log, 1))
    document["time"] = "0001-01-01T00:00:00Z"
    log.store.put(entry_path(1), rfc8785.dumps(document), mode="overwrite")
    with pytest.raises((AdmissionError, LogError)) as caught:
        admit(log, now=NOON)
    assert_one_line(caught)


def test_an_unsigned_head_in_a_signed_log_serves_nobody(log: Log) -> None:
    commit_evidence(
        Log(log.store, project="orders"), make_evidence(BETTER, model="3", champion_scores=GOOD, champion="2")
    )
    with pytest.raises(LogError, match="the entry is not signed"):
        admit(log, now=NOON)


def test_a_log_of_another_project_serves_nobody(log: Log) -> None:
    with pytest.raises(LogError, match="the entry is of project 'orders'; expected project 'flights'"):
        admit(Log(log.store, project="flights", keyring=log.keyring), now=NOON)
