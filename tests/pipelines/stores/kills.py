"""`python -m tests.pipelines.stores.kills N [revoking]`, a place on stdin: kill N publishers while two readers look on.

Each is a fork of this process, which has imported everything and opened nothing. Version n has one score, n / 1000.
With `revoking` each publication is of a model of its own, and the models of all versions before it were revoked.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa

import lockgate.pipelines.stores.publishing
from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Draft
from tests.pipelines.stores.places import Place, read_all, stage

ROWS, SHARDS, KEEP = 300, 3, 3
IMPORTED_FIRST = {  # what these stores import on first use, so that no fork needs to; a kind may be missing
    "dynamodb": ("boto3",),
    "parquet": ("lockgate.gates.runs", "metaflow.plugins.aws.aws_client", "obstore.store", "pyarrow.parquet"),
    "postgres": ("psycopg",),
    "redis": ("redis",),
    "sqlite": (),
}
_KEYS = [f"k{index}" for index in range(ROWS)]


def draft(number: int, *, revoking: bool = False) -> Draft:
    return Draft(
        source=f"Predict/{number}",
        project="orders",
        window="w",
        champion_run="r",
        model_sha256=f"{number if revoking else 0:064d}",
        log_seq=1,
        log_sha256="1" * 64,
        time=datetime(2024, 6, 1, tzinfo=UTC),
        shards=SHARDS,
    )


def publish(place: Place, number: int, *, revoking: bool) -> None:
    store, draft_ = place.open(), draft(number, revoking=revoking)
    revoked = [draft(before, revoking=True).model_sha256 for before in range(number)] if revoking else []
    for shard in range(SHARDS):
        stage(store, draft_, shard, dict.fromkeys(_KEYS[shard::SHARDS], number / 1000))
    lockgate.pipelines.stores.publishing.publish_draft(
        store, draft_, expected_rows=ROWS, max_drift=None, keep=KEEP, revoked=revoked
    )
    if number > 1 and not revoking:
        store.rollback("orders", to=None)
        store.rollback("orders", to=store.versions("orders")[0].version)


def look(place: Place) -> str:
    """What is wrong with what a reader sees now; empty where nothing is."""
    store = place.open()
    rows_read = store.read_rows("orders", keys=None, version=None)
    number = int(rows_read.version.draft.source.partition("/")[2])
    table = pa.Table.from_batches(rows_read.batches)
    scores = set(np.asarray(table["score"]).tolist())
    if scores != {number / 1000} or sorted(table["key"].to_pylist()) != sorted(_KEYS):
        return f"version {rows_read.version.version} of {number} has {table.num_rows} rows and scores {sorted(scores)}"
    prediction = store.get("orders", _KEYS[number % ROWS], version=None)
    if prediction is None or prediction.score != int(prediction.version.draft.source.partition("/")[2]) / 1000:
        return f"one key: {prediction}"
    scores_of_seven = read_all(store, keys=_KEYS[:7])
    if len(scores_of_seven) != 7 or len(set(scores_of_seven.values())) != 1:
        return f"seven keys: {scores_of_seven}"
    return ""


def fork_work(work: Callable[[], None]) -> int:
    """The process that does the work, and exits with 1 where it raises."""
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(KeyboardInterrupt):
            try:
                work()
                code = 0
            except Exception as err:  # noqa: BLE001 (whatever it is)
                sys.stderr.write(f"{type(err).__name__}: {err}\n")
        os._exit(code)
    return child


def reader(place: Place, out: Path, stop: Path) -> None:
    """Look until told to stop, or until nobody is left to tell; one line for each look."""
    parent = os.getppid()
    with out.open("w", encoding="utf-8") as log_file:
        while True:  # once at least, however slow the machine
            try:
                log_file.write(look(place) + "\n")
            except StoreError as err:
                log_file.write(f"{err}\n")
            log_file.flush()
            if stop.exists() or os.getppid() != parent:
                return
            time.sleep(place.pause)


def publish_to_the_end(place: Place, number: int, *, revoking: bool) -> None:
    child = fork_work(lambda: publish(place, number, revoking=revoking))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main(kills: int, place: Place, scratch: Path, *, revoking: bool) -> None:
    for name in ("pandas", "pyarrow.compute", *IMPORTED_FIRST.get(place.kind, ())):
        import_module(name)
    publish_to_the_end(place, 1, revoking=revoking)
    began = time.monotonic()
    publish_to_the_end(place, 2, revoking=revoking)
    longest = time.monotonic() - began
    outs, stop = [scratch / "reader-0", scratch / "reader-1"], scratch / "stop"
    readers = [fork_work(lambda out=out: reader(place, out, stop)) for out in outs]  # type: ignore[misc]
    try:
        committed = kill_publishers(kills, place, longest, revoking=revoking)
    finally:
        stop.touch()
        for child in readers:
            os.waitpid(child, 0)
    lines = [out.read_text(encoding="utf-8").split("\n")[:-1] for out in outs]
    wrong = [line for looks in lines for line in looks if line]
    reads = [len(looks) for looks in lines]
    json.dump({"wrong": wrong[:5], "killed": kills, "committed": committed, "reads": reads, "rows": ROWS}, sys.stdout)


def kill_publishers(kills: int, place: Place, longest: float, *, revoking: bool) -> int:
    """Kill so many publishers, of version 3 and so on; how many of them had committed."""
    lots, committed, number = random.Random(7), 0, 2
    for index in range(kills):
        number += 1
        child = fork_work(lambda: publish(place, number, revoking=revoking))  # noqa: B023 (it is called at once)
        time.sleep(lots.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        committed += (was_committed := _in_another_process(place, number))
        longest *= (
            0.85 if was_committed else 1.15
        )  # about as many are killed before the commit as after, on any machine
        if index % 3 == 0:
            # what was interrupted is resumed; the next prune drops the others or they stay
            publish_to_the_end(place, number, revoking=revoking)
    publish_to_the_end(place, number + 1, revoking=revoking)
    return committed


def _in_another_process(place: Place, number: int) -> bool:
    """Whether the source was published; this process itself never opens the store."""

    def ask() -> None:
        sources = {version.draft.source for version in place.open().versions("orders")}
        os._exit(0 if f"Predict/{number}" in sources else 2)

    return os.waitstatus_to_exitcode(os.waitpid(fork_work(ask), 0)[1]) == 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(int(sys.argv[1]), Place(**json.load(sys.stdin)), Path(folder), revoking=sys.argv[2:] == ["revoking"])
