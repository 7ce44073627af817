"""Many writers at once, and writers that are killed, on a disk and on S3."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore, S3Store

from gates.log import Log

RACE = Path(__file__).with_name("race.py")


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "local":
        return {"kind": "local", "path": str(tmp_path / "log")}
    return {"kind": "s3", **request.getfixturevalue("s3").store}


def opened(store: dict[str, Any]) -> Log:
    kind = {**store}
    local = kind.pop("kind") == "local"
    return Log(LocalStore(kind["path"], mkdir=True) if local else S3Store(**kind), project="race")


def raced(store: dict[str, Any], **play: Any) -> list[Any]:
    done = subprocess.run(
        [sys.executable, str(RACE), json.dumps({"store": store, **play})], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def begun(store: dict[str, Any]) -> Log:
    """The log with a first promotion in it."""
    (first,) = raced(store, play="all_at_once", writers=1, turns=1, champion=None)
    assert (first["verdict"], first["seq"]) == ("PROMOTE", 1)
    return opened(store)


def test_of_many_writers_one_wins_each_number_and_every_look_is_counted(store: dict[str, Any]) -> None:
    log = begun(store)
    writers, turns = (16, 3) if store["kind"] == "local" else (8, 2)
    seen = raced(store, play="all_at_once", writers=writers, turns=turns, champion=log.state().champion.sha256)
    assert [one for one in seen if "error" in one] == []
    entries = list(log.entries())
    assert [entry.seq for entry in entries] == list(range(1, writers * turns + 2))
    recorded = {entry.seq: entry.run for entry in entries[1:]}
    assert {one["seq"]: one["run"] for one in seen} == recorded
    assert len(set(recorded.values())) == writers * turns
    (holdout,) = log.state().holdouts.values()
    assert sorted(holdout.looks.values()) == sorted(recorded)


def test_of_first_promotions_at_once_one_wins_and_the_others_are_stale(store: dict[str, Any]) -> None:
    seen = raced(store, play="all_at_once", writers=6, turns=1, champion=None)
    assert Counter(one.get("error") or one["verdict"] for one in seen) == {"PROMOTE": 1, "StaleError": 5}
    (entry,) = opened(store).entries()
    (winner,) = [one["run"] for one in seen if "verdict" in one]
    assert entry.run == winner == opened(store).state().champion.run


def test_writers_killed_at_any_moment_leave_a_whole_log(store: dict[str, Any]) -> None:
    log = begun(store)
    raced(store, play="killed", rounds=12 if store["kind"] == "local" else 5, champion=log.state().champion.sha256)
    entries = list(log.entries())
    assert len(entries) > 4
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    (holdout,) = log.state().holdouts.values()
    assert len(holdout.looks) == len(entries) - 1
    assert log.state().champion == entries[0].state.champion
