"""Many processes at one log, on a disk and on S3; some are killed. What all of them saw must be linearizable.

`make races` plays fifty writers for two hundred rounds on both.

Tests of gates/log/log.py under contention.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore, S3Store

from lockgate.gates.log import Log
from tests.gates.log.histories import check_history, run_play
from tests.gates.log.race import MIN_ENTRIES

WRITERS = 50
ROUNDS = {"local": 40, "s3": 10}
FULL = int(os.environ.get("LOCKGATE_RACE_ROUNDS", "0"))


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "local":
        return {"kind": "local", "path": str(tmp_path / "log")}
    return {"kind": "s3", **request.getfixturevalue("s3").store}


def open_log(store: dict[str, Any]) -> Log:
    options = {**store}
    local = options.pop("kind") == "local"
    return Log(LocalStore(options["path"], mkdir=True) if local else S3Store(**options), project="race")


@pytest.mark.nightly
@pytest.mark.timeout(1800 if FULL else 300)
def test_of_fifty_that_promote_at_once_one_wins_every_round(store: dict[str, Any]) -> None:
    rounds = FULL or ROUNDS[store["kind"]]
    records = run_play("promoting", store, writers=WRITERS, rounds=rounds)
    entries = check_history(records, open_log(store))
    judged = [record for record in records if record["verb"] == "judge"]
    assert Counter(record.get("error") or record["verdict"] for record in judged) == {
        "PROMOTE": rounds,
        "StaleError": rounds * (WRITERS - 1),
    }
    assert len(entries) == rounds
    beaten = [entry.read_decision().binding.champion_run for entry in entries]
    assert beaten == [
        None,
        *(entry.event.run for entry in entries[:-1]),
    ]  # one promotion for each that reigned, and no other


@pytest.mark.parametrize(("writers", "turns"), [(6, 12), pytest.param(16, 20, marks=pytest.mark.nightly)])
def test_every_verb_at_once(store: dict[str, Any], writers: int, turns: int) -> None:
    records = run_play("mixed", store, writers=writers, turns=turns)
    entries = check_history(records, open_log(store))
    wrote = {record["key"] for record in records if "seq" in record and record["verb"] != "head"}
    assert {entry.actor for entry in entries} == wrote
    assert {entry.event.kind for entry in entries} == {"judged", "revoked", "rolled_back", "registered"}


@pytest.mark.parametrize("kills", [8, pytest.param(30, marks=pytest.mark.nightly)])
def test_writers_killed_at_any_moment(store: dict[str, Any], kills: int) -> None:
    records = run_play("killed", store, writers=4, kills=kills)
    log = open_log(store)
    entries = check_history(records, log)
    assert sum("ended" not in record for record in records) > 3
    assert len(entries) > MIN_ENTRIES
    assert log.head() == entries[-1]
