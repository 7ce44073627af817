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
from tests.gates.candidates import FIRST_MODEL, HOPELESS, clock, committed, one_line, path
from tests.gates.log.test_log import CountingStore, grown

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
    held = MemoryStore()
    log = Log(held, project="orders")
    last = grown(log, 5)
    held.delete("head.json") if hint is None else held.put("head.json", hint, mode="overwrite")
    assert Log(held, project="orders").head() == last
    assert json.loads(bytes(held.get("head.json").bytes())) == {"seq": 5}  # and put right
    grown(log, 6, head=last)
    assert json.loads(bytes(held.get("head.json").bytes())) == {"seq": 6}


@pytest.mark.parametrize(("hint", "found"), [(None, 4), (1, 6), (2, 4), (4, 4), (5, 4), (6, 6)])
def test_a_hole_never_goes_unseen(hint: int | None, found: int) -> None:
    """Found before it, the log is as one whose tail was deleted; found behind it, the head follows nothing."""
    held = MemoryStore()
    log = Log(held, project="orders")
    grown(log, 6)
    held.delete(path(5))
    held.delete("head.json")
    if hint is not None:
        held.put("head.json", json.dumps({"seq": hint}).encode())
    if found == 4:
        assert log.head().seq == 4
        held.put("head.json", b'{"seq":6}', mode="overwrite")
    with pytest.raises(LogError, match="no entry 5"):
        log.head()
    with pytest.raises(LogError, match="no entry 5"):
        list(log.entries())


def test_who_may_only_read_finds_the_head_too() -> None:
    class ReadOnly(CountingStore):
        def put(self, *_: Any, **__: Any) -> None:
            raise PermissionError("read-only")

    held = MemoryStore()
    last = grown(Log(held, project="orders"), 5)
    held.delete("head.json")
    log = Log(ReadOnly(held), project="orders")
    assert log.head() == last
    with pytest.raises(LogError, match="read-only; it is unknown whether entry 6 was written") as caught:
        grown(log, 6, head=last)
    assert "run the command again" in one_line(caught)


def test_an_entry_of_boundless_size_is_not_read() -> None:
    held = MemoryStore()
    log = Log(held, project="orders")
    for size, said in ((MAX_ENTRY_BYTES, "not an entry"), (MAX_ENTRY_BYTES + 1, "the entry has 33,554,433 bytes")):
        held.put(path(1), bytes(size), mode="overwrite")
        with pytest.raises(LogError, match=said) as caught:
            log.head()
        assert path(1) in one_line(caught)


# --- a store that fails ----------------------------------------------------------------------------------------------


class Forgetful(CountingStore):
    """Writes an entry, and then says that it did not: what `raises` says, or that somebody else's is there."""

    def __init__(self, store: Any, raises: Exception) -> None:
        super().__init__(store)
        self.raises = raises

    def put(self, where: str, data: bytes, *, mode: str) -> Any:
        done = self._store.put(where, data, mode=mode)
        if where.startswith("log/"):
            raise self.raises
        return done


@pytest.mark.parametrize("raises", [OSError("timed out"), AlreadyExistsError("taken")], ids=["down", "taken"])
def test_a_write_whose_answer_was_lost_is_known_by_its_bytes(raises: Exception) -> None:
    held = MemoryStore()
    first = grown(Log(Forgetful(held, raises), project="orders"), 1)
    log = Log(held, project="orders")
    assert log.head() == first
    assert grown(Log(Forgetful(held, raises), project="orders"), 2, head=first) == log.head()


def test_who_wrote_an_entry_is_not_guessed_where_it_cannot_be_read() -> None:
    """The client tries a write again, meets what its first try has written, and then cannot read whose that is."""

    class Blind(Forgetful):
        def get(self, where: str) -> Any:
            if where.startswith("log/"):
                raise OSError("timed out")
            return self._store.get(where)

    held = MemoryStore()
    with pytest.raises(LogError, match="it is unknown whether entry 1 was written") as caught:
        grown(Log(Blind(held, AlreadyExistsError("taken")), project="orders"), 1)
    assert "`lockgate history` shows whether it was" in one_line(caught)
    assert Log(held, project="orders").head().seq == 1


def test_a_write_that_failed_is_said_to_have_failed_and_somebody_elses_is_a_conflict() -> None:
    class Broken(CountingStore):
        def put(self, where: str, data: bytes, *, mode: str) -> Any:
            if where.startswith("log/"):
                raise OSError("timed out\nafter 3 tries")
            return self._store.put(where, data, mode=mode)

    held = MemoryStore()
    with pytest.raises(
        LogError, match="cannot be reached: timed out; it is unknown whether entry 1 was written"
    ) as caught:
        grown(Log(Broken(held), project="orders"), 1)
    one_line(caught)
    first = grown(Log(held, project="orders"), 1)
    second = grown(Log(held, project="orders"), 2, head=first)
    with pytest.raises(LogError, match="it is unknown whether entry 2"):
        grown(Log(Broken(held), project="orders"), 2, head=first, actor="bob")
    assert Log(held, project="orders").head() == second


class Overwriting(CountingStore):
    """A store that creates what exists already: an old server that does not know If-None-Match."""

    def put(self, where: str, data: bytes, *, mode: str) -> Any:
        return self._store.put(where, data, mode="overwrite")


def test_a_store_that_creates_the_same_object_twice_is_refused_at_first_use() -> None:
    held = MemoryStore()
    for verb in (
        lambda log: grown(log, 1),
        lambda log: committed(log, FIRST_MODEL),
        lambda log: actions.register(log, FIRST_MODEL, note="", actor="ada", clock=clock()),
    ):
        with pytest.raises(LogError, match="the object store created the same object twice") as caught:
            verb(Log(Overwriting(held), project="orders"))
        assert "If-None-Match" in one_line(caught)
        assert [*held.list()] == []  # not even the policy, nor the probe


def test_the_store_is_tried_once_and_may_keep_what_was_tried() -> None:
    class Keeping(CountingStore):
        def delete(self, where: str) -> None:
            raise PermissionError("no deletions here")

    held = MemoryStore()
    log = Log(Keeping(held), project="orders")
    first = committed(log, FIRST_MODEL).entry
    committed(log, HOPELESS)
    assert log.head().previous == first.digest
    listed = sorted(one["path"].partition("/")[0] for page in held.list() for one in page)
    assert listed == ["head.json", "log", "log", "policies", "probe"]
