"""A holdout is registered once, before anything is judged on it, and recognised by the log afterwards.

Tests of gates/lifecycle/actions.py (register).
"""

from __future__ import annotations

from obstore.store import MemoryStore

from lockgate import Evidence
from lockgate.gates.lifecycle import actions
from lockgate.gates.log import Log
from tests.builders import (
    BAD,
    FIRST_MODEL,
    GOOD,
    HOPELESS,
    LABEL,
    assert_refused,
    clock_at,
    commit_evidence,
    make_evidence,
    run_of,
    sha_of,
)


def test_a_holdout_is_known_before_anything_is_judged_on_it() -> None:
    log = Log(MemoryStore(), project="orders")
    entry = actions.register(log, FIRST_MODEL, note="May", actor="bob", clock=clock_at())
    assert (entry.seq, entry.event.digest, entry.event.note) == (1, FIRST_MODEL.holdout, "May")
    assert log.state().champion is None
    assert commit_evidence(log, FIRST_MODEL, minute=1).decision.verdict == "PROMOTE"
    looked = commit_evidence(log, HOPELESS, minute=2)
    assert looked.decision.look.number == 1
    (value,) = log.state().holdouts.values()  # the same salt: it was recognised
    assert (value.since, list(value.looks.values()), value.rows) == (1, [3], 300)


def test_the_rows_are_recognised_by_the_salt_of_the_log() -> None:
    """Registered under names, looked at in part: one ledger."""
    log = Log(MemoryStore(), project="orders")
    rows = make_evidence(GOOD, model="0", rows="order")
    actions.register(log, rows, note="", actor="bob", clock=clock_at())
    commit_evidence(log, rows)
    part = Evidence.from_arrays(
        label=LABEL[:290],
        challenger=BAD[:290],
        champion=GOOD[:290],
        row_id=[f"order {index}" for index in range(290)],
        facts={
            "challenger": {"run": run_of("1"), "sha256": sha_of("1")},
            "champion": {"run": run_of("0"), "sha256": sha_of("0")},
        },
    )
    evidence = commit_evidence(log, part, minute=1)
    assert evidence.decision.look.holdouts == (rows.holdout,)
    assert "first looked at in entry 1" in evidence.decision.look.message


def test_what_is_known_or_nothing_is_not_registered() -> None:
    log = Log(MemoryStore(), project="orders")
    actions.register(log, FIRST_MODEL, note="", actor="bob", clock=clock_at())
    again = {"note": "", "actor": "bob", "clock": clock_at(1)}
    assert_refused(
        log, lambda: actions.register(log, HOPELESS, **again), r"holdout [0-9a-f]{12} has been registered since entry 1"
    )
    empty = Evidence.from_arrays(label=[], challenger=[])
    assert_refused(log, lambda: actions.register(log, empty, **again), "there are no rows to register")
    long = again | {"note": "x" * 2001}
    other = make_evidence(GOOD, model="0", rows="order")
    assert_refused(log, lambda: actions.register(log, other, **long), "this cannot be recorded: note")
