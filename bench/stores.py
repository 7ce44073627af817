"""Prediction stores against a bulk load of the same rows by the bare driver, and how they grow with rows and shards.

`python -m bench.stores [KIND …] [ROWS …]` measures these kinds (default: all that are available) with these numbers of
rows. PostgreSQL needs a DSN in LOCKGATE_BENCH_POSTGRES and Redis a URL in LOCKGATE_BENCH_REDIS, both of a server that
nobody else uses.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.moto_credentials import MOTO_CREDENTIALS
from bench.timing import time_alternately
from lockgate.pipelines.stores import STORES, Draft, Store, Tally

ROWS, SHARDS = (100_000, 1_000_000), (1, 2, 4)
BATCH_ROWS = 50_000
GOAL = "at least 0.70"
COUNT = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The parameters of a store, and a function that loads the same rows without the store."""

    params: Mapping[str, Any]
    bare: Callable[[pa.Table], None]
    max_rows: int = 10**7  # more would take the server too long
    bare_rows: int = 10**7  # the bare driver loads at most so many rows, and its speed is taken for the rest
    ascending: bool = False  # whether the rows are sorted by key, as those of a table in order of time are


def draw_rows(count: int, *, ascending: bool) -> pa.Table:
    """Keys in ascending or in random order, with random scores."""
    rng = np.random.default_rng(0)
    numbers = range(count) if ascending else rng.permutation(count).tolist()
    keys = [f"2013-11-{number:08d}-UA-{number % 97:02d}-EWR" for number in numbers]
    return pa.table({"key": pa.array(keys, pa.string()), "score": pa.array(rng.random(count))})


