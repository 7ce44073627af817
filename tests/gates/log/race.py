"""Writers of one promotion log, each a process: `race.py '{"store": …, "play": …}'` prints what they saw as JSON.

A script, not a module: it forks before any store is opened, so that sixteen writers import things once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from obstore.store import LocalStore, S3Store

from gates import Evidence, Policy, judge
from gates.errors import LockgateError
from gates.log import Log
from gates.promotion import commit

PROJECT = "race"
ROWS = 300
POLICY = Policy.parse(
    {
        "if_no_champion": "absolute_only",
        "confidence": 0.95,
        "clusters": "if_present",
        "min_clusters": 10,
        "schedule": {"kind": "fixed", "looks": 1000},
        "disclose": "all",
        "valid_for": "90d",
        "checks": {
            "auc_floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "point"},
            "log_loss": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
        },
    }
)


def evidence(writer: int, turn: int, *, champion: str | None) -> Evidence:
    """One holdout for all; the challenger's scores are this writer's own. Models of even writers are good."""
    shared = np.random.default_rng(0)
    label = (shared.random(ROWS) < 0.4).astype(float)
    reigning = np.clip(0.4 + 0.3 * (label - 0.5) + shared.normal(0, 0.1, ROWS), 0.01, 0.99)
    model = f"{writer + (1 if champion else 1001):032x}{turn:032x}"
    noise = np.random.default_rng(1000 * writer + turn + 1).normal(0, 0.1, ROWS)
    return Evidence.from_arrays(
        label=label,
        challenger=np.clip(0.4 + 0.25 * (label - 0.5) + noise, 0.01, 0.99),
        champion=reigning if champion else None,
        facts={
            "challenger": {"run": f"EvaluateNewModel/{writer}-{turn}", "sha256": model},
            "champion": {"run": "EvaluateNewModel/first", "sha256": champion} if champion else None,
        },
    )


def opened(store: dict[str, Any]) -> Log:
    kind = {**store}
    if kind.pop("kind") == "local":
        return Log(LocalStore(kind["path"], mkdir=True), project=PROJECT)
    return Log(S3Store(**kind), project=PROJECT)


def write(log: Log, writer: int, turn: int, *, champion: str | None) -> dict[str, Any]:
    try:
        done = commit(
            POLICY,
            evidence(writer, turn, champion=champion),
            log,
            actor=f"writer {writer}",
            clock=lambda: datetime.now(UTC),
        )
    except LockgateError as err:
        return {"writer": writer, "error": type(err).__name__, "line": str(err)}
    return {
        "writer": writer,
        "verdict": done.decision.verdict.value,
        "seq": done.entry and done.entry.seq,
        "run": done.decision.binding.run,
    }


def forked(work: Any) -> tuple[int, int]:
    """Child's process id, and the pipe that its result comes through; `work` may write to it before."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        with os.fdopen(writing, "w") as out:
            json.dump(work(out), out)
        os._exit(0)
    except BaseException as err:  # noqa: BLE001
        sys.stderr.write(f"{type(err).__name__}: {err}\n")
        os._exit(1)


def play_all_at_once(store: dict[str, Any], *, writers: int, turns: int, champion: str | None) -> list[Any]:
    start = time.monotonic() + 0.5

    def work(writer: int, _: Any) -> list[Any]:
        log = opened(store)
        time.sleep(max(0.0, start - time.monotonic()))
        return [write(log, writer, turn, champion=champion) for turn in range(turns)]

    children = [forked(partial(work, writer)) for writer in range(writers)]
    seen: list[Any] = []
    for child, pipe in children:
        with os.fdopen(pipe) as said:
            seen += json.loads(said.read() or "[]")
        os.waitpid(child, 0)
    return seen


def play_killed(store: dict[str, Any], *, rounds: int, champion: str | None) -> list[Any]:
    """Two writers that never stop, killed after a random while; again and again."""
    lots = random.Random(4)

    def work(writer: int, first: int, out: Any) -> list[Any]:
        log = opened(store)
        for step in range(10_000):
            write(log, writer, first + step, champion=champion)
            print("wrote", file=out, flush=True)
        return []

    for turn in range(0, 10_000 * rounds, 10_000):
        children = [forked(partial(work, writer, turn)) for writer in range(2)]
        for _, pipe in children:
            os.read(pipe, 1)  # it has begun
        time.sleep(lots.uniform(0, 0.06))
        for child, pipe in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(pipe)
    return []


if __name__ == "__main__":
    judge(POLICY, evidence(0, 0, champion="0"))  # so that what it imports is there before the forks
    asked = json.loads(sys.argv[1])
    played = {"all_at_once": play_all_at_once, "killed": play_killed}[asked.pop("play")](asked.pop("store"), **asked)
    json.dump(played, sys.stdout)
