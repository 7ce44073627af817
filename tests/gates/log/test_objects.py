"""The objects of the log: found whatever the hint says, written once whatever the store answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from obstore.exceptions import AlreadyExistsError
from obstore.store import MemoryStore

from lockgate.gates.errors import LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log
from lockgate.gates.log.objects import MAX_ENTRY_BYTES
from tests.builders import (
    FIRST_MODEL,
    HOPELESS,
    CountingStore,
    assert_one_line,
    clock_at,
    commit_evidence,
    entry_path,
    grow_log,
)

# --- the hint --------------------------------------------------------------------------------------------------------

GARBAGE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"seq":"3"}',
    b'{"seq":-1}',
    b'{"seq":0}',
    b'{"seq":1e9}',
    b'{"seq":3.0}',
    b"\xff",
    b"[" * 100_000,
    b'{"seq":3,"pad":"' + b"a" * 2000 + b'"}',
]


@pytest.mark.parametrize(
    "hint",
    [None, *GARBAGE, *(json.dumps({"seq": seq}).encode() for seq in (1, 4, 5, 6, 7, 9, 1000, 99_999_999, 10**8))],
    ids=lambda hint: ascii(hint)[:24],
)
def test_the_head_is_found_whatever_the_hint_says(hint: bytes | None) -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    last = grow_log(log, 5)
    store.delete("head.json") if hint is None else store.put("head.json", hint, mode="overwrite")
    assert Log(store, project="orders").head() == last
    assert json.loads(bytes(store.get("head.json").bytes())) == {"seq": 5}  # and put right
    grow_log(log, 6, head=last)
    assert json.loads(bytes(store.get("head.json").bytes())) == {"seq": 6}


@pytest.mark.parametrize(("hint", "last"), [(None, 4), (1, 6), (2, 4), (4, 4), (5, 4), (6, 6)])
def test_a_hole_never_goes_unseen(hint: int | None, last: int) -> None:
    """Found before it, the log is as one whose tail was deleted; found behind it, the head follows nothing."""
    store = MemoryStore()
    log = Log(store, project="orders")
    grow_log(log, 6)
    store.delete(entry_path(5))
    store.delete("head.json")
    if hint is not None:
        store.put("head.json", json.dumps({"seq": hint}).encode())
    if last == 4:
        assert log.head().seq == 4
        store.put("head.json", b'{"seq":6}', mode="overwrite")
    with pytest.raises(LogError, match="no entry 5"):
        log.head()
    with pytest.raises(LogError, match="no entry 5"):
        list(log.entries())


def test_who_may_only_read_finds_the_head_too() -> None:
    class ReadOnly(CountingStore):
        def put(self, *_: Any, **__: Any) -> None:
            raise PermissionError("read-only")

    store = MemoryStore()
    last = grow_log(Log(store, project="orders"), 5)
    store.delete("head.json")
    log = Log(ReadOnly(store), project="orders")
    assert log.head() == last
    with pytest.raises(LogError, match="read-only; it is unknown whether entry 6 was written") as caught:
        grow_log(log, 6, head=last)
    assert "run the command again" in assert_one_line(caught)


def test_an_entry_of_boundless_size_is_not_read() -> None:
    store = MemoryStore()
    log = Log(store, project="orders")
    for size, message in ((MAX_ENTRY_BYTES, "not an entry"), (MAX_ENTRY_BYTES + 1, "the entry has 33,554,433 bytes")):
        store.put(entry_path(1), bytes(size), mode="overwrite")
        with pytest.raises(LogError, match=message) as caught:
            log.head()
        assert entry_path(1) in assert_one_line(caught)


# --- a store that fails ----------------------------------------------------------------------------------------------


class Forgetful(CountingStore):
    """Writes an entry, and then says that it did not: what `raises` says, or that somebody else's is there."""

    def __init__(self, store: Any, raises: Exception) -> None:
        super().__init__(store)
        self.raises = raises

    def put(self, where: str, data: bytes, *, mode: str) -> Any:
        result = self._store.put(where, data, mode=mode)
        if where.startswith("log/"):
            raise self.raises
        return result


@pytest.mark.parametrize("raises", [OSError("timed out"), AlreadyExistsError("taken")], ids=["down", "taken"])
def test_a_write_whose_answer_was_lost_is_known_by_its_bytes(raises: Exception) -> None:
    store = MemoryStore()
    first = grow_log(Log(Forgetful(store, raises), project="orders"), 1)
    log = Log(store, project="orders")
    assert log.head() == first
    assert grow_log(Log(Forgetful(store, raises), project="orders"), 2, head=first) == log.head()


def test_who_wrote_an_entry_is_not_guessed_where_it_cannot_be_read() -> None:
    """The client tries a write again, meets what its first try has written, and then cannot read whose that is."""

    class Blind(Forgetful):
        def get(self, where: str) -> Any:
            if where.startswith("log/"):
                raise OSError("timed out")
            return self._store.get(where)

    store = MemoryStore()
    with pytest.raises(LogError, match="it is unknown whether entry 1 was written") as caught:
        grow_log(Log(Blind(store, AlreadyExistsError("taken")), project="orders"), 1)
    assert "`lockgate history` shows whether it was" in assert_one_line(caught)
    assert Log(store, project="orders").head().seq == 1


def test_a_write_that_failed_is_said_to_have_failed_and_somebody_elses_is_a_conflict() -> None:
    class Broken(CountingStore):
        def put(self, where: str, data: bytes, *, mode: str) -> Any:
            if where.startswith("log/"):
                raise OSError("timed out\nafter 3 tries")
            return self._store.put(where, data, mode=mode)

    store = MemoryStore()
    with pytest.raises(
        LogError, match="cannot be reached: timed out; it is unknown whether entry 1 was written"
    ) as caught:
        grow_log(Log(Broken(store), project="orders"), 1)
    assert_one_line(caught)
    first = grow_log(Log(store, project="orders"), 1)
    second = grow_log(Log(store, project="orders"), 2, head=first)
    with pytest.raises(LogError, match="it is unknown whether entry 2"):
        grow_log(Log(Broken(store), project="orders"), 2, head=first, actor="bob")
    assert Log(store, project="orders").head() == second


class Overwriting(CountingStore):
    """A store that creates what exists already: an old server that does not know If-None-Match."""

    def put(self, where: str, data: bytes, *, mode: str) -> Any:
        return self._store.put(where, data, mode="overwrite")


def test_a_store_that_creates_the_same_object_twice_is_refused_at_first_use() -> None:
    store = MemoryStore()
    for verb in (
        lambda log: grow_log(log, 1),
        lambda log: commit_evidence(log, FIRST_MODEL),
        lambda log: actions.register(log, FIRST_MODEL, note="", actor="ada", clock=clock_at()),
    ):
        with pytest.raises(LogError, match="the object store created the same object twice") as caught:
            verb(Log(Overwriting(store), project="orders"))
        assert "If-None-Match" in assert_one_line(caught)
        assert [*store.list()] == []  # not even the policy, nor the probe


def test_the_store_is_tried_once_and_may_keep_what_was_tried() -> None:
    class Keeping(CountingStore):
        def delete(self, where: str) -> None:
            raise PermissionError("no deletions here")

    store = MemoryStore()
    log = Log(Keeping(store), project="orders")
    first = commit_evidence(log, FIRST_MODEL).entry
    commit_evidence(log, HOPELESS)
    assert log.head().previous == first.digest
    folders = sorted(meta["path"].partition("/")[0] for page in store.list() for meta in page)
    assert folders == ["head.json", "log", "log", "policies", "probe"]
