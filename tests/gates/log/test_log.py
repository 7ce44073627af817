"""Appending, finding the head, and refusing what nobody but lockgate would have written."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from obstore.store import LocalStore, MemoryStore, S3Store

from lockgate import State, judge
from lockgate.gates.errors import ConflictError, LogError
from lockgate.gates.log import Log
from tests.builders import (
    DECISION,
    HELD_EVIDENCE,
    LENIENT_POLICY,
    NOON,
    CountingStore,
    assert_one_line,
    entry_path,
    grow_log,
    judged_event,
)


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "local":
        return LocalStore(tmp_path / "log of mine", mkdir=True)
    return S3Store(**request.getfixturevalue("s3").store, prefix="metaflow/lockgate/orders")


def stored_bytes(store: Any, seq: int) -> bytes:
    return bytes(store.get(entry_path(seq)).bytes())


def rewrite_entry(store: Any, number: int, **changes: Any) -> None:
    """Entry `number` as somebody with write access would forge it, in canonical form."""
    store.put(entry_path(number), rfc8785.dumps(json.loads(stored_bytes(store, number)) | changes), mode="overwrite")


def test_an_empty_log_has_no_head_and_the_empty_state(store: Any) -> None:
    log = Log(store, project="orders")
    assert log.head() is None
    assert log.state() == State()
    assert list(log.entries()) == []


def test_what_was_appended_is_read_back(store: Any) -> None:
    log = Log(store, project="orders")
    last = grow_log(log, 3)
    entries = list(log.entries())
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[-1] == log.head() == last
    assert [entry.previous for entry in entries] == [None, entries[0].digest, entries[1].digest]
    assert len({entry.log_id for entry in entries}) == 1
    assert log.state() == last.state
    assert entries[0].read_decision() == DECISION
    assert entries[0].judgement.decision_sha256 == DECISION.sha256
    assert entries[0].promotes
    assert [entry.event.verdict for entry in entries] == ["PROMOTE", "HOLD", "HOLD"]


def test_entries_are_canonical_json_under_padded_numbers(store: Any) -> None:
    grow_log(Log(store, project="orders"), 2)
    for seq in (1, 2):
        fields = json.loads(stored_bytes(store, seq))
        assert rfc8785.dumps(fields) == stored_bytes(store, seq)
        assert (fields["seq"], fields["project"], fields["actor"], fields["event"]["kind"]) == (
            seq,
            "orders",
            "ada",
            "judged",
        )


def test_two_logs_have_different_ids() -> None:
    first, second = (grow_log(Log(MemoryStore(), project="orders"), 1) for _ in range(2))
    assert first.log_id != second.log_id


def test_the_head_is_found_at_every_length_with_few_look_ups() -> None:
    store = MemoryStore()
    log, head = Log(store, project="orders"), None
    for length in range(71):
        head = grow_log(log, length, head=head)
        counting = CountingStore(store)
        last = Log(counting, project="orders").head()
        assert (last.seq if last else 0) == length
        assert counting.requests["head"] <= 2  # with the hint: that it is there, and that nothing follows
        assert counting.requests["get"] == 1 + (length > 0) + (length > 1)  # the hint, the head, and what it follows
        if length:
            store.delete("head.json")
        counting = CountingStore(store)
        assert Log(counting, project="orders").head() == last
        assert counting.requests["head"] <= 2 * math.ceil(math.log2(length + 2)) + 1
        assert counting.requests["list"] == 0


def test_a_number_that_is_taken_is_a_conflict_and_changes_nothing(store: Any) -> None:
    log = Log(store, project="orders")
    first = grow_log(log, 1)
    grow_log(log, 2, head=first)
    before = stored_bytes(store, 2)
    with pytest.raises(ConflictError) as caught:
        grow_log(log, 2, head=first, actor="bob")
    assert_one_line(caught)
    assert stored_bytes(store, 2) == before


def test_a_decision_made_for_another_number_is_refused() -> None:
    log = Log(MemoryStore(), project="orders")
    first = grow_log(log, 1)
    with pytest.raises(LogError, match="made for entry 1; expected entry 2"):
        log.append(judged_event(DECISION), DECISION.state, after=first, actor="ada", now=NOON + timedelta(days=1))


@pytest.mark.parametrize(("late_by", "refused"), [(-1, True), (0, False), (1, False)])
def test_an_entry_dated_before_its_predecessor_is_refused(late_by: int, *, refused: bool) -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    first = grow_log(log, 1)
    second = judge(LENIENT_POLICY, HELD_EVIDENCE, first.state, now=NOON)
    arguments = {"after": first, "actor": "ada", "now": first.time + timedelta(microseconds=late_by)}
    if refused:
        with pytest.raises(LogError, match="before its predecessor") as caught:
            log.append(judged_event(second), second.state, **arguments)
        assert "clock" in assert_one_line(caught)
    else:
        log.append(judged_event(second), second.state, **arguments)
    assert log.head().seq == (1 if refused else 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"previous": "0" * 64}, "the chain is broken"),
        ({"previous": None}, "the chain is broken"),
        ({"log_id": "0" * 32}, "the chain is broken"),
        ({"project": "flights"}, "of project 'flights'; expected project 'orders'"),
        ({"seq": 3}, "says it is number 3; expected number 2"),
        ({"time": "2024-05-01T12:00:02"}, "not an entry"),
        ({"format": 1}, "not an entry"),
        ({"format": 3}, "not an entry"),
        ({"event": {"kind": "judged", "verdict": "ERROR"}}, "not an entry"),
        ({"event": {"kind": "blessed"}}, "not an entry"),
        ({"time": "2024-05-01T11:59:59Z"}, "before its predecessor"),
        ({"stray": 1}, "not an entry"),
        ({"state": {}}, "not in canonical form"),
        ({"state": json.loads(State(seq=7).model_dump_json())}, "expected number 2"),
    ],
)
def test_a_forged_entry_is_refused_where_it_is_met(changes: dict[str, Any], message: str) -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    grow_log(log, 3)
    rewrite_entry(store, 2, **changes)
    with pytest.raises(LogError, match=message) as caught:
        list(log.entries())
    assert entry_path(2) in assert_one_line(caught)


def test_a_changed_entry_breaks_the_chain_behind_it() -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    grow_log(log, 3)
    rewrite_entry(store, 2, actor="mallory")
    with pytest.raises(LogError, match="the chain is broken") as caught:
        list(log.entries())
    assert entry_path(3) in assert_one_line(caught)


def test_a_hole_in_the_log_is_said(store: Any) -> None:
    log = Log(store, project="orders")
    grow_log(log, 4)
    store.delete(entry_path(3))
    with pytest.raises(LogError, match=r"no entry 3 @ log/00000003\.json"):
        log.entry(3)


def test_entries_are_read_from_any_number_and_backwards() -> None:
    log = Log(MemoryStore(), project="orders")
    grow_log(log, 5)
    every = [log.entry(seq) for seq in range(1, 6)]
    for start in range(1, 7):
        assert list(log.entries(start=start)) == every[start - 1 :]
    assert list(log.backwards()) == every[::-1]
    assert list(log.backwards(start=every[2])) == every[2::-1]


@pytest.mark.parametrize("changes", [{"previous": "0" * 64}, {"log_id": "0" * 32}])
def test_a_first_entry_that_follows_something_is_refused(changes: dict[str, Any]) -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    grow_log(log, 2)
    rewrite_entry(store, 1, **changes)
    with pytest.raises(LogError, match="the chain is broken"):
        list(log.backwards())
    with pytest.raises(LogError, match="the chain is broken"):
        log.head()


def test_a_sealed_entry_holds_no_outcome_and_the_digest_of_what_was_told() -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    entry = log.append(judged_event(DECISION.seal()), DECISION.state, after=None, actor="ada", now=NOON)
    assert entry.judgement.decision["outcomes"] == []
    assert b"observed" not in stored_bytes(store, 1)
    assert b"auc_floor" not in stored_bytes(store, 1)
    assert entry.judgement.decision_sha256 == DECISION.seal().sha256 == entry.read_decision().sha256
    assert entry.judgement.decision_sha256 != DECISION.sha256
    assert entry.promotes


def test_a_store_that_is_down_is_one_line() -> None:
    nobody = S3Store(
        "nobody",
        endpoint="http://127.0.0.1:9",
        access_key_id="a",
        secret_access_key="b",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(LogError, match="cannot be reached") as caught:
        Log(nobody, project="orders").head()
    assert "nothing was promoted" in assert_one_line(caught)
