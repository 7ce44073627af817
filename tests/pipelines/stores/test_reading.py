"""Of every store: keys and scores come back as they were given, by key, by keys, and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gates.errors import StoreError
from pipelines.stores import Store
from tests.pipelines.stores.places import held, publish

ODD = [
    "", " ", "a/b", "a%2Fb", "a'b", 'a"b', "a\\b", "a\tb\nc", "é", "e\u0301", "日本", "🙂", "NULL", "\\N", "1e3",
    "x" * 512, "{a}", "a,b", "a:b", "*", "$1", ";--", "\u200b", "A", "a",
]  # fmt: skip
SCORES = [1 / 3, 1e-300, 5e-324, 1.0, 0.0, 0.1, 2 / 3, np.nextafter(1, 0), 1.7976931348623157e308, -1 / 3]


def test_odd_keys_and_scores_come_back_bit_by_bit(store: Store, draft: Any) -> None:
    rows = {key: SCORES[at % len(SCORES)] for at, key in enumerate(ODD)}
    publish(store, draft(), rows)
    assert {key: score.hex() for key, score in held(store).items()} == {key: float(x).hex() for key, x in rows.items()}
    assert held(store, keys=ODD) == rows
    for key, score in rows.items():
        found = store.get("orders", key, version=None)
        assert found is not None
        assert (found.key, found.score.hex(), found.version.version) == (key, float(score).hex(), 1)


def test_some_keys_once_each_and_none_that_is_not_there(store: Store, draft: Any) -> None:
    publish(store, draft(), {f"k{at}": at / 1000 for at in range(3000)})
    wanted = [f"k{at}" for at in range(0, 3000, 2)]
    assert held(store, keys=[*wanted, *wanted[:10], "none"]) == {key: int(key[1:]) / 1000 for key in wanted}
    assert held(store, keys=[]) == {}


def test_many_rows_in_batches_of_one_version(store: Store, draft: Any) -> None:
    rows = {f"k{at}": at / 120_000 for at in range(120_000)}
    publish(store, draft(), rows)
    found = store.read("orders", keys=None, version=None)
    publish(store, draft(2), {"k1": 0.5})  # who reads already reads on
    batches = list(found.batches)
    assert len(batches) > 1
    assert max(batch.num_rows for batch in batches) <= 100_000
    assert sum(batch.num_rows for batch in batches) == found.version.rows == 120_000
    scores = np.concatenate([batch["score"].to_numpy() for batch in batches])
    assert np.sort(scores).tolist() == list(rows.values())


def test_an_earlier_version_by_its_number(store: Store, draft: Any) -> None:
    publish(store, draft(1), {"k1": 0.1})
    publish(store, draft(2), {"k1": 0.2, "k2": 0.2})
    assert held(store, version=1) == {"k1": 0.1}
    one, other = store.get("orders", "k1", version=1), store.get("orders", "k1", version=None)
    assert (one and one.score, one and one.version.current) == (0.1, False)
    assert (other and other.score, other and other.version.current) == (0.2, True)
    assert store.get("orders", "k2", version=1) is None
    assert store.get("orders", "none", version=None) is None
    assert store.get("orders", "k1", version=3) is None
    with pytest.raises(StoreError, match="there is no version 3"):
        store.read("orders", keys=None, version=3)


@pytest.mark.parametrize("key", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
def test_a_key_that_is_no_text_is_found_or_refused_in_one_line(store: Store, draft: Any, key: str) -> None:
    publish(store, draft(), {"k": 0.5})
    try:
        found = store.get("orders", key, version=None)
    except StoreError as err:
        assert len(str(err).splitlines()) == 1  # noqa: PT017 (either is right)
    else:
        assert found is None
