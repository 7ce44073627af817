"""What could not be read back is not written: an entry or a policy that is too large is refused before.

Tests of gates/log/objects.py and gates/log/policies.py (limits).
"""

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
from tests.builders import (
    FIRST_MODEL,
    GATES,
    GOOD,
    POLICY,
    assert_one_line,
    clock_at,
    entry_path,
    make_evidence,
    new_log,
)

Write = Callable[[Log, str], LogEntry | None]


def judge_first(log: Log, actor: str) -> LogEntry | None:
    return commit(POLICY, FIRST_MODEL, log, actor=actor, clock=clock_at()).entry


def revoke_first(log: Log, actor: str) -> LogEntry | None:
    return actions.revoke(log, "EvaluateNewModel/0", reason="why", actor=actor, clock=clock_at(1))


def reverify_first(log: Log, actor: str) -> LogEntry | None:
    fresh = make_evidence(GOOD, model="0", rows="later")
    return reverify(POLICY, fresh, log, actor=actor, clock=clock_at(1)).entry


def list_files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def measure_entry(write: Write, before: int, actor: str) -> int:
    """How many bytes the entry takes that `write` makes after `before` others."""
    log = new_log(MemoryStore())
    for _ in range(before):
        judge_first(log, "ada")
    entry = write(log, actor)
    assert entry is not None
    return len(entry.to_bytes())


@pytest.mark.parametrize(
    "max_bytes", [64 * 1024, pytest.param(MAX_ENTRY_BYTES, marks=pytest.mark.nightly)], ids=["small", "real"]
)
@pytest.mark.parametrize(("write", "before"), [(judge_first, 0), (revoke_first, 1), (reverify_first, 1)])
def test_an_entry_is_written_only_if_it_is_read_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: Write, before: int, max_bytes: int
) -> None:
    """The real limit is 32 MB, and an entry of that size takes half a minute to write; so the quick run lowers it."""
    monkeypatch.setattr("lockgate.gates.log.objects.MAX_ENTRY_BYTES", max_bytes)
    room = max_bytes - measure_entry(write, before, "")
    for spare in (1, 0):
        log = new_log(LocalStore(tmp_path / str(spare), mkdir=True))
        for _ in range(before):
            judge_first(log, "ada")
        entry = write(log, "a" * (room - spare))
        assert len(entry.to_bytes()) == max_bytes - spare
        assert new_log(LocalStore(tmp_path / str(spare))).head() == entry

    folder = tmp_path / "over"
    log = new_log(LocalStore(folder, mkdir=True))
    for _ in range(before):
        judge_first(log, "ada")
    files_before, head = list_files(folder), log.head()
    with pytest.raises(LogError, match=f"entry {before + 1} would have {max_bytes + 1:,} bytes") as caught:
        write(log, "a" * (room + 1))
    line = assert_one_line(caught)
    assert f"expected at most {max_bytes:,}, the most that can be read back @ {entry_path(before + 1)}" in line
    assert "nothing was written" in line
    assert list_files(folder) == files_before
    assert new_log(LocalStore(folder)).head() == head


def test_the_limit_of_an_entry() -> None:
    assert MAX_ENTRY_BYTES == 33_554_432


def make_policy(length: int) -> Policy:
    check: dict[str, Any] = {**GATES["checks"]["auc_floor"], "description": "d" * length}
    return Policy.parse(GATES | {"checks": {"auc_floor": check}})


def test_a_policy_is_kept_only_if_it_is_read_back(tmp_path: Path) -> None:
    room = MAX_POLICY_BYTES - len(policy_bytes(make_policy(1))) + 1
    for spare in (1, 0):
        log = new_log(LocalStore(tmp_path / str(spare), mkdir=True))
        policy = make_policy(room - spare)
        entry = commit(policy, FIRST_MODEL, log, actor="ada", clock=clock_at()).entry
        assert load_policy(log.store, entry.judgement.policy_sha256) == policy

    log = new_log(LocalStore(tmp_path / "over", mkdir=True))
    with pytest.raises(LockgateError, match="the policy has 4,194,305 bytes; expected at most 4,194,304") as caught:
        commit(make_policy(room + 1), FIRST_MODEL, log, actor="ada", clock=clock_at())
    assert "nothing was written" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list_files(tmp_path / "over") == set()