def publish_table(store: Store, table: pa.Table, shards: int) -> None:
    """Stage and commit, shard after shard."""
    number = next(COUNT)
    draft = Draft(
        source=f"Predict/{number}",
        project="bench",
        window="2013-11",
        champion_run="EvaluateNewModel/1",
        model_sha256="0" * 64,
        log_seq=1,
        log_sha256="1" * 64,
        time=datetime.now(UTC),
        shards=shards,
    )
    size = -(-table.num_rows // shards)
    for shard in range(shards):
        part = table.slice(shard * size, size)
        store.stage(draft, shard, part.to_reader(BATCH_ROWS), Tally.of(part["score"].to_numpy()))
    store.commit(draft)
    store.prune("bench", keep=2)


def _sqlite(scratch: Path, _server: str) -> Rival:
    import sqlite3

    def bare(table: pa.Table) -> None:
        with closing(sqlite3.connect(scratch / f"bare-{next(COUNT)}.db")) as db, db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE predictions (key TEXT PRIMARY KEY, score REAL) WITHOUT ROWID")
            pairs = zip(table["key"].to_pylist(), table["score"].to_pylist(), strict=True)
            db.executemany("INSERT INTO predictions VALUES (?, ?)", pairs)

    return Rival(params={"path": str(scratch / "predictions.db")}, bare=bare)


def _encode(table: pa.Table) -> bytes:
    import io

    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(table, out)
    return out.getvalue()


def _parquet(scratch: Path, _server: str) -> Rival:
    """In a folder. The bare file is sorted by key as well: otherwise a key is only found by reading all of it."""
    from obstore.store import LocalStore

    bare_store = LocalStore(scratch / "bare", mkdir=True)
    return Rival(
        params={"root": f"file://{scratch}", "folder": "predictions", "endpoint": None, "seconds": 60.0},
        bare=lambda table: _put_table(bare_store, table.sort_by("key")),
    )


def _parquet_unsorted(scratch: Path, server: str) -> Rival:
    """In a folder, with the bare file in the order of the rows."""
    from obstore.store import LocalStore

    bare_store = LocalStore(scratch / "bare", mkdir=True)
    return Rival(params=_parquet(scratch, server).params, bare=lambda table: _put_table(bare_store, table))


def _parquet_ascending(scratch: Path, server: str) -> Rival:
    """In a folder, for rows that are sorted by key already, so that neither has to sort."""
    return replace(_parquet_unsorted(scratch, server), ascending=True)


def _parquet_s3(_scratch: Path, server: str) -> Rival:
    from obstore.store import S3Store

    bare_store = S3Store("bench-rows", endpoint=server, client_options={"allow_http": True})
    return Rival(
        params={"root": "s3://bench-rows", "folder": "predictions", "endpoint": server, "seconds": 60.0},
        bare=lambda table: _put_table(bare_store, table.sort_by("key")),
    )


def _parquet_s3_ascending(scratch: Path, server: str) -> Rival:
    from obstore.store import S3Store

    bare_store = S3Store("bench-rows", endpoint=server, client_options={"allow_http": True})
    return replace(_parquet_s3(scratch, server), bare=lambda table: _put_table(bare_store, table), ascending=True)


def _put_table(bare_store: Any, table: pa.Table) -> None:
    bare_store.put(f"bare-{next(COUNT)}.parquet", _encode(table))


def _dynamodb(_scratch: Path, server: str) -> Rival:
    import boto3

    resource = boto3.resource("dynamodb", endpoint_url=server)
    keys = [{"AttributeName": "key", "KeyType": "HASH"}]
    types = [{"AttributeName": "key", "AttributeType": "S"}]
    resource.create_table(TableName="bare", KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")

    def bare(table: pa.Table) -> None:
        with resource.Table("bare").batch_writer() as writer:
            for key, score in zip(table["key"].to_pylist(), table["score"].to_pylist(), strict=True):
                writer.put_item(Item={"key": key, "score": repr(score)})

    params = {"table": "predictions", "region": None, "endpoint": server, "create": True, "seconds": 60.0}
    return Rival(params=params, bare=bare, max_rows=100_000, bare_rows=5_000)


def _postgres(_scratch: Path, _server: str) -> Rival:
    """The bare table has the key as primary key and is created anew each time."""
    import io

    import psycopg
    from pyarrow import csv

    dsn = os.environ["LOCKGATE_BENCH_POSTGRES"]

    def bare(table: pa.Table) -> None:
        text = io.BytesIO()
        csv.write_csv(table, text, csv.WriteOptions(include_header=False))
        with closing(psycopg.connect(dsn)) as db:
            db.execute("DROP TABLE IF EXISTS bare")
            db.execute('CREATE TABLE bare (key TEXT COLLATE "C" PRIMARY KEY, score DOUBLE PRECISION NOT NULL)')
            with db.cursor() as cursor, cursor.copy("COPY bare FROM STDIN (FORMAT csv)") as copy:
                copy.write(text.getvalue())
            db.commit()

    return Rival(
        params={"dsn": dsn, "namespace": "lockgate_bench", "connect_seconds": 10, "statement_seconds": 600.0}, bare=bare
    )


def _redis(_scratch: Path, _server: str) -> Rival:
    """The bare rows go into one hash, some thousands per command, and replace those of the last run."""
    import redis

    url = os.environ["LOCKGATE_BENCH_REDIS"]

    def bare(table: pa.Table) -> None:
        with redis.Redis.from_url(url) as db:
            db.unlink("bare")
            for batch in table.to_batches(max_chunksize=3_000):
                db.hset("bare", mapping=dict(zip(batch["key"].to_pylist(), batch["score"].to_pylist(), strict=True)))

    return Rival(params={"url": url, "namespace": "lockgate-bench", "seconds": 60.0}, bare=bare)


RIVALS: dict[str, tuple[str, Callable[[Path, str], Rival]]] = {
    "sqlite": ("sqlite", _sqlite),
    "parquet": ("parquet", _parquet),
    "parquet, bare unsorted": ("parquet", _parquet_unsorted),
    "parquet, in order": ("parquet", _parquet_ascending),
    "parquet on S3 (moto)": ("parquet", _parquet_s3),
    "parquet on S3, in order": ("parquet", _parquet_s3_ascending),
    "dynamodb (moto)": ("dynamodb", _dynamodb),
    "postgres": ("postgres", _postgres),
    "redis": ("redis", _redis),
}
"""By name: the kind of the store, and the function that sets up its rival."""


@contextmanager
def moto_server() -> Iterator[str]:
    """The address of a moto server with an empty bucket."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as moto:
        try:
            messages = moto.stderr
            assert messages is not None
            address = next(line for line in messages if "Running on" in line).split()[-1]
            threading.Thread(target=lambda: [None for _ in messages], daemon=True).start()  # a full pipe would stop it
            urllib.request.urlopen(urllib.request.Request(f"{address}/bench-rows", method="PUT")).close()  # noqa: S310
            yield address
        finally:
            moto.terminate()


def compare(name: str, scratch: Path, address: str, counts: tuple[int, ...]) -> None:
    """One line for each number of rows and shards: rows per second, and their ratio to the bare driver's."""
    kind, make_rival = RIVALS[name]
    rival = make_rival(scratch, address)
    store = STORES[kind].open_store(STORES[kind].Params.model_validate(rival.params), scratch)
    for count in (count for count in counts if count <= rival.max_rows):
        table = draw_rows(count, ascending=rival.ascending)
        few = table.slice(0, min(count, rival.bare_rows))
        for shards in SHARDS:
            times = 3 if count <= 10**6 else 1
            ours, bare = time_alternately(
                lambda shards=shards, table=table: publish_table(store, table, shards),  # type: ignore[misc]
                lambda few=few: rival.bare(few),
                times=times,
            )
            ratio = (count / ours) / (few.num_rows / bare)
            print(  # noqa: T201
                f"{name:<24} {count:>10,} rows {shards} shards {count / ours:>10,.0f} rows/s {ratio:6.2f} × bare"
                f" ({few.num_rows / bare:,.0f} rows/s; goal {GOAL})",
                flush=True,
            )


def measure(kinds: tuple[str, ...] = tuple(RIVALS), counts: tuple[int, ...] = ROWS) -> None:
    os.environ.update(MOTO_CREDENTIALS)
    with moto_server() as address:
        for name in kinds:
            if RIVALS[name][0] in ("postgres", "redis") and f"LOCKGATE_BENCH_{name.upper()}" not in os.environ:
                continue
            with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
                compare(name, Path(scratch), address, counts)


if __name__ == "__main__":
    kinds = [word for word in sys.argv[1:] if not word.isdigit()]
    numbers = tuple(int(word) for word in sys.argv[1:] if word.isdigit())
    measure(tuple(name for name in RIVALS if not kinds or RIVALS[name][0] in kinds), numbers or ROWS)
