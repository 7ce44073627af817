"""A power cut takes back no entry that anybody was told of, and leaves a log that goes on (`gates/log/durable.py`).

The system calls of real writers are recorded with strace; what a disk may have kept after each of them is laid out in
a folder and read. What a disk owes its users is in `disk.py`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from lockgate.gates.errors import LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log, LogEntry, policies
from tests.builders import (
    POLICY,
    assert_one_line,
    clock_at,
    entry_bytes,
    entry_path,
    new_log,
    promote_model,
)
from tests.gates.log.disk import Call, Disk, Tree, trace_this_process

FOLDER = "metaflow/lockgate/orders"


def write_history(place: Path) -> None:
    """Three entries in a folder that is not there yet. The writer of the second is killed when it has its name."""
    receipts = os.open(place / "told", os.O_WRONLY | os.O_CREAT)

    def tell(entry: LogEntry) -> None:
        os.write(receipts, f"{entry.seq} {entry.digest}\n".encode())

    log = new_log(LocalStore(place / FOLDER, mkdir=True))
    tell(promote_model(log, "0"))
    leave_linked(log, place / FOLDER)
    other_log = new_log(LocalStore(place / FOLDER))
    head = other_log.head()
    assert head is not None
    tell(head)
    tell(actions.rollback(other_log, to=None, reason="a power cut", actor="ada", clock=clock_at(2)))
    os.close(receipts)


def leave_linked(log: Log, folder: Path) -> None:
    """Entry 2 as a writer leaves it who is killed before the folder is synced: nobody was told of it."""
    copy = MemoryStore()
    for path in folder.rglob("*.json"):
        copy.put(path.relative_to(folder).as_posix(), path.read_bytes())
    promote_model(new_log(copy), "1", minute=1, policy=POLICY)
    policies.store_policy(log.store, POLICY)
    draft, entry = folder / f"{entry_path(2)}#1", folder / entry_path(2)
    with draft.open("wb") as stream:
        stream.write(entry_bytes(new_log(copy), 2))
        stream.flush()
        os.fsync(stream.fileno())
    os.link(draft, entry)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """The folder in which nothing was, and what was done there."""
    place = tmp_path_factory.mktemp("disk")
    calls = trace_this_process(lambda: write_history(place), log=place / "strace")
    return place, [call for call in calls if any(path.startswith(str(place)) for path in call.paths)]


def power_cuts(place: Path, calls: Sequence[Call]) -> Iterator[tuple[Tree, dict[int, str]]]:
    """Every tree that is left by a power cut after one of the calls, with the entries that somebody knew of then."""
    disk, receipts, states = Disk(place / "metaflow"), {}, set()
    for call in calls:
        if call.paths == (str(place / "told"),):
            if call.data:
                seq, digest = call.data.decode().split()
                receipts[int(seq)] = digest
        else:
            disk.play(call)
        for tree in disk.list_states():
            objects = {path: blob for path, blob in tree.items() if "#" not in path and "/probe/" not in path}
            state = (tuple(sorted(objects.items())), len(receipts))
            if state not in states:  # drafts and probes are nothing to a reader
                states.add(state)
                yield tree, dict(receipts)


def read_back(tree: Tree, receipts: dict[int, str]) -> None:
    """Read what is left: what was told is there, whole, with what it refers to; and the next commit works."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:  # where syncing takes no time
        for path, blob in tree.items():
            file = Path(memory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(blob)
        log = new_log(LocalStore(Path(memory, FOLDER), mkdir=True))
        entries = list(log.entries())
        if {entry.seq: entry.digest for entry in entries[: len(receipts)]} != receipts:
            raise LogError(f"of {len(receipts)} entries {len(entries)} are there")
        for entry in entries:
            if entry.judgement is not None:
                policies.load_policy(log.store, entry.judgement.policy_sha256)
        promote_model(log, "7", minute=9)
        assert [entry.seq for entry in log.entries()] == list(range(1, len(entries) + 2))


def read_every_state(place: Path, calls: Sequence[Call]) -> set[int]:
    """Read what any power cut leaves; of how many entries anybody had been told then."""
    counts = set()
    for tree, receipts in power_cuts(place, calls):
        read_back(tree, receipts)
        counts.add(len(receipts))
    return counts


def test_every_power_cut_leaves_a_log_that_goes_on(recording: tuple[Path, list[Call]]) -> None:
    assert read_every_state(*recording) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "unsynced",
    ["orders/log/0.*", "orders/policies/.*", "orders/log", "orders/policies", "orders", "metaflow/lockgate"],
    ids=["entries", "policies", "names of entries", "names of policies", "a new folder", "a new folder above"],
)
def test_without_one_of_the_syncs_an_entry_is_lost_or_torn(recording: tuple[Path, list[Call]], unsynced: str) -> None:
    """So each of them is needed, and this file would notice its absence."""
    place, calls = recording
    remaining = [call for call in calls if call.name != "fsync" or not re.fullmatch(f".*/{unsynced}", call.paths[0])]
    assert len(remaining) < len(calls)
    with pytest.raises(LogError) as caught:
        read_every_state(place, remaining)
    assert_one_line(caught)


@pytest.mark.parametrize("torn", [b"", b"half", b"zeros"])
def test_a_torn_entry_is_one_line_that_says_how_to_go_on(torn: bytes) -> None:
    """As lockgate left them that synced nothing. It cannot mend that: it is not known whether the entry was told."""
    log = new_log()
    promote_model(log, "0")
    whole = entry_bytes(log, 1)
    promote_model(log, "1", minute=1)
    blob = {b"": b"", b"half": whole[: len(whole) // 2], b"zeros": bytes(len(whole))}[torn]
    log.store.put(entry_path(2), blob, mode="overwrite")
    for action in (log.head, lambda: promote_model(log, "2", minute=2)):
        with pytest.raises(LogError, match=f"it is torn, {len(blob):,} bytes without an end") as caught:
            action()
        assert "so delete it and run the command again" in assert_one_line(caught)
    log.store.delete(entry_path(2))
    assert promote_model(log, "2", minute=2).seq == 2
