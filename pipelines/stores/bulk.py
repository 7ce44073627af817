"""Many rows at a time: chunks that fit in memory, rows sorted by key, and the search for repeated keys."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.ordering import order

if TYPE_CHECKING:
    import pyarrow as pa


class RepeatError(ValueError):
    """A key appears twice."""


_CHUNK_ROWS = 1_000_000
_CHUNK_BYTES = 64 * 1024**2


def chunks(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The rows in tables of about a million rows, or of 64 MiB if keys are long."""
    import pyarrow as pa

    pending: list[pa.RecordBatch] = []
    for batch in rows:
        if pending and (
            sum(part.num_rows for part in pending) + batch.num_rows > _CHUNK_ROWS
            or sum(part.nbytes for part in pending) + batch.nbytes > _CHUNK_BYTES
        ):
            yield pa.Table.from_batches(pending)
            pending = []
        if batch.num_rows:
            pending.append(batch)
    if pending:
        yield pa.Table.from_batches(pending)


def sort_rows(rows: pa.Table) -> pa.Table:
    """The rows, ascending by key. Raises RepeatError for a repeated key."""
    import pyarrow.compute as pc

    rows = rows.combine_chunks()
    keys = _whole(rows)
    if len(keys) > 1 and not pc.all(pc.less(keys[:-1], keys[1:])).as_py():
        rows = rows.take(order(keys))
        _check_ascending(_whole(rows))
    return rows


def check_unique(parts: Sequence[Iterator[pa.Array]]) -> None:
    """Raise RepeatError if a key is in two parts, each an iterator of ascending arrays.

    The parts are merged up to the smallest last key of the current arrays, so that memory holds one array of each part.
    """
    import pyarrow as pa

    heads = [(array, part) for part in parts if (array := next(part, None)) is not None]
    while len(heads) > 1:
        upto = min(array[-1].as_py() for array, _ in heads)
        counts = [bisect_right(array, upto, key=lambda key: key.as_py()) for array, _ in heads]
        keys = pa.concat_arrays([array[:count] for (array, _), count in zip(heads, counts, strict=True)])
        _check_ascending(keys.take(order(keys)))
        rests = ((array[count:], part) for (array, part), count in zip(heads, counts, strict=True))
        heads = [
            (head, part) for array, part in rests if (head := array if len(array) else next(part, None)) is not None
        ]


def find_overlaps(ranges: Sequence[tuple[str, str] | None]) -> list[list[int]]:
    """Which of these ranges (first key, last key) may share a key: groups of two or more indices.

    A range that is not known (None) may contain any key.
    """
    if len(ranges) > 1 and None in ranges:
        return [list(range(len(ranges)))]
    groups, group_end = list[list[int]](), ""
    for index, (first, last) in sorted(((i, ends) for i, ends in enumerate(ranges) if ends), key=lambda item: item[1]):
        if groups and first <= group_end:
            groups[-1].append(index)
            group_end = max(group_end, last)
        else:
            groups.append([index])
            group_end = last
    return [group for group in groups if len(group) > 1]


def keys_as_arrow(keys: Sequence[str], *, where: str) -> pa.Array:
    """Keys as an Arrow array. Raises StoreError for a lone surrogate, which is not valid text."""
    import pyarrow as pa

    try:
        return pa.array(keys, pa.string())
    except UnicodeError as err:
        raise StoreError("a key is not valid text", expected="text that UTF-8 can encode", where=where) from err


def _whole(rows: pa.Table) -> pa.Array:
    import pyarrow as pa

    column = rows["key"]
    return column.chunk(0) if column.num_chunks else pa.array([], pa.string())


def _check_ascending(keys: pa.Array) -> None:
    import pyarrow.compute as pc

    if pc.any(pc.equal(keys[:-1], keys[1:])).as_py():
        raise RepeatError
