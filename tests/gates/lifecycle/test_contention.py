"""A commit where another writer is faster, or the store's answer is lost: one entry, at one moment.

Tests of gates/lifecycle/commit.py under contention.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from obstore.store import MemoryStore

from lockgate import Policy
from lockgate.gates.errors import LogError
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Log
from tests.builders import FIRST_MODEL, GATES, GOOD, HOPELESS, NOON, POLICY, commit_evidence, draw_scores, make_evidence


class Contended:
    """A store in which somebody else always comes first."""

    def __init__(self, store: Any, log: Log) -> None:
        self._store, self._log, self.rivals = store, log, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, path: str, blob: bytes, *, mode: str) -> Any:
        if path.startswith("log/") and self.rivals < 100:
            self.rivals += 1
            rival = make_evidence(
                draw_scores(0.1, seed=100 + self.rivals), model="9", champion_scores=GOOD, champion="0"
            )
            commit_evidence(self._log, rival)
        return self._store.put(path, blob, mode=mode)


def test_a_log_that_stays_contended_is_given_up_in_one_line() -> None:
    store = MemoryStore()
    log = Log(store, project="race")
    commit_evidence(log, FIRST_MODEL)
    wide = Policy.parse(GATES | {"schedule": {"kind": "fixed", "looks": 1000}})
    with pytest.raises(LogError, match="other writers were faster"):
        commit_evidence(
            Log(Contended(store, log), project="race"),
            make_evidence(draw_scores(0.1), model="1", champion_scores=GOOD, champion="0"),
            policy=wide,
        )


class Forgetful:
    """A store whose answer to the first write of an entry is lost on the way: it was made, and looks refused, or down.

    `then` is what the store's own retry does: meets what it wrote itself, or finds the store down.
    """

    def __init__(self, store: Any, *, then: str) -> None:
        self._store, self._then, self._lost = store, then, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, path: str, blob: bytes, *, mode: str) -> Any:
        if path.startswith("log/") and not self._lost:
            self._lost = True
            self._store.put(path, blob, mode=mode)
            if self._then == "down":
                raise OSError("connection reset by peer")
        return self._store.put(path, blob, mode=mode)


@pytest.mark.parametrize("then", ["retry", "down"])
@pytest.mark.parametrize("first", [True, False])
def test_a_write_whose_answer_was_lost_is_found_again(*, first: bool, then: str) -> None:
    store = MemoryStore()
    value = FIRST_MODEL
    if not first:
        commit_evidence(Log(store, project="race"), FIRST_MODEL)
        value = make_evidence(draw_scores(0.1), model="1", champion_scores=GOOD, champion="0")
    evidence = commit_evidence(Log(Forgetful(store, then=then), project="race"), value)
    assert not evidence.was_recorded  # it is ours, by its bytes
    assert evidence.entry == Log(store, project="race").head()
    assert evidence.entry.seq == (1 if first else 2)
    again = commit_evidence(Log(store, project="race"), value, minute=1)  # as who repeats the command finds it
    assert (again.was_recorded, again.entry, again.decision.verdict) == (
        True,
        evidence.entry,
        evidence.decision.verdict,
    )


def test_one_moment_is_the_judgement_s_the_entry_s_and_the_promotion_s() -> None:
    """The clock is asked once an attempt: an entry never says another time than what was decided at it."""
    ticks = iter(NOON + timedelta(minutes=tick) for tick in range(100))
    log = Log(MemoryStore(), project="race")
    entry = commit(POLICY, FIRST_MODEL, log, actor="ada", clock=lambda: next(ticks))
    assert entry.entry.time == NOON
    assert entry.entry.state.champion.valid_until == NOON + timedelta(days=90)
    assert next(ticks) == NOON + timedelta(minutes=1)


def test_a_writer_that_lost_judges_again_at_another_moment() -> None:
    class Late:
        """A store in which somebody else comes first, once."""

        def __init__(self, store: Any) -> None:
            self._store, self.rivals = store, 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def put(self, path: str, blob: bytes, *, mode: str) -> Any:
            if path.startswith("log/") and not self.rivals:
                self.rivals = 1
                commit_evidence(Log(self._store, project="race"), HOPELESS, minute=1)
            return self._store.put(path, blob, mode=mode)

    store = MemoryStore()
    commit_evidence(Log(store, project="race"), FIRST_MODEL)
    ticks = iter(NOON + timedelta(minutes=tick) for tick in (1, 2, 3))
    third = make_evidence(draw_scores(0.1, seed=9), model="2", champion_scores=GOOD, champion="0")
    entry = commit(POLICY, third, Log(Late(store), project="race"), actor="ada", clock=lambda: next(ticks))
    assert (entry.entry.seq, entry.entry.time) == (3, NOON + timedelta(minutes=2))
    assert entry.decision.look.number == 2
