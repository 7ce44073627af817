"""Appending, finding the head, and refusing what nobody but lockgate would have written."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from obstore.store import LocalStore, MemoryStore, S3Store

from lockgate import Evidence, Policy, State, judge
from lockgate.gates.errors import ConflictError, LogError
from lockgate.gates.log import Log, LogEntry
from tests.gates.candidates import one_line, path, recorded

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "if_present",
        "min_clusters": 10,
        "schedule": {"kind": "open"},
        "disclose": "all",
        "valid_for": "90d",
        "checks": {"auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"}},
    }
)
DECISION = judge(POLICY, Evidence.from_arrays(label=[0, 1, 0, 1], challenger=[0.1, 0.9, 0.2, 0.8]), now=NOON)
HELD = Evidence.from_arrays(label=[0, 1, 0, 1], challenger=[0.9, 0.1, 0.2, 0.8])


class CountingStore:
    """A store that counts what is asked of it."""

    def __init__(self, store: Any) -> None:
        self.asked: Counter[str] = Counter()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self._store, name)


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "local":
        return LocalStore(tmp_path / "log of mine", mkdir=True)
    return S3Store(**request.getfixturevalue("s3").store, prefix="metaflow/lockgate/orders")


def grown(log: Log, length: int, *, head: LogEntry | None = None, actor: str = "ada") -> LogEntry | None:
    """Append until the log has `length` entries."""
    for seq in range(head.seq + 1 if head else 1, length + 1):
        decision = judge(POLICY, HELD, head.state, now=NOON) if head else DECISION
        now = NOON + timedelta(seconds=seq - 1)
        head = log.append(recorded(decision), decision.state, after=head, actor=actor, now=now)
    return head


def blob(store: Any, seq: int) -> bytes:
    return bytes(store.get(path(seq)).bytes())


def rewritten(store: Any, number: int, **changes: Any) -> None:
    """Entry `number` as somebody with write access would forge it, in canonical form."""
    store.put(path(number), rfc8785.dumps(json.loads(blob(store, number)) | changes), mode="overwrite")


def test_an_empty_log_has_no_head_and_the_empty_state(store: Any) -> None:
    log = Log(store, project="orders")
    assert log.head() is None
    assert log.state() == State()
    assert list(log.entries()) == []


def test_what_was_appended_is_read_back(store: Any) -> None:
    log = Log(store, project="orders")
    last = grown(log, 3)
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
    grown(Log(store, project="orders"), 2)
    for seq in (1, 2):
        held = json.loads(blob(store, seq))
        assert rfc8785.dumps(held) == blob(store, seq)
        assert (held["seq"], held["project"], held["actor"], held["event"]["kind"]) == (seq, "orders", "ada", "judged")


def test_two_logs_have_different_ids() -> None:
    first, second = (grown(Log(MemoryStore(), project="orders"), 1) for _ in range(2))
    assert first.log_id != second.log_id


def test_the_head_is_found_at_every_length_with_few_look_ups() -> None:
    held = MemoryStore()
    log, head = Log(held, project="orders"), None
    for length in range(71):
        head = grown(log, length, head=head)
        counting = CountingStore(held)
        found = Log(counting, project="orders").head()
        assert (found.seq if found else 0) == length
        assert counting.asked["head"] <= 2  # with the hint: that it is there, and that nothing follows
        assert counting.asked["get"] == 1 + (length > 0) + (length > 1)  # the hint, the head, and what it follows
        if length:
            held.delete("head.json")
        counting = CountingStore(held)
        assert Log(counting, project="orders").head() == found
        assert counting.asked["head"] <= 2 * math.ceil(math.log2(length + 2)) + 1
        assert counting.asked["list"] == 0


def test_a_number_that_is_taken_is_a_conflict_and_changes_nothing(store: Any) -> None:
    log = Log(store, project="orders")
    first = grown(log, 1)
    grown(log, 2, head=first)
    before = blob(store, 2)
    with pytest.raises(ConflictError) as caught:
        grown(log, 2, head=first, actor="bob")
    one_line(caught)
    assert blob(store, 2) == before


def test_a_decision_made_for_another_number_is_refused() -> None:
    log = Log(MemoryStore(), project="orders")
    first = grown(log, 1)
    with pytest.raises(LogError, match="made for entry 1; expected entry 2"):
        log.append(recorded(DECISION), DECISION.state, after=first, actor="ada", now=NOON + timedelta(days=1))


@pytest.mark.parametrize(("late_by", "refused"), [(-1, True), (0, False), (1, False)])
def test_an_entry_dated_before_its_predecessor_is_refused(late_by: int, *, refused: bool) -> None:
    held = MemoryStore()
    log = Log(held, project="orders")
    first = grown(log, 1)
    second = judge(POLICY, HELD, first.state, now=NOON)
    arguments = {"after": first, "actor": "ada", "now": first.time + timedelta(microseconds=late_by)}
    if refused:
        with pytest.raises(LogError, match="before its predecessor") as caught:
            log.append(recorded(second), second.state, **arguments)
        assert "clock" in one_line(caught)
    else:
        log.append(recorded(second), second.state, **arguments)
    assert log.head().seq == (1 if refused else 2)


@pytest.mark.parametrize(
    ("changes", "said"),
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
def test_a_forged_entry_is_refused_where_it_is_met(changes: dict[str, Any], said: str) -> None:
    held = MemoryStore()
    log = Log(held, project="orders")
    grown(log, 3)
    rewritten(held, 2, **changes)
    with pytest.raises(LogError, match=said) as caught:
        list(log.entries())
    assert path(2) in one_line(caught)


def test_a_changed_entry_breaks_the_chain_behind_it() -> None:
    held = MemoryStore()
    log = Log(held, project="orders")
    grown(log, 3)
    rewritten(held, 2, actor="mallory")
    with pytest.raises(LogError, match="the chain is broken") as caught:
        list(log.entries())
    assert path(3) in one_line(caught)


def test_a_hole_in_the_log_is_said(store: Any) -> None:
    log = Log(store, project="orders")
    grown(log, 4)
    store.delete(path(3))
    with pytest.raises(LogError, match=r"no entry 3 @ log/00000003\.json"):
        log.entry(3)


def test_entries_are_read_from_any_number_and_backwards() -> None:
    log = Log(MemoryStore(), project="orders")
    grown(log, 5)
    every = [log.entry(seq) for seq in range(1, 6)]
    for start in range(1, 7):
        assert list(log.entries(start=start)) == every[start - 1 :]
    assert list(log.backwards()) == every[::-1]
    assert list(log.backwards(start=every[2])) == every[2::-1]


@pytest.mark.parametrize("changes", [{"previous": "0" * 64}, {"log_id": "0" * 32}])
def test_a_first_entry_that_follows_something_is_refused(changes: dict[str, Any]) -> None:
    held = MemoryStore()
    log = Log(held, project="orders")
    grown(log, 2)
    rewritten(held, 1, **changes)
    with pytest.raises(LogError, match="the chain is broken"):
        list(log.backwards())
    with pytest.raises(LogError, match="the chain is broken"):
        log.head()


def test_a_sealed_entry_holds_no_outcome_and_the_digest_of_what_was_told() -> None:
    held = MemoryStore()
    log = Log(held, project="orders")
    entry = log.append(recorded(DECISION.seal()), DECISION.state, after=None, actor="ada", now=NOON)
    assert entry.judgement.decision["outcomes"] == []
    assert b"observed" not in blob(held, 1)
    assert b"auc_floor" not in blob(held, 1)
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
    assert "nothing was promoted" in one_line(caught)
