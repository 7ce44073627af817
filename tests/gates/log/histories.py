"""What race.py wrote down, as a history that is checked against the log that is left over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lockgate import State
from lockgate.gates.log import Log, LogEntry, replay
from lockgate.gates.log.policies import load_policy
from tests.gates.log.linearizable import Appended, Operation, Read, Saw, Written, violations

RACE = Path(__file__).with_name("race.py")
Record = dict[str, Any]

# Why an operation may say that it wrote nothing: what is in its message, and when that is true.
REFUSALS: dict[str, dict[str, Callable[[Record, State], bool]]] = {
    "judge": {"STALE": lambda told, state: told["beside"] != (state.champion and state.champion.sha256)},
    "revoke": {"revoked before": lambda told, state: told["model"] in state.revoked},
    "rollback": {
        "no model reigns": lambda _, state: state.champion is None,
        "that was promoted before": lambda _, state: (
            state.champion is not None
            and all(one.seq > state.champion.seq or one.sha256 in state.revoked for one in state.predecessors)
        ),
        "reigns already": lambda told, state: state.champion is not None and state.champion.run == told["to"],
        "was revoked by": lambda told, state: told["model"] in state.revoked,
        "never reigned": lambda told, state: state.named(told["to"]) is None,
        "reigns by now": lambda _, state: state.champion is not None,
    },
    "register": {"has been registered since": lambda told, state: told["digest"] in state.holdouts},
}


def played(play: str, store: dict[str, Any], **size: int) -> list[Record]:
    """Every call and its answer in one record; `ended` is missing where a process was killed."""
    words = [sys.executable, str(RACE), json.dumps({"play": play, "store": store, **size})]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    held: dict[str, Record] = {}
    for line in done.stdout.splitlines():
        said = json.loads(line)
        held.setdefault(said["key"], {}).update(said)
    return list(held.values())


def checked(records: Sequence[Record], log: Log) -> list[LogEntry]:
    """The entries of the log, after everything that must hold was seen to hold.

    The log is whole: numbers without gaps, each entry chained to the one before, signed, its state what its event
    makes of the one before, and its policy kept. And the history is linearizable.
    """
    entries = list(log.entries())
    before = State(salt=entries[0].state.salt) if entries else State()
    for seq, entry in enumerate(entries, start=1):
        assert entry.seq == seq
        replay.check_entry(entry, before)
        before = entry.state
        if entry.judgement:
            load_policy(log.store, entry.judgement.policy_sha256)
    written = [Written(key="", digest="", state=State())]
    written += [Written(key=one.actor, digest=one.digest, state=one.state) for one in entries]
    assert violations([_operation(record) for record in records], written) == []
    return entries


def _operation(told: Record) -> Operation:
    return Operation(
        key=told["key"], began=told["began"], ended=told.get("ended"), answer=_answer(told) if "ended" in told else None
    )


def _answer(told: Record) -> Appended | Read | Saw:
    if told["verb"] == "head":
        return Read(told["seq"], told["digest"])
    if "error" not in told:
        return Appended(told["seq"])
    reasons = [holds for said, holds in REFUSALS[told["verb"]].items() if said in told["line"]]
    assert len(reasons) == 1, told
    return Saw(told["line"], lambda state: reasons[0](told, state))
