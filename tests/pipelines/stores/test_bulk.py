"""Rows many at a time: which parts have to be compared, and that a key that is in two of them is found."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.bulk import find_overlaps
from tests.pipelines.stores.places import Place, publish, stage


@pytest.mark.parametrize(
    ("ranges", "groups"),
    [
        ([], []),
        ([("a", "b")], []),
        ([None], []),
        ([("c", "d"), ("a", "b")], []),
        ([("a", "b"), ("b", "c")], [[0, 1]]),
        ([("d", "e"), ("a", "z"), ("b", "c")], [[1, 2, 0]]),
        ([("a", "b"), ("x", "y"), ("b", "c"), ("y", "z")], [[0, 2], [1, 3]]),
        ([("a", "b"), None, ("c", "d")], [[0, 1, 2]]),
        ([("", ""), ("", "a")], [[0, 1]]),
    ],
)
def test_which_ranges_may_have_a_key_in_common(ranges: list[tuple[str, str] | None], groups: list[list[int]]) -> None:
    assert find_overlaps(ranges) == groups


def test_every_pair_that_has_a_key_in_common_is_in_one_group() -> None:
    lots = Random(0)
    for _ in range(300):
        ranges = [tuple(sorted(lots.choices("abcdefghij", k=2))) for _ in range(lots.randrange(8))]
        groups = [set(group) for group in find_overlaps(ranges)]  # type: ignore[arg-type]
        for index, (low, high) in enumerate(ranges):
            for other, (first, last) in enumerate(ranges[:index]):
                if low <= last and first <= high:
                    assert any({index, other} <= group for group in groups)


@pytest.mark.parametrize("place", ["parquet"], indirect=True)
def test_keys_of_4_kb_of_which_parquet_tells_no_range_are_compared(place: Place, draft: Any) -> None:
    store, long = place.open(), "x" * 5000
    assert publish(store, draft(1, shards=2), {f"{long}1": 0.1}, {f"{long}2": 0.2}).rows == 2
    two = draft(2, shards=2)
    stage(store, two, 0, {f"{long}1": 0.1})
    stage(store, two, 1, {f"{long}1": 0.2})
    with pytest.raises(StoreError, match="two rows with the same key"):
        store.commit(two)
