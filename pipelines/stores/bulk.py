"""Rows many at a time: in chunks that fit in memory, in the order of their keys, and no key twice."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.ordering import order

if TYPE_CHECKING:
    import pyarrow as pa


class RepeatError(ValueError):
    """A key is there twice."""


_CHUNK_ROWS = 1_000_000
_CHUNK_BYTES = 64 * 1024**2


def chunks(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The rows in tables of about a million, or of 64 MiB where keys are long."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in rows:
        if held and (
            sum(one.num_rows for one in held) + batch.num_rows > _CHUNK_ROWS
            or sum(one.nbytes for one in held) + batch.nbytes > _CHUNK_BYTES
        ):
            yield pa.Table.from_batches(held)
            held = []
        if batch.num_rows:
            held.append(batch)
    if held:
        yield pa.Table.from_batches(held)


def in_order(rows: pa.Table) -> pa.Table:
    """The rows, ascending by key. Raises RepeatError for a key that repeats."""
    import pyarrow.compute as pc

    rows = rows.combine_chunks()
    keys = _whole(rows)
    if len(keys) > 1 and not pc.all(pc.less(keys[:-1], keys[1:])).as_py():
        rows = rows.take(order(keys))
        _check_ascending(_whole(rows))
    return rows


def check_unique(parts: Sequence[Iterator[pa.Array]]) -> None:
    """Raise RepeatError where a key is in two parts, each of which comes in ascending arrays.

    All parts are read side by side, up to the first key that ends one of the arrays held, so that no more is held than
    an array of each.
    """
    import pyarrow as pa

    held = [(array, part) for part in parts if (array := next(part, None)) is not None]
    while len(held) > 1:
        upto = min(array[-1].as_py() for array, _ in held)
        counts = [bisect_right(array, upto, key=lambda one: one.as_py()) for array, _ in held]
        taken = pa.concat_arrays([array[:count] for (array, _), count in zip(held, counts, strict=True)])
        _check_ascending(taken.take(order(taken)))
        left = ((array[count:], part) for (array, part), count in zip(held, counts, strict=True))
        held = [(some, part) for array, part in left if (some := array if len(array) else next(part, None)) is not None]


def overlapping(ranges: Sequence[tuple[str, str] | None]) -> list[list[int]]:
    """Which of these may have a key in common, from the first key of each to its last: groups of two or more places.

    One whose range is not known (None) may have any key.
    """
    if len(ranges) > 1 and None in ranges:
        return [list(range(len(ranges)))]
    found, upto = list[list[int]](), ""
    for at, (first, last) in sorted(((at, ends) for at, ends in enumerate(ranges) if ends), key=lambda one: one[1]):
        if found and first <= upto:
            found[-1].append(at)
            upto = max(upto, last)
        else:
            found.append([at])
            upto = last
    return [some for some in found if len(some) > 1]


def text(keys: Sequence[str], *, where: str) -> pa.Array:
    """Keys as Arrow has them. Raises StoreError for what is no text: half of a surrogate pair."""
    import pyarrow as pa

    try:
        return pa.array(keys, pa.string())
    except UnicodeError as err:
        raise StoreError("a key is no text", expected="what UTF-8 can write", where=where) from err


def _whole(rows: pa.Table) -> pa.Array:
    import pyarrow as pa

    column = rows["key"]
    return column.chunk(0) if column.num_chunks else pa.array([], pa.string())


def _check_ascending(keys: pa.Array) -> None:
    import pyarrow.compute as pc

    if pc.any(pc.equal(keys[:-1], keys[1:])).as_py():
        raise RepeatError
