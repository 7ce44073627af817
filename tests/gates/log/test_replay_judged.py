"""A judgement against the state before it: the engine says what becomes of the state, and the replay checks it.

Tests of gates/log/replay.py (judgements).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from obstore.store import MemoryStore

from lockgate import State
from lockgate.gates.errors import LogError
from lockgate.gates.log import Log, LogEntry, replay
from lockgate.gates.records.state import Waiver
from tests.builders import (
    FIRST_MODEL,
    HOPELESS,
    assert_one_line,
    clock_at,
    commit_evidence,
    draw_scores,
    make_evidence,
    run_of,
    sha_of,
)
from tests.gates.log.test_replay import make_champion


def _make_entries() -> tuple[LogEntry, LogEntry, LogEntry]:
    """A first promotion, a look that holds, a promotion over the champion."""
    log = Log(MemoryStore(), project="orders")
    commit_evidence(log, FIRST_MODEL)
    commit_evidence(log, HOPELESS)
    better = make_evidence(draw_scores(0.5, seed=2), model="2", champion_scores=FIRST_MODEL.challenger, champion="0")
    commit_evidence(log, better, minute=1)
    first, second, third = log.entries()
    return first, second, third


FIRST, LOOK, SECOND = _make_entries()


def change_entry(entry: LogEntry, *path: str | int, to: Any) -> LogEntry:
    """The entry with one value in it put in another's place."""
    fields = json.loads(entry.to_bytes())
    part = fields
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return LogEntry.model_validate_json(json.dumps(fields))


def test_what_the_engine_says_is_what_the_replay_expects() -> None:
    replay.check_entry(FIRST, State(salt=FIRST.state.salt))
    replay.check_entry(LOOK, FIRST.state)
    replay.check_entry(SECOND, LOOK.state)


DIGEST = HOPELESS.holdout
WAIVER = json.loads(
    Waiver(
        gate="log_loss",
        run=run_of("7"),
        model=sha_of("7"),
        policy=SECOND.read_decision().binding.policy,
        reason="known",
        until=clock_at(9)(),
        approver="ann",
        key="k",
        seq=2,
    ).model_dump_json()
)
CHAMPION = json.loads(SECOND.to_bytes())["state"]["champion"]


@pytest.mark.parametrize(
    ("entry", "path", "to", "expected"),
    [
        (SECOND, ("state", "champion"), None, "a champion after a promotion"),
        (SECOND, ("state", "champion", "sha256"), sha_of("0"), "the champion that was judged"),
        (SECOND, ("state", "champion", "run"), run_of("0"), "the champion that was judged"),
        (SECOND, ("state", "champion", "seq"), 1, "the champion that was judged"),
        (SECOND, ("state", "champion", "suspect"), 1, "the champion that was judged"),
        (SECOND, ("state", "champion", "valid_until"), None, "a promotion until 2024-07-30T12:01:00"),
        (SECOND, ("state", "champion", "valid_until"), "2024-07-30T12:01:00.000001Z", "a promotion until"),
        (SECOND, ("event", "valid_for"), "89d", "a promotion until 2024-07-29T12:01:00"),
        (SECOND, ("event", "decision", "binding", "champion_model"), sha_of("9"), "a challenge to the champion"),
        (SECOND, ("event", "decision", "outcomes", 1, "verdict"), "FAIL", "every blocking gate passed"),
        (SECOND, ("event", "decision", "outcomes", 1, "waived"), True, "a waiver for each gate that is waived"),
        (SECOND, ("event", "decision", "already_champion"), True, "a model that does not reign"),
        (SECOND, ("event", "decision", "verdict"), "HOLD", "nothing else to change"),
        (SECOND, ("state", "predecessors"), [], "nothing else to change"),
        (SECOND, ("state", "holdouts", DIGEST, "retired"), False, ""),
        (LOOK, ("state", "champion"), None, "nothing else to change"),
        (LOOK, ("state", "champion"), CHAMPION, "nothing else to change"),
        (LOOK, ("state", "champion", "valid_until"), "2099-01-01T00:00:00Z", "nothing else to change"),
        (LOOK, ("state", "revoked"), {sha_of("0"): 2}, "nothing else to change"),
        (LOOK, ("state", "retracted"), {"a" * 64: 2}, "nothing else to change"),
        (LOOK, ("state", "waivers"), [WAIVER], "nothing else to change"),
        (LOOK, ("state", "salt"), "another", "the log's salt"),
        (LOOK, ("state", "holdouts", DIGEST, "since"), 1, "a holdout of this entry"),
        (LOOK, ("state", "holdouts", DIGEST, "looks"), {"a": 1}, "a holdout of this entry"),
        (SECOND, ("state", "holdouts"), {}, "holdouts to keep their looks"),
        (SECOND, ("state", "holdouts", DIGEST, "looks"), {}, "holdouts to keep their looks"),
        (SECOND, ("state", "holdouts", DIGEST, "spent"), 0.0, "holdouts to keep their looks"),
        (SECOND, ("state", "holdouts", DIGEST, "rows"), 1, "holdouts to keep their looks"),
        (SECOND, ("state", "holdouts", DIGEST, "hashes"), "AAAAAA==", "holdouts to keep their looks"),
        (SECOND, ("state", "holdouts", DIGEST, "numbered"), False, "holdouts to keep their looks"),
    ],
    ids=lambda parameter: (
        ".".join(map(str, parameter)) if isinstance(parameter, tuple) else str(parameter)[:20].partition("=")[0]
    ),
)
def test_a_state_that_a_judgement_does_not_make_is_refused(
    entry: LogEntry, path: tuple[Any, ...], to: Any, expected: str
) -> None:
    forged = change_entry(entry, *path, to=to)
    before = {1: State(salt=FIRST.state.salt), 2: FIRST.state, 3: LOOK.state}[entry.seq]
    if not expected:  # whether a look retires its holdout is the policy's to say
        replay.check_entry(forged, before)
        return
    with pytest.raises(LogError, match=f"expected {expected}") as caught:
        replay.check_entry(forged, before)
    assert entry.where in assert_one_line(caught)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"revoked": {sha_of("2"): 1}}, "a model that was not revoked"),
        ({"retracted": {DIGEST: 1}}, "scores that were not retracted"),
        ({"champion": make_champion(1, sha256=sha_of("5"))}, "a challenge to the champion that reigned"),
    ],
)
def test_a_promotion_that_the_state_before_forbids_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(LogError, match=expected):
        replay.check_entry(SECOND, LOOK.state.model_copy(update=changes))
