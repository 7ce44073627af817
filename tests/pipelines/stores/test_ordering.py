"""Keys ascend as pyarrow sorts them, whatever they begin with."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lockgate.pipelines.stores.ordering import order

MADE: dict[str, Callable[[Random], str]] = {
    "numbers": lambda lots: str(lots.randrange(10**6)),
    "alike for long": lambda lots: (
        f"2013-11-{lots.randrange(30):02d}|UA|{lots.randrange(100):020d}|{lots.choice('ab')}"
    ),
    "short": lambda lots: "".join(lots.choices("ab", k=lots.randrange(8))),
    "zeros": lambda lots: "".join(lots.choices("\0a", k=lots.randrange(12))),
    "any text": lambda lots: "".join(lots.choices("aé日🙂\uffff", k=lots.randrange(6))),
    "long": lambda lots: "x" * lots.randrange(500) + lots.choice("yz"),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("count", [0, 1, 2, 3000])
def test_the_order_is_that_of_the_bytes(name: str, count: int) -> None:
    lots = Random(name)
    keys = pa.array(["", *(MADE[name](lots) for _ in range(count))], pa.string())[1:]  # a slice, as batches may be
    assert keys.take(pa.array(order(keys))).to_pylist() == keys.take(pc.sort_indices(keys)).to_pylist()


def test_rows_stay_whole() -> None:
    keys = pa.array(["b", "a", "c"])
    assert order(keys).tolist() == [1, 0, 2]
