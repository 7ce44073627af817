"""How many requests the head costs, by the length of the log: no more with 10,000 entries than with ten."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from obstore.store import MemoryStore

from bench.log import PROJECT, objects
from lockgate.gates.log import Log


class CountingStore:
    """A store that counts what is asked of it."""

    def __init__(self, store: Any) -> None:
        self.asked: Counter[str] = Counter()
        self._store = store

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self._store, name)


@pytest.fixture(scope="module")
def filled() -> dict[int, MemoryStore]:
    stores = {length: MemoryStore() for length in (10, 10_000)}
    for length, store in stores.items():
        for name, blob in objects(length):
            store.put(name, blob)
    return stores


@pytest.mark.parametrize("length", [10, 10_000])
def test_with_its_hint_the_head_costs_five_requests(length: int, filled: dict[int, MemoryStore]) -> None:
    store = CountingStore(filled[length])
    assert Log(store, project=PROJECT).head().seq == length
    # the hint, the head and the entry before it; that the hinted entry is there, and that the next is not
    assert store.asked == {"get": 3, "head": 2}


@pytest.mark.parametrize("length", [10, 10_000])
@pytest.mark.parametrize("hint", [None, b"{", b'{"seq":7}', b'{"seq":99999999}'])
def test_without_a_good_hint_it_costs_a_logarithm_and_mends_it(
    length: int, hint: bytes | None, filled: dict[int, MemoryStore]
) -> None:
    held = filled[length]
    held.delete("head.json")
    if hint is not None:
        held.put("head.json", hint)
    store = CountingStore(held)
    assert Log(store, project=PROJECT).head().seq == length
    assert store.asked["head"] <= 2 * math.ceil(math.log2(length)) + 3
    assert store.asked == {"get": 3, "put": 1, "head": store.asked["head"]}
    assert bytes(held.get("head.json").bytes()) == b'{"seq": %d}' % length
