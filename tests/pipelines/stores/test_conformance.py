"""What every prediction store must do. A new store is one line in STORES, and is tested here by that line alone."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gates.errors import StoreError
from pipelines.stores import STORES, Batch, Store

Make = Callable[..., Batch]
PUBLISHER = Path(__file__).with_name("publisher.py")
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "predictions"


@pytest.fixture
def store(kind: str, path: Path) -> Store:
    return STORES[kind](path)


def one_line(caught: pytest.ExceptionInfo[StoreError]) -> str:
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_was_published_yet(store: Store) -> None:
    assert store.versions("orders") == []
    with pytest.raises(StoreError, match="nothing has been published yet"):
        store.get("orders", "k0", version=None)
    with pytest.raises(StoreError):
        store.rollback("orders", to=None)


def test_what_is_published_is_read_back(store: Store, batch: Make) -> None:
    published = store.publish(batch(scores=np.array([0.1, 1 / 3, 1e-300])))
    assert (published.version, published.current, published.rows, published.window) == (1, True, 3, "2024-06")
    assert (published.log_seq, published.source, published.time) == (4, "Predict/1", NOON)
    found = store.get("orders", "k1", version=None)
    assert (found.key, found.score, found.version, found.model_sha256) == ("k1", 1 / 3, 1, "0" * 64)
    assert found.time == NOON
    assert store.get("orders", "k2", version=1).score == 1e-300
    assert store.get("orders", "nobody", version=None) is None
    assert store.get("orders", "k1", version=9) is None
    assert store.versions("orders") == [published]


def test_versions_are_kept_latest_first_and_the_last_is_current(store: Store, batch: Make) -> None:
    for number in (1, 2, 3):
        store.publish(batch(f"Predict/{number}", score=number / 10))
    assert [(one.version, one.current) for one in store.versions("orders")] == [(3, True), (2, False), (1, False)]
    assert store.get("orders", "k0", version=None).score == 0.3
    assert [store.get("orders", "k0", version=number).score for number in (1, 2, 3)] == [0.1, 0.2, 0.3]


def test_the_same_source_again_changes_nothing(store: Store, batch: Make) -> None:
    first = store.publish(batch(score=0.1))
    again = store.publish(batch(score=0.9))
    assert again == first
    assert store.get("orders", "k0", version=None).score == 0.1


def test_the_same_source_after_a_rollback_does_not_undo_it(store: Store, batch: Make) -> None:
    store.publish(batch("Predict/1"))
    store.publish(batch("Predict/2"))
    store.rollback("orders", to=None)
    assert store.publish(batch("Predict/2")).current is False
    assert store.get("orders", "k0", version=None).version == 1


def test_projects_do_not_see_each_other(store: Store, batch: Make) -> None:
    store.publish(batch(score=0.1))
    store.publish(batch(project="flights", score=0.9))
    assert store.get("orders", "k0", version=None).score == 0.1
    assert store.get("flights", "k0", version=None).score == 0.9
    assert [one.project for one in store.versions("flights")] == ["flights"]
    assert store.versions("nobody") == []
    assert store.get("nobody", "k0", version=None) is None
    (other,) = store.versions("flights")
    assert store.get("orders", "k0", version=other.version) is None
    with pytest.raises(StoreError, match="no such version"):
        store.rollback("orders", to=other.version)


def test_rollback_goes_one_back_and_to_any_version(store: Store, batch: Make) -> None:
    for number in (1, 2, 3):
        store.publish(batch(f"Predict/{number}", score=number / 10))
    assert store.rollback("orders", to=None).version == 2
    assert store.get("orders", "k0", version=None).score == 0.2
    assert store.rollback("orders", to=None).version == 1
    with pytest.raises(StoreError, match="no earlier version to go back to") as caught:
        store.rollback("orders", to=None)
    assert "one of 1, 2, 3" in one_line(caught)
    assert store.rollback("orders", to=3).version == 3
    assert len(store.versions("orders")) == 3
    assert store.publish(batch("Predict/4")).version == 4


@pytest.mark.parametrize("to", [0, -1, 99, 2**63 - 1, 2**63, 10**30])
def test_rollback_to_what_is_not_there_is_refused_and_changes_nothing(store: Store, to: int, batch: Make) -> None:
    store.publish(batch("Predict/1"))
    store.publish(batch("Predict/2"))
    with pytest.raises(StoreError) as caught:
        store.rollback("orders", to=to)
    one_line(caught)
    assert store.get("orders", "k0", version=None).version == 2


@pytest.mark.parametrize("key", ["", "a/b", "naïve ☃", "'; DROP TABLE predictions; --", "a\x00b", "\n", "k" * 10_000])
def test_keys_are_any_text(store: Store, key: str, batch: Make) -> None:
    store.publish(batch(keys=[key], rows=1))
    assert store.get("orders", key, version=None).key == key


def test_what_cannot_be_a_key_or_a_version_is_one_line(store: Store, batch: Make) -> None:
    store.publish(batch())
    for key, version in (("\udcff", None), ("k0", 10**30)):
        with pytest.raises(StoreError) as caught:
            store.get("orders", key, version=version)
        one_line(caught)
    with pytest.raises(StoreError) as caught:
        store.publish(batch("Predict/2", keys=["a", "b", "\udcff"]))
    one_line(caught)
    assert store.versions("orders")[0].version == 1


def test_a_batch_that_fails_half_way_leaves_the_last_version(store: Store, batch: Make) -> None:
    store.publish(batch())
    with pytest.raises(StoreError):
        store.publish(batch("Predict/2", keys=["a", "b", "a"]))
    assert [one.version for one in store.versions("orders")] == [1]
    assert store.get("orders", "k0", version=None).version == 1


@contextmanager
def publishing(kind: str, path: Path, source: str, score: float, rows: int) -> Iterator[subprocess.Popen[str]]:
    """A process that has its batch ready and waits for a line."""
    words = [sys.executable, str(PUBLISHER), kind, str(path), source, str(score), str(rows)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def go(child: subprocess.Popen[str]) -> None:
    child.stdin.write("\n")
    child.stdin.flush()
    assert child.stdout.readline() == "begun\n"


def test_a_publisher_killed_at_any_moment_leaves_one_version_whole(kind: str, path: Path, batch: Make) -> None:
    store, rows, lots = STORES[kind](path), 60_000, random.Random(2)
    store.publish(batch("Predict/0", score=0.5, rows=rows))
    survived = 0
    for number in range(1, 9):
        with publishing(kind, path, f"Predict/{number}", number / 100, rows) as child:
            go(child)
            time.sleep(lots.uniform(0, 0.25))
        versions = store.versions("orders")
        (current,) = [one for one in versions if one.current]
        assert current == versions[0]
        survived += current.source == f"Predict/{number}"
        scores = {store.get("orders", f"k{at}", version=None).score for at in (0, 1, rows // 2, rows - 1)}
        assert scores == {0.5 if current.source == "Predict/0" else int(current.source.split("/")[1]) / 100}
        assert all(whole(kind, path, one.version) == one.rows == rows for one in versions)
    assert survived < 8
    assert store.publish(batch("Predict/last")).current


def whole(kind: str, path: Path, version: int) -> int:
    """How many predictions a version has, asked of the file itself."""
    assert kind == "sqlite", "say here how this store's rows are counted"
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM predictions WHERE version = ?", (version,)).fetchone()[0]


def test_readers_see_the_old_or_the_new_version_and_never_wait_long(kind: str, path: Path, batch: Make) -> None:
    store, rows = STORES[kind](path), 60_000
    store.publish(batch("Predict/0", score=0.0, rows=rows))
    seen: list[tuple[int, float]] = []
    broken: list[StoreError] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                found = store.get("orders", f"k{rows - 1}", version=None)
                seen.append((found.version, found.score))
        except StoreError as err:
            broken.append(err)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    with publishing(kind, path, "Predict/1", 1.0, rows) as child:
        before = len(seen)
        go(child)
        assert child.stdout.readline() == "2\n"
        during = len(seen) - before
    done.set()
    for reader in readers:
        reader.join()
    assert broken == []
    assert set(seen) <= {(1, 0.0), (2, 1.0)}
    assert during > 0
    assert store.get("orders", "k0", version=None).version == 2


def test_what_was_admitted_earlier_does_not_replace_what_was_admitted_later(
    kind: str, path: Path, batch: Make
) -> None:  # fmt: skip
    """A run that was slow, or is resumed, after another one has published under a later head of the log."""
    store = STORES[kind](path)
    store.publish(batch("Predict/2", log_seq=6, score=0.6))
    with pytest.raises(StoreError, match=r"Predict/1 was admitted under entry 5 .* under entry 6 meanwhile") as caught:
        store.publish(batch("Predict/1", log_seq=5))
    one_line(caught)
    assert store.publish(batch("Predict/3", log_seq=6, score=0.7)).version == 2
    store.rollback("orders", to=1)
    assert store.publish(batch("Predict/3", log_seq=6)).version == 2  # the same source again is no new version
    with pytest.raises(StoreError, match="under entry 6 meanwhile"):  # nor is a rollback of the store one of the log
        store.publish(batch("Predict/4", log_seq=5))
    assert store.get("orders", "k0", version=None).score == 0.6
    assert store.publish(batch("Predict/1", project="flights", log_seq=1)).version == 3


@pytest.mark.parametrize("round_", range(5))
def test_many_make_the_store_at_once(kind: str, path: Path, round_: int) -> None:
    with ExitStack() as all_:
        children = [all_.enter_context(publishing(kind, path, f"Predict/{at}", 0.1, 10)) for at in range(6)]
        for child in children:
            go(child)
        assert sorted(int(child.stdout.readline()) for child in children) == [1, 2, 3, 4, 5, 6], round_


def test_publishers_at_once_each_get_a_version(kind: str, path: Path) -> None:
    with (
        publishing(kind, path, "Predict/1", 0.1, 5000) as one,
        publishing(kind, path, "Predict/2", 0.2, 5000) as two,
        publishing(kind, path, "Predict/2", 0.2, 5000) as twin,
    ):
        for child in (one, two, twin):
            go(child)
        numbers = [int(child.stdout.readline()) for child in (one, two, twin)]
    assert sorted(set(numbers)) == [1, 2]
    assert numbers[1] == numbers[2]
    versions = STORES[kind](path).versions("orders")
    assert [one.version for one in versions] == [2, 1]


@pytest.mark.parametrize("damage", [lambda blob: b"x" * 5000, lambda blob: blob[:1000] + b"\xff" * 6000, lambda _: b""])
def test_a_damaged_file_is_one_line(kind: str, path: Path, damage: Callable[[bytes], bytes], batch: Make) -> None:
    store = STORES[kind](path)
    store.publish(batch(rows=500))
    path.write_bytes(damage(path.read_bytes()))
    for ask in (
        lambda: store.versions("orders"),
        lambda: store.get("orders", "k0", version=None),
    ):
        with pytest.raises(StoreError) as caught:
            ask()
        one_line(caught)


def test_a_place_that_cannot_be_written_is_one_line(kind: str, tmp_path: Path, batch: Make) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path / "file" / "predictions", tmp_path / "no such folder" / "predictions", tmp_path):
        with pytest.raises(StoreError) as caught:
            STORES[kind](where).publish(batch())
        assert str(where) in one_line(caught)
