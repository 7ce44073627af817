"""Of every store: a writer that hung, was taken for dead and comes back publishes nothing over those who went on.

Nothing is leased: who may publish is decided at the commit, against what the store holds then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store, Tally
from tests.pipelines.stores.places import Place, publish, read_all, stage

ROWS = {"k1": 0.1, "k2": 0.2}
SCHEMA = pa.schema([("key", pa.string()), ("score", pa.float64())])


def check_nothing_changed(place: Place) -> None:
    store = place.open()
    assert read_all(store) == ROWS
    assert [version.draft.source for version in store.versions("orders")] == ["Predict/2"]


def expect_refusal(action: Any) -> None:
    with pytest.raises(StoreError) as caught:
        action()
    assert len(str(caught.value).splitlines()) == 1


def test_a_draft_that_was_discarded_is_not_committed(place: Place, store: Store, draft: Any) -> None:
    stage(store, draft(1), 0, {"k1": 0.9})
    other = place.open()
    assert other.discard("orders", "Predict/1") == 1
    publish(other, draft(2), ROWS)
    expect_refusal(lambda: store.commit(draft(1)))
    check_nothing_changed(place)


@pytest.mark.parametrize("place", ["parquet", "dynamodb", "redis"], indirect=True)
def test_a_draft_that_is_discarded_while_it_is_staged_is_not_committed(place: Place, store: Store, draft: Any) -> None:
    """In the others staging a shard is one transaction, for which who discards has to wait."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"key": ["a"], "score": [0.5]}, schema=SCHEMA)
        other = place.open()
        other.discard("orders", "Predict/1")
        publish(other, draft(2), ROWS)
        yield pa.record_batch({"key": ["b"], "score": [0.5]}, schema=SCHEMA)

    def stage_and_commit() -> None:
        store.stage(draft(1), 0, pa.RecordBatchReader.from_batches(SCHEMA, batches()), Tally(rows=2, buckets={}))
        store.commit(draft(1))

    expect_refusal(stage_and_commit)
    check_nothing_changed(place)
