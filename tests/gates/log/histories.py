"""The records of race.py as a history, which is checked against the final log."""

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
from tests.gates.log.linearizable import Appended, Operation, Read, Saw, Written, find_violations

RACE = Path(__file__).with_name("race.py")
Record = dict[str, Any]

# Why an operation may say that it wrote nothing: a phrase of its message → when that is true.
REFUSALS: dict[str, dict[str, Callable[[Record, State], bool]]] = {
    "judge": {"STALE": lambda record, state: record["champion"] != (state.champion and state.champion.sha256)},
    "revoke": {"revoked before": lambda record, state: record["model"] in state.revoked},
    "rollback": {
        "no model reigns": lambda _, state: state.champion is None,
        "that was promoted before": lambda _, state: (
            state.champion is not None
            and all(former.seq > state.champion.seq or former.sha256 in state.revoked for former in state.predecessors)
        ),
        "reigns already": lambda record, state: state.champion is not None and state.champion.run == record["to"],
        "was revoked by": lambda record, state: record["model"] in state.revoked,
        "never reigned": lambda record, state: state.find_champion(record["to"]) is None,
        "reigns by now": lambda _, state: state.champion is not None,
    },
    "register": {"has been registered since": lambda record, state: record["digest"] in state.holdouts},
}


def run_play(play: str, store: dict[str, Any], **size: int) -> list[Record]:
    """Every call with its answer, as one record; `ended` is missing if the process was killed."""
    command = [sys.executable, str(RACE), json.dumps({"play": play, "store": store, **size})]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    records: dict[str, Record] = {}
    for line in process.stdout.splitlines():
        fields = json.loads(line)
        records.setdefault(fields["key"], {}).update(fields)
    return list(records.values())


def check_history(records: Sequence[Record], log: Log) -> list[LogEntry]:
    """Check the log and the history, and return the log's entries.

    The log must be whole: numbers without gaps, entries chained and signed, states that follow from their events,
    policies stored. And the history must be linearizable.
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
    written += [Written(key=entry.actor, digest=entry.digest, state=entry.state) for entry in entries]
    assert find_violations([_operation(record) for record in records], written) == []
    return entries


def _operation(record: Record) -> Operation:
    return Operation(
        key=record["key"],
        began=record["began"],
        ended=record.get("ended"),
        answer=_answer(record) if "ended" in record else None,
    )


def _answer(record: Record) -> Appended | Read | Saw:
    if record["verb"] == "head":
        return Read(record["seq"], record["digest"])
    if "error" not in record:
        return Appended(record["seq"])
    reasons = [holds for phrase, holds in REFUSALS[record["verb"]].items() if phrase in record["line"]]
    assert len(reasons) == 1, record
    return Saw(record["line"], lambda state: reasons[0](record, state))
