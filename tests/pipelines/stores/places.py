"""Where a store of each kind can be tried: the one dict to add to for a new one."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from lockgate.pipelines.stores import STORES, Draft, PublishedVersion, Store, Tally

AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A fresh, empty store, which any process can open."""

    kind: str
    home: str
    params: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)  # that it needs, passwords among it
    pause: float = 0.005  # seconds between a reader's looks: servers that are slow are not to be kept busy by readers

    def open(self) -> Store:
        kind = STORES[self.kind]
        return kind.open_store(kind.Params.model_validate(self.params), Path(self.home))

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def _sqlite(_request: Any, home: Path) -> Place:
    return Place(kind="sqlite", home=str(home), params={"path": f"{uuid.uuid4().hex}.db"})


def _postgres(request: Any, home: Path) -> Place:
    server = request.getfixturevalue("postgres_server")
    params = {"dsn": server, "namespace": f"t{uuid.uuid4().hex}", "connect_seconds": 5, "statement_seconds": 20.0}
    return Place(kind="postgres", home=str(home), params=params, pause=0.03)


def _redis(request: Any, home: Path) -> Place:
    params = {"url": request.getfixturevalue("redis_server"), "namespace": uuid.uuid4().hex, "seconds": 10.0}
    return Place(kind="redis", home=str(home), params=params)


def _parquet(_request: Any, home: Path) -> Place:
    params = {"root": f"file://{home}", "folder": uuid.uuid4().hex, "endpoint": None, "seconds": 10.0}
    return Place(kind="parquet", home=str(home), params=params)


def _parquet_s3(request: Any, home: Path) -> Place:
    with warnings.catch_warnings(action="ignore"):  # not ours, and errors in tests
        import_module("metaflow.metaflow_config")
    s3 = request.getfixturevalue("new_bucket")()
    params = {"root": f"s3://{s3.bucket}", "folder": "predictions", "endpoint": s3.endpoint, "seconds": 10.0}
    return Place(kind="parquet", home=str(home), params=params, env=AWS)


def _dynamodb(request: Any, home: Path) -> Place:
    params = {
        "table": f"t{uuid.uuid4().hex}",
        "region": None,
        "endpoint": request.getfixturevalue("s3_server"),
        "create": True,
        "seconds": 10.0,
    }
    return Place(kind="dynamodb", home=str(home), params=params, env=AWS, pause=0.15)


PLACES: dict[str, Callable[[Any, Path], Place]] = {
    "sqlite": _sqlite,
    "parquet": _parquet,
    "parquet on S3": _parquet_s3,
    "dynamodb": _dynamodb,
    "postgres": _postgres,
    "redis": _redis,
}
"""From pytest's request, for servers that are fixtures, and a directory."""

HERE = [name for name in PLACES if name != "parquet on S3"]  # for most tests: that one is the same code as on a disk


def stage(store: Store, draft: Draft, shard: int, rows: Mapping[str, float]) -> None:
    """Stage a shard of these keys and scores."""
    batch = pa.record_batch({"key": pa.array(rows, pa.string()), "score": pa.array(rows.values(), pa.float64())})
    tally = Tally.of(batch.column("score").to_numpy())
    store.stage(draft, shard, pa.RecordBatchReader.from_batches(batch.schema, [batch]), tally)


def publish(store: Store, draft: Draft, *shards: Mapping[str, float]) -> PublishedVersion:
    """Stage and commit."""
    for shard, rows in enumerate(shards):
        stage(store, draft, shard, rows)
    return store.commit(draft)


def read_all(store: Store, project: str = "orders", **options: Any) -> dict[str, float]:
    """What a reader gets; a key may not be there twice."""
    pairs = [
        pair
        for batch in store.read_rows(project, **{"keys": None, "version": None, **options}).batches
        for pair in zip(batch["key"].to_pylist(), batch["score"].to_pylist(), strict=True)
    ]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)
