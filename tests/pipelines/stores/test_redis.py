"""The store in Redis: who else can read it, and what goes wrong with a server.

Tests of pipelines/stores/redis.py, pipelines/stores/redis_books.py, pipelines/stores/redis_server.py
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
import redis as driver
from pydantic import ValidationError

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store, Tally, redis
from tests.pipelines.stores.places import PLACES, Place, publish, read_all, stage
from tests.pipelines.stores.redis_server import serving

PASSWORD = "no-secret-it-is-only-for-tests"
ROWS = {"k1": 0.1, "k2": 1 / 3}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Place:
    return PLACES["redis"](request, tmp_path)


def open_at(url: str, seconds: float = 5.0) -> Store:
    return redis.RedisStore(redis.Params(url=url, namespace="lockgate", seconds=seconds))


def expect_refusal(ask: Callable[[], Any]) -> str:
    with pytest.raises(StoreError) as caught:
        ask()
    (line,) = str(caught.value).splitlines()
    assert PASSWORD not in line
    return line


def cli(url: str, *words: str) -> str:
    path = url.removeprefix("unix://")
    return subprocess.run(["redis-cli", "-s", path, *words], capture_output=True, text=True, check=True).stdout.strip()


def used_memory(url: str) -> int:
    """Bytes."""
    return int(next(line for line in cli(url, "INFO", "memory").splitlines() if line.startswith("used_memory:"))[12:])


def keys(place: Place) -> set[str]:
    with driver.Redis.from_url(place.params["url"], decode_responses=True) as db:
        return {name.split(":", 2)[2] for name in db.keys(f"{place.params['namespace']}:*")}


def test_any_redis_client_reads_the_current_predictions(place: Place, store: Store, draft: Any) -> None:
    url, name = place.params["url"], f"{place.params['namespace']}:{{orders}}:current"
    publish(store, draft(1), ROWS)
    publish(store, draft(2), {"k1": 0.7})
    stage(store, draft(3), 0, {"k1": 0.9})
    assert cli(url, "HGET", name, "k1") == "0.7"
    assert '"version": 2' in cli(url, "GET", name.replace("current", "about"))
    store.rollback("orders", to=None)
    assert [float(word) for word in cli(url, "HMGET", name, "k1", "k2").split()] == [0.1, 1 / 3]
    store.withdraw("orders", ["0" * 64])
    assert cli(url, "EXISTS", name, name.replace("current", "about")) == "0"


def test_what_is_deleted_leaves_no_key(place: Place, store: Store, draft: Any) -> None:
    for number in range(1, 5):
        publish(store, draft(number), ROWS)
    stage(store, draft(9, shards=2), 0, ROWS)
    store.discard("orders", "Predict/9")
    store.prune("orders", keep=2)
    kinds = {name.split(":")[0] for name in keys(place)}
    assert kinds == {"about", "begun", "current", "keys", "number", "revision", "rows", "versions"}
    assert sum(name.startswith("rows:") for name in keys(place)) == 1
    assert sum(name.startswith("keys:") for name in keys(place)) == 2


def interrupt_staging(store: Store, draft: Any, *rows: dict[str, float]) -> None:
    """Stage these batches of shard 0, and fail before the receipt."""

    def batches() -> Any:
        for batch in rows:
            yield pa.record_batch(
                {"key": pa.array(batch, pa.string()), "score": pa.array(batch.values(), pa.float64())}
            )
        raise InterruptedError

    schema = pa.schema([("key", pa.string()), ("score", pa.float64())])
    with pytest.raises(InterruptedError):
        store.stage(draft, 0, pa.RecordBatchReader.from_batches(schema, batches()), Tally(rows=0, buckets={}))


def test_an_attempt_that_was_interrupted_is_written_over(place: Place, store: Store, draft: Any) -> None:
    interrupt_staging(store, draft(), {"k1": 0.9})
    assert store.staged_shards(draft()) == {}
    assert publish(store, draft(), ROWS).rows == 2
    assert read_all(store) == ROWS
    assert sum(name.startswith(("attempts:", "receipts:", "keys:")) for name in keys(place)) == 1


def test_rows_of_an_attempt_that_scored_other_keys_are_never_published(store: Store, draft: Any) -> None:
    interrupt_staging(store, draft(), {"other": 0.9})
    message = expect_refusal(lambda: publish(store, draft(), ROWS))
    assert "1 rows of an interrupted attempt that had other keys" in message
    assert store.versions("orders") == []
    store.discard("orders", "Predict/1")
    publish(store, draft(), ROWS)
    assert read_all(store) == ROWS


def test_a_draft_that_was_discarded_meanwhile_is_not_staged(store: Store, draft: Any) -> None:
    def batches() -> Any:
        yield pa.record_batch({"key": ["a"], "score": [0.5]})
        store.discard("orders", "Predict/1")
        yield pa.record_batch({"key": ["b"], "score": [0.5]})

    schema = pa.schema([("key", pa.string()), ("score", pa.float64())])
    rows = pa.RecordBatchReader.from_batches(schema, batches())
    assert "was discarded while it was staged" in expect_refusal(
        lambda: store.stage(draft(), 0, rows, Tally(rows=2, buckets={}))
    )
    assert store.drafts("orders") == []


def test_a_version_that_is_deleted_while_it_is_read_is_one_line(store: Store, draft: Any) -> None:
    publish(store, draft(1), {f"k{index}": 0.5 for index in range(12_000)})
    batches = store.read_rows("orders", keys=None, version=None).batches
    next(batches)
    for number in (2, 3):
        publish(store, draft(number), ROWS)
    next(batches)  # it was current, then the one before, then it is kept
    store.prune("orders", keep=2)
    assert expect_refusal(lambda: list(batches)).startswith("version 1 was deleted while it was read")


def test_a_server_that_may_throw_keys_away_is_refused(draft: Any) -> None:
    with serving("--maxmemory-policy", "allkeys-lru") as url:
        message = expect_refusal(lambda: publish(open_at(url), draft(), ROWS))
        assert "its maxmemory-policy is allkeys-lru; expected noeviction" in message
        cli(url, "CONFIG", "SET", "maxmemory-policy", "volatile-lru")
        assert publish(open_at(url), draft(), ROWS).version == 1


def test_a_server_that_is_full_keeps_what_it_has(draft: Any) -> None:
    with serving("--maxmemory", "10mb") as url:
        publish(open_at(url), draft(1), ROWS)
        message = expect_refusal(
            lambda: publish(open_at(url), draft(2), {f"k{index}": 0.5 for index in range(200_000)})
        )
        assert "used memory > 'maxmemory'" in message
        assert read_all(open_at(url)) == ROWS
        assert open_at(url).discard("orders", "Predict/2") == 1
        while used_memory(url) > 5_000_000:  # which frees it, soon
            time.sleep(0.01)
        assert publish(open_at(url), draft(3), ROWS).version == 2


def test_a_password_comes_from_the_environment(draft: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving("--requirepass", PASSWORD) as url:
        assert "Authentication required" in expect_refusal(lambda: open_at(url).versions("orders"))
        monkeypatch.setenv("REDISCLI_AUTH", f"{PASSWORD}!")
        assert "invalid username-password pair" in expect_refusal(lambda: open_at(url).versions("orders"))
        monkeypatch.setenv("REDISCLI_AUTH", PASSWORD)
        assert publish(open_at(url), draft(), ROWS).version == 1


def test_a_replica_is_read_and_not_written(place: Place, store: Store, draft: Any) -> None:
    with serving() as url:
        publish(open_at(url), draft(1), ROWS)
        cli(url, "REPLICAOF", "127.0.0.1", "1")
        assert read_all(open_at(url)) == ROWS
        assert "read only replica" in expect_refusal(lambda: publish(open_at(url), draft(2), ROWS))


def test_a_server_that_is_not_there_or_does_not_answer_is_one_line(draft: Any) -> None:
    assert "No such file" in expect_refusal(lambda: open_at("unix:///nowhere").versions("orders"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "Timeout" in expect_refusal(lambda: open_at(f"redis://127.0.0.1:{port}", seconds=0.2).versions("orders"))
    with serving() as url:
        store = open_at(url, seconds=0.2)
        publish(store, draft(1), ROWS)
        pid = int(next(line for line in cli(url, "INFO", "server").splitlines() if line.startswith("process_id:"))[11:])
        os.kill(pid, signal.SIGSTOP)
        try:
            for ask in (lambda: read_all(store), lambda: publish(store, draft(2), ROWS)):
                assert "Timeout" in expect_refusal(ask)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert read_all(open_at(url)) == ROWS


@pytest.mark.parametrize(
    "url",
    [f"redis://:{PASSWORD}@localhost", f"unix:///x?password={PASSWORD}", f"http://{PASSWORD}", f"redis://x:{PASSWORD}"],
)
def test_a_password_in_the_configuration_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        open_at(url)
    (mistake,) = caught.value.errors()
    assert "; expected " in mistake["msg"]
    assert PASSWORD not in mistake["msg"]
