"""Many processes at one log, on a disk and on S3; some are killed. What all of them saw must be linearizable.

`make races` plays fifty writers for two hundred rounds on both.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore, S3Store

from lockgate.gates.log import Log
from tests.gates.log.histories import checked, played

WRITERS = 50
ROUNDS = {"local": 40, "s3": 10}
FULL = int(os.environ.get("LOCKGATE_RACE_ROUNDS", "0"))


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "local":
        return {"kind": "local", "path": str(tmp_path / "log")}
    return {"kind": "s3", **request.getfixturevalue("s3").store}


def opened(store: dict[str, Any]) -> Log:
    kind = {**store}
    local = kind.pop("kind") == "local"
    return Log(LocalStore(kind["path"], mkdir=True) if local else S3Store(**kind), project="race")


@pytest.mark.nightly
@pytest.mark.timeout(1800 if FULL else 300)
def test_of_fifty_that_promote_at_once_one_wins_every_round(store: dict[str, Any]) -> None:
    rounds = FULL or ROUNDS[store["kind"]]
    records = played("promoting", store, writers=WRITERS, rounds=rounds)
    entries = checked(records, opened(store))
    judged = [record for record in records if record["verb"] == "judge"]
    assert Counter(one.get("error") or one["verdict"] for one in judged) == {
        "PROMOTE": rounds,
        "StaleError": rounds * (WRITERS - 1),
    }
    assert len(entries) == rounds
    beaten = [entry.read_decision().binding.champion_run for entry in entries]
    assert beaten == [
        None,
        *(entry.event.run for entry in entries[:-1]),
    ]  # one promotion for each that reigned, and no other


def test_every_verb_at_once(store: dict[str, Any]) -> None:
    local = store["kind"] == "local"
    records = played("mixed", store, writers=16 if local else 8, turns=20 if local else 12)
    entries = checked(records, opened(store))
    wrote = {record["key"] for record in records if "seq" in record and record["verb"] != "head"}
    assert {entry.actor for entry in entries} == wrote
    assert {entry.event.kind for entry in entries} == {"judged", "revoked", "rolled_back", "registered"}


def test_writers_killed_at_any_moment(store: dict[str, Any]) -> None:
    records = played("killed", store, writers=4, kills=30 if store["kind"] == "local" else 12)
    log = opened(store)
    entries = checked(records, log)
    assert sum("ended" not in record for record in records) > 3
    assert len(entries) > 10
    assert log.head() == entries[-1]
