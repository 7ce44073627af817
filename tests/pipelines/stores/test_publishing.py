"""What must not be served is not published, in whatever store: the last version stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Draft, PublishedVersion, Store, publish_draft, spool_rows
from tests.pipelines.stores.places import read_all

STAYS = "nothing was published; the last version stays"


def batch(scores: Any, *, first: int = 0) -> pa.RecordBatch:
    keys = [f"k{first + index}" for index in range(len(scores))]
    return pa.record_batch({"key": pa.array(keys, pa.string()), "score": pa.array(scores, pa.float64())})


def stage_and_publish(store: Store, draft: Draft, scores: Any, **changes: Any) -> PublishedVersion:
    options = {"expected_rows": len(scores), "max_drift": 0.2, "keep": 2, **changes}
    with spool_rows([batch(scores)], task="binary", where="shard 0") as spool, spool.rows() as rows:
        store.stage(draft, 0, rows, spool.tally)
    return publish_draft(store, draft, **options)


@pytest.mark.parametrize(
    ("scores", "task", "message"),
    [
        ([0.0, 1.0, 0.5], "binary", ""),
        ([-7.0, 1e9, 0.5], "regression", ""),
        ([0.1, np.nan, 0.5], "binary", "1 of 3 scores are missing or out of range; expected 0 … 1"),
        ([0.1, None, 0.5], "regression", "1 of 3 scores are missing or out of range; expected finite numbers"),
        ([0.1, 1.0000001, -0.1], "binary", "2 of 3 scores"),
        ([np.nan, np.inf, -np.inf], "regression", "3 of 3 scores"),
    ],
)
def test_scores_are_checked_batch_by_batch(scores: list[float | None], task: Any, message: str) -> None:
    batches = [batch([0.5, 0.25]), batch(scores, first=2)]
    if not message:
        with spool_rows(batches, task=task, where="shard 3") as spool:
            assert spool.tally.rows == 5
            with spool.rows() as rows:
                assert pa.Table.from_batches(rows).num_rows == 5
        assert not spool.path.exists()
        return
    with pytest.raises(StoreError) as caught, spool_rows(batches, task=task, where="shard 3"):
        pass
    assert str(caught.value).startswith(message)
    assert "shard 3" in str(caught.value)
    assert STAYS in str(caught.value)


def test_batches_are_taken_one_at_a_time() -> None:
    """The second is not asked for before the first is on disk."""
    allocated: list[int] = []

    def lazily() -> Any:
        for index in range(3):
            allocated.append(pa.total_allocated_bytes())
            yield batch(np.full(100_000, 0.5), first=index * 100_000)

    with spool_rows(lazily(), task="binary", where="here") as spool:
        assert spool.tally.rows == 300_000
    assert allocated[2] - allocated[1] < 1_000_000  # a batch has 2 MB


@pytest.mark.parametrize("expected", [2, 4])
def test_another_number_of_rows_is_refused(store: Store, draft: Any, expected: int) -> None:
    stage_and_publish(store, draft(1), [0.1, 0.2])
    with pytest.raises(StoreError, match=rf"3 predictions are staged; expected {expected}, and at least one .*{STAYS}"):
        stage_and_publish(store, draft(2), [0.1, 0.2, 0.3], expected_rows=expected)
    assert read_all(store) == {"k0": 0.1, "k1": 0.2}
    assert [draft_.source for draft_ in store.drafts("orders")] == ["Predict/2"]


def test_no_rows_are_refused(store: Store, draft: Any) -> None:
    with pytest.raises(StoreError, match="0 predictions are staged; expected 0, and at least one"):
        stage_and_publish(store, draft(), [])


def test_a_shard_that_is_missing_is_refused(store: Store, draft: Any) -> None:
    with pytest.raises(StoreError, match="1 of the 2 shards of Predict/1 are not staged, beginning with shard 1"):
        stage_and_publish(store, draft(shards=2), [0.5])


def test_scores_that_moved_too_far_are_refused(store: Store, draft: Any) -> None:
    lots = np.random.default_rng(1)
    first, near, far = lots.beta(2, 5, 2000), lots.beta(2, 5, 2000), lots.beta(4, 5, 2000)
    stage_and_publish(store, draft(1), first)
    assert stage_and_publish(store, draft(2), near).version == 2
    with pytest.raises(StoreError, match=r"the scores are 0\.\d+ away from those of version 2 .*at most 0\.2 \(store"):
        stage_and_publish(store, draft(3), far)
    assert [version.version for version in store.versions("orders")] == [2, 1]
    assert stage_and_publish(store, draft(3), far, max_drift=None).version == 3  # what was staged is resumed
    assert stage_and_publish(store, draft(4), far).version == 4  # and is what the next are read_all against


def test_a_revoked_version_stays_until_its_successor_is_published(store: Store, draft: Any) -> None:
    """And is withdrawn with it; whatever keeps the successor back leaves it where it is."""
    lots = np.random.default_rng(1)
    good, wrong, far = lots.beta(2, 5, 2000), lots.beta(5, 2, 2000), lots.beta(2, 9, 2000)
    revoked = {"revoked": ["2" * 64]}

    def list_versions() -> list[tuple[int, bool, bool]]:
        return [(version.version, version.current, version.withdrawn) for version in store.versions("orders")]

    stage_and_publish(store, draft(1, model_sha256="1" * 64), good)
    stage_and_publish(store, draft(2, model_sha256="2" * 64), wrong, max_drift=None)
    before = [(2, True, False), (1, False, False)]
    with pytest.raises(StoreError, match="2,000 predictions are staged; expected 9"):
        stage_and_publish(store, draft(3, model_sha256="3" * 64), good, expected_rows=9, **revoked)
    assert list_versions() == before
    with pytest.raises(StoreError, match=r"the scores are 0\.\d+ away from those of version 1 "):
        stage_and_publish(store, draft(4, model_sha256="3" * 64), far, **revoked)
    assert list_versions() == before
    assert sorted(read_all(store).values()) == sorted(wrong.tolist())
    assert stage_and_publish(store, draft(5, model_sha256="3" * 64), good, **revoked).version == 3
    assert list_versions() == [(3, True, False), (2, False, True)]


def test_where_every_model_was_revoked_there_is_nothing_to_drift_from(store: Store, draft: Any) -> None:
    stage_and_publish(store, draft(1, model_sha256="1" * 64), np.full(9, 0.1))
    assert stage_and_publish(store, draft(2, model_sha256="2" * 64), np.full(9, 0.9), revoked=["1" * 64]).version == 2


def test_publishing_again_tells_what_was_published_and_prunes(store: Store, draft: Any) -> None:
    for number in (1, 2, 3):
        stage_and_publish(store, draft(number), [0.5])
    assert [version.version for version in store.versions("orders")] == [3, 2]
    assert stage_and_publish(store, draft(2), [0.5], expected_rows=9).version == 2
    assert [version.current for version in store.versions("orders")] == [True, False]


def test_any_sqlite_client_reads_the_current_predictions(tmp_path: Path, draft: Any) -> None:
    import sqlite3
    from contextlib import closing

    from lockgate.pipelines.stores import open_store
    from lockgate.pipelines.stores.settings import StoreSettings

    settings = StoreSettings(kind="sqlite", keep=2, max_drift=None, path="mine.db")
    store = open_store(settings, home=tmp_path)
    stage_and_publish(store, draft(1), [0.1])
    stage_and_publish(store, draft(2), [0.2], max_drift=None)
    with closing(sqlite3.connect(tmp_path / "mine.db")) as db:
        statement = "SELECT score FROM current_predictions WHERE project = ? AND key = ?"
        assert db.execute(statement, ("orders", "k0")).fetchall() == [(0.2,)]
