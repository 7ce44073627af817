"""What is not read back is not written: an entry, a policy or an artifact that is too large is refused before it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore, MemoryStore

from lockgate import Policy
from lockgate.gates.errors import LockgateError, LogError
from lockgate.gates.lifecycle import actions
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.lifecycle.reverify import reverify
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.objects import MAX_ENTRY_BYTES
from lockgate.gates.log.policies import MAX_POLICY_BYTES, load_policy, policy_bytes
from tests.gates.candidates import FIRST_MODEL, GATES, GOOD, POLICY, clock, evidence, one_line, opened, path

Write = Callable[[Log, str], LogEntry | None]


def judged(log: Log, actor: str) -> LogEntry | None:
    return commit(POLICY, FIRST_MODEL, log, actor=actor, clock=clock()).entry


def revoked(log: Log, actor: str) -> LogEntry | None:
    return actions.revoke(log, "EvaluateNewModel/0", reason="why", actor=actor, clock=clock(1))


def reverified(log: Log, actor: str) -> LogEntry | None:
    fresh = evidence(GOOD, model="0", rows="later")
    return reverify(POLICY, fresh, log, actor=actor, clock=clock(1)).entry


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def size(write: Write, before: int, actor: str) -> int:
    """How many bytes the entry has that `write` makes after `before` others."""
    log = opened(MemoryStore())
    for _ in range(before):
        judged(log, "ada")
    entry = write(log, actor)
    assert entry is not None
    return len(entry.to_bytes())


@pytest.mark.parametrize(("write", "before"), [(judged, 0), (revoked, 1), (reverified, 1)])
def test_an_entry_is_written_only_if_it_is_read_back(tmp_path: Path, write: Write, before: int) -> None:
    room = MAX_ENTRY_BYTES - size(write, before, "")
    for spare in (1, 0):
        log = opened(LocalStore(tmp_path / str(spare), mkdir=True))
        for _ in range(before):
            judged(log, "ada")
        entry = write(log, "a" * (room - spare))
        assert len(entry.to_bytes()) == MAX_ENTRY_BYTES - spare
        assert opened(LocalStore(tmp_path / str(spare))).head() == entry

    folder = tmp_path / "over"
    log = opened(LocalStore(folder, mkdir=True))
    for _ in range(before):
        judged(log, "ada")
    there, head = files(folder), log.head()
    with pytest.raises(LogError, match=f"entry {before + 1} would have 33,554,433 bytes") as caught:
        write(log, "a" * (room + 1))
    line = one_line(caught)
    assert f"expected at most 33,554,432, the most that can be read back @ {path(before + 1)}" in line
    assert "nothing was written" in line
    assert files(folder) == there
    assert opened(LocalStore(folder)).head() == head


def described(length: int) -> Policy:
    check: dict[str, Any] = {**GATES["checks"]["auc_floor"], "description": "d" * length}
    return Policy.parse(GATES | {"checks": {"auc_floor": check}})


def test_a_policy_is_kept_only_if_it_is_read_back(tmp_path: Path) -> None:
    room = MAX_POLICY_BYTES - len(policy_bytes(described(1))) + 1
    for spare in (1, 0):
        log = opened(LocalStore(tmp_path / str(spare), mkdir=True))
        policy = described(room - spare)
        entry = commit(policy, FIRST_MODEL, log, actor="ada", clock=clock()).entry
        assert load_policy(log.store, entry.judgement.policy_sha256) == policy

    log = opened(LocalStore(tmp_path / "over", mkdir=True))
    with pytest.raises(LockgateError, match="the policy has 4,194,305 bytes; expected at most 4,194,304") as caught:
        commit(described(room + 1), FIRST_MODEL, log, actor="ada", clock=clock())
    assert "nothing was written" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files(tmp_path / "over") == set()
