"""Of every store: shards are staged, a version is committed, and what was interrupted is resumed or discarded.

Tests of pipelines/stores/store.py, pipelines/stores/books.py, pipelines/stores/paged.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store
from tests.pipelines.stores.places import Place, publish, read_all, stage

A, B = {"k1": 0.1, "k2": 0.2}, {"k3": 0.3}


def test_before_anything_was_published(store: Store, place: Place, tmp_path: Path, draft: Any) -> None:
    assert (list(store.versions("orders")), list(store.drafts("orders")), dict(store.staged_shards(draft()))) == (
        [],
        [],
        {},
    )
    assert store.discard("orders", "Predict/1") == 0
    assert store.prune("orders", keep=2) == store.withdraw("orders", ["0" * 64]) == ()
    for ask in (
        lambda: store.get("orders", "k1", version=None),
        lambda: store.read_rows("orders", keys=None, version=None),
        lambda: store.rollback("orders", to=None),
    ):
        with pytest.raises(StoreError, match=r"^nothing has been published yet.* \(run `lockgate predict`\)$"):
            ask()
    assert list(tmp_path.iterdir()) == []  # who only looks makes neither file nor folder
    publish(place.open(), draft(), A)
    assert read_all(store) == A  # and sees what others write afterwards


def test_shards_are_unseen_until_all_of_them_are_committed(store: Store, draft: Any) -> None:
    two = draft(shards=2)
    stage(store, two, 1, B)
    assert {shard: tally.rows for shard, tally in store.staged_shards(two).items()} == {1: 1}
    assert list(store.versions("orders")) == []
    assert [draft_.source for draft_ in store.drafts("orders")] == ["Predict/1"]
    with pytest.raises(StoreError, match="1 of the 2 shards of Predict/1 are not staged, beginning with shard 0"):
        store.commit(two)
    stage(store, two, 0, A)
    with pytest.raises(StoreError, match="nothing has been published yet"):
        store.read_rows("orders", keys=None, version=None)
    version = store.commit(two)
    assert (version.version, version.current, version.withdrawn, version.rows, version.draft) == (
        1,
        True,
        False,
        3,
        two,
    )
    assert list(store.versions("orders")) == [version]
    assert list(store.drafts("orders")) == []
    assert read_all(store) == A | B
    assert version.tally.distance(version.tally) == 0


def test_a_shard_that_is_staged_stays_as_it_is(store: Store, draft: Any) -> None:
    stage(store, draft(), 0, A)
    stage(store, draft(), 0, B)
    assert store.commit(draft()).rows == 2
    assert read_all(store) == A


def test_the_same_source_again_changes_nothing(store: Store, draft: Any) -> None:
    first = publish(store, draft(1), A)
    publish(store, draft(2), B)
    again = publish(store, draft(1), A | B)
    assert (again.version, again.current, again.rows) == (first.version, False, 2)
    assert read_all(store) == B
    assert [version.version for version in store.versions("orders")] == [2, 1]


def test_another_process_resumes_with_a_later_head_and_time(place: Place, store: Store, draft: Any) -> None:
    stage(store, draft(shards=2), 0, A)
    later = draft(shards=2, log_seq=7, log_sha256="7" * 64, time=datetime(2024, 6, 2, tzinfo=UTC))
    other = place.open()
    assert set(other.staged_shards(later)) == {0}
    stage(other, later, 1, B)
    assert other.commit(later).draft == later
    assert read_all(store) == A | B


def test_what_another_model_scored_is_not_resumed(store: Store, draft: Any) -> None:
    stage(store, draft(), 0, A)
    other = draft(model_sha256="2" * 64)
    assert dict(store.staged_shards(other)) == {}
    publish(store, other, B)
    assert read_all(store) == B


def test_a_model_that_was_admitted_earlier_comes_too_late(store: Store, draft: Any) -> None:
    publish(store, draft(1, log_seq=5), A)
    stage(store, draft(2, log_seq=4), 0, B)
    with pytest.raises(StoreError, match=r"Predict/2 was admitted under entry 4 .* under entry 5 since then"):
        store.commit(draft(2, log_seq=4))
    assert read_all(store) == A
    assert store.prune("orders", keep=2) == ()  # which takes away drafts that can never be published
    assert list(store.drafts("orders")) == []


def test_an_interrupted_draft_is_discarded(store: Store, draft: Any) -> None:
    publish(store, draft(1), A)
    stage(store, draft(2, shards=2), 0, B)
    assert store.discard("orders", "Predict/1") == 0
    assert store.discard("orders", "Predict/2") == 1
    assert dict(store.staged_shards(draft(2, shards=2))) == {}
    assert list(store.drafts("orders")) == []
    assert read_all(store) == A
    assert read_all(store, keys=["k3"]) == {}
    publish(store, draft(2), B)
    assert read_all(store) == B


def test_a_key_that_repeats_is_refused_and_the_last_version_stays(store: Store, draft: Any) -> None:
    publish(store, draft(1), B)
    with pytest.raises(StoreError, match="has two rows with the same key"):
        publish(store, draft(2, shards=2), A, {"k2": 0.9})
    assert read_all(store) == B
    assert [version.version for version in store.versions("orders")] == [1]


def test_projects_do_not_meet(store: Store, draft: Any) -> None:
    publish(store, draft(1), A)
    publish(store, draft(1, project="flights"), B)
    publish(store, draft(2, project="flights"), A | B)
    assert (read_all(store), read_all(store, "flights")) == (A, A | B)
    assert [version.version for version in store.versions("flights")] == [2, 1]
    assert store.withdraw("flights", ["0" * 64]) == (1, 2)
    assert [version.withdrawn for version in store.versions("orders")] == [False]


def test_an_empty_version_is_what_it_is(store: Store, draft: Any) -> None:
    assert publish(store, draft(shards=2), {}, {}).rows == 0
    assert read_all(store) == {}
