"""Of every store: keys and scores come back as they were given, by key, by keys, and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Store
from tests.pipelines.stores.places import publish, read_all

ODD = [
    "",
    " ",
    "a/b",
    "a%2Fb",
    "a'b",
    'a"b',
    "a\\b",
    "a\tb\nc",
    "é",
    "e\u0301",
    "日本",
    "🙂",
    "NULL",
    "\\N",
    "1e3",
    "x" * 512,
    "{a}",
    "a,b",
    "a:b",
    "*",
    "$1",
    ";--",
    "\u200b",
    "A",
    "a",
    "\n",
    "\r\n",
    "\r",
    "\t",
    '"',
    '""',
    "'",
    "\\",
    "\\.",
    "a\n\\.\nb",
    "%s",
    ":key",
    "-1",
    "\x01",
    "\x7f",
    "\ufeff",
    "\u2028",
    " a ",
    "null",
]
SCORES = [1 / 3, 1e-300, 5e-324, 1.0, 0.0, 0.1, 2 / 3, np.nextafter(1, 0), 1.7976931348623157e308, -1 / 3]


def test_odd_keys_and_scores_come_back_bit_by_bit(store: Store, draft: Any) -> None:
    rows = {key: SCORES[index % len(SCORES)] for index, key in enumerate(ODD)}
    publish(store, draft(), rows)
    assert {key: score.hex() for key, score in read_all(store).items()} == {
        key: float(x).hex() for key, x in rows.items()
    }
    assert read_all(store, keys=ODD) == rows
    for key, score in rows.items():
        prediction = store.get("orders", key, version=None)
        assert prediction is not None
        assert (prediction.key, prediction.score.hex(), prediction.version.version) == (key, float(score).hex(), 1)


def test_any_finite_score_comes_back_bit_by_bit(store: Store, draft: Any) -> None:
    drawn = np.frombuffer(np.random.default_rng(3).bytes(8 * 3000), dtype=np.float64)
    rows = {f"k{index}": score for index, score in enumerate(drawn[np.isfinite(drawn)].tolist())}
    publish(store, draft(), rows)
    assert read_all(store) == read_all(store, keys=list(rows)) == rows


def test_some_keys_once_each_and_none_that_is_not_there(store: Store, draft: Any) -> None:
    publish(store, draft(), {f"k{index}": index / 1000 for index in range(3000)})
    requested = [f"k{index}" for index in range(0, 3000, 2)]
    assert read_all(store, keys=[*requested, *requested[:10], "none"]) == {
        key: int(key[1:]) / 1000 for key in requested
    }
    assert read_all(store, keys=[]) == {}


@pytest.mark.nightly
def test_many_rows_in_batches_of_one_version(store: Store, draft: Any) -> None:
    rows = {f"k{index}": index / 120_000 for index in range(120_000)}
    publish(store, draft(), rows)
    rows_read = store.read_rows("orders", keys=None, version=None)
    publish(store, draft(2), {"k1": 0.5})  # who reads already reads on
    batches = list(rows_read.batches)
    assert len(batches) > 1
    assert max(batch.num_rows for batch in batches) <= 100_000
    assert sum(batch.num_rows for batch in batches) == rows_read.version.rows == 120_000
    scores = np.concatenate([batch["score"].to_numpy() for batch in batches])
    assert np.sort(scores).tolist() == list(rows.values())


def test_who_reads_goes_on_over_a_rollback_and_a_prune(store: Store, draft: Any) -> None:
    rows = {f"k{index}": 0.1 for index in range(20_000)}
    publish(store, draft(1), rows)
    begun = [store.read_rows("orders", keys=keys, version=None) for keys in (None, list(rows))]
    publish(store, draft(2), dict.fromkeys(rows, 0.2))
    store.prune("orders", keep=2)
    store.rollback("orders", to=1)
    store.rollback("orders", to=2)
    for rows_read in begun:
        assert rows_read.version.version == 1
        scores = np.concatenate([batch["score"].to_numpy() for batch in rows_read.batches])
        assert (scores.size, set(scores.tolist())) == (len(rows), {0.1})


def test_an_earlier_version_by_its_number(store: Store, draft: Any) -> None:
    publish(store, draft(1), {"k1": 0.1})
    publish(store, draft(2), {"k1": 0.2, "k2": 0.2})
    assert read_all(store, version=1) == {"k1": 0.1}
    earlier, other = store.get("orders", "k1", version=1), store.get("orders", "k1", version=None)
    assert (earlier and earlier.score, earlier and earlier.version.current) == (0.1, False)
    assert (other and other.score, other and other.version.current) == (0.2, True)
    assert store.get("orders", "k2", version=1) is None
    assert store.get("orders", "none", version=None) is None
    assert store.get("orders", "k1", version=3) is None
    with pytest.raises(StoreError, match="there is no version 3"):
        store.read_rows("orders", keys=None, version=3)


@pytest.mark.parametrize("key", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
def test_a_key_that_is_no_text_is_found_or_refused_in_one_line(store: Store, draft: Any, key: str) -> None:
    publish(store, draft(), {"k": 0.5})
    try:
        prediction = store.get("orders", key, version=None)
    except StoreError as err:
        assert len(str(err).splitlines()) == 1  # noqa: PT017 (either is right)
    else:
        assert prediction is None


@pytest.mark.parametrize("key", ["a\0b", "k" * 100_000], ids=["NUL", "long"])
def test_a_key_is_held_or_refused_in_one_line(store: Store, draft: Any, key: str) -> None:
    publish(store, draft(1), {"k": 0.5})
    try:
        publish(store, draft(2), {"a": 0.25, key: 0.75})
    except StoreError as err:
        assert len(str(err).splitlines()) == 1  # noqa: PT017 (either is right)
        assert (dict(store.staged_shards(draft(2))), read_all(store)) == ({}, {"k": 0.5})
    else:
        assert read_all(store) == read_all(store, keys=["a", key]) == {"a": 0.25, key: 0.75}
