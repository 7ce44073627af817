"""Row ids as an Arrow column, and their 8-byte hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gates.arrow_columns import arrow
from gates.errors import EvidenceError

MAX_ID_BYTES = 512
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def column(values: Any, n: int) -> pa.Array:
    """Row ids as int64 or string (n,); row numbers where `values` is None. Nulls and other types are refused."""
    if values is None:
        return arrow(np.arange(n, dtype=np.int64))
    try:
        ids = arrow(values)
        if pa.types.is_integer(ids.type):
            ids = ids.cast(pa.int64())
        elif pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type) or pa.types.is_binary(ids.type):
            ids = ids.cast(pa.string())
        else:
            raise EvidenceError(f"row_id has type {ids.type}", expected="integers or strings")
        ids.validate(full=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
        raise EvidenceError("row_id is no column of ids", expected="integers or UTF-8 strings") from err
    if ids.null_count:
        raise EvidenceError(f"row_id is missing in {ids.null_count} rows", expected="an id for every row")
    return ids


def hash_row_ids(values: Any) -> NDArray[np.uint64]:
    """8-byte hashes of row ids, in their order: uint64 (n,).

    The same id gives the same hash on every machine; an integer and its decimal string differ. Built on the
    finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), one pass over 8-byte words for all rows at
    once. It tells rows apart; it does not hide them.

    Raises:
        EvidenceError: values that are no ids, or an id of more than 512 bytes.
    """
    ids = column(values, 0)
    n = len(ids)
    if n == 0:
        return np.empty(0, dtype=np.uint64)
    if pa.types.is_integer(ids.type):
        return _mix(ids.to_numpy().astype(np.uint64) + _ODD)
    _, offset_buffer, data = ids.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[ids.offset : ids.offset + n + 1].astype(np.int64)
    sizes = np.diff(offsets)
    longest = int(sizes.max())
    if longest > MAX_ID_BYTES:
        raise EvidenceError(f"a row_id is {longest} bytes long", expected=f"at most {MAX_ID_BYTES} bytes")
    text = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]] if data else np.empty(0, np.uint8)
    hashed = _mix(sizes.astype(np.uint64))
    for start in range(0, longest, 8):
        longer = sizes > start  # an id's hash must not depend on how long the others are
        word = np.zeros((n, 8), dtype=np.uint8)
        held = np.arange(start, start + 8) < sizes[:, None]
        where = (offsets[:-1, None] - offsets[0] + np.arange(start, start + 8))[held]
        word[held] = text[where]
        hashed = np.where(longer, _mix((hashed ^ word.view("<u8").ravel()) + _ODD), hashed)
    return hashed


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


def sort_order(ids: pa.Array) -> NDArray[np.intp] | None:
    """The order that sorts `ids`, or None where they are strictly ascending already."""
    if len(ids) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        return None
    order: NDArray[np.intp] = pc.sort_indices(ids).to_numpy().astype(np.intp)
    return order
