"""How many requests the head costs, by the length of the log: no more with 10,000 entries than with ten.

Tests of gates/log/objects.py (requests).
"""

from __future__ import annotations

import math

import pytest
from obstore.store import MemoryStore

from bench.log import LOG_PROJECT, log_objects
from lockgate.gates.log import Log
from tests.builders import CountingStore


@pytest.fixture(scope="module")
def stores_by_length() -> dict[int, MemoryStore]:
    stores = {count: MemoryStore() for count in (10, 10_000)}
    for count, store in stores.items():
        for name, blob in log_objects(count):
            store.put(name, blob)
    return stores


@pytest.mark.parametrize("length", [10, 10_000])
def test_with_its_hint_the_head_costs_five_requests(length: int, stores_by_length: dict[int, MemoryStore]) -> None:
    store = CountingStore(stores_by_length[length])
    assert Log(store, project=LOG_PROJECT).head().seq == length
    # the hint, the head and the entry before it; that the hinted entry is there, and that the next is not
    assert store.requests == {"get": 3, "head": 2}


@pytest.mark.parametrize("length", [10, 10_000])
@pytest.mark.parametrize("hint", [None, b"{", b'{"seq":7}', b'{"seq":99999999}'])
def test_without_a_good_hint_it_costs_a_logarithm_and_mends_it(
    length: int, hint: bytes | None, stores_by_length: dict[int, MemoryStore]
) -> None:
    memory = stores_by_length[length]
    memory.delete("head.json")
    if hint is not None:
        memory.put("head.json", hint)
    store = CountingStore(memory)
    assert Log(store, project=LOG_PROJECT).head().seq == length
    assert store.requests["head"] <= 2 * math.ceil(math.log2(length)) + 3
    assert store.requests == {"get": 3, "put": 1, "head": store.requests["head"]}
    assert bytes(memory.get("head.json").bytes()) == b'{"seq": %d}' % length
