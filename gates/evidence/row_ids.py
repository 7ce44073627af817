"""Row ids as an Arrow column, and their 8-byte hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import arrow

MAX_ID_BYTES = 512
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_FIRST_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)
_BLOCK = 1 << 14


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
    out = np.empty(len(ids), dtype=np.uint64)
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy().view(np.uint64)
        for first in range(0, len(ids), _BLOCK):
            out[first : first + _BLOCK] = _mix(numbers[first : first + _BLOCK] + _ODD)
    elif len(ids):
        text, offsets = _text(ids)
        for first in range(0, len(ids), _BLOCK):
            out[first : first + _BLOCK] = _hashed(text, offsets[first : first + _BLOCK + 1].astype(np.intp))
    return out


def keyed(hashes: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Other hashes of the same ids, by a key of 64 bits: uint64 (n,), in the same order."""
    out = np.empty_like(hashes)
    for first in range(0, hashes.size, _BLOCK):
        out[first : first + _BLOCK] = _mix((hashes[first : first + _BLOCK] ^ np.uint64(key)) + _ODD)
    return out


def _text(ids: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all ids, eight zeros behind them, and where each begins."""
    _, offset_buffer, data = ids.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1]
    longest = int(np.diff(offsets).max())
    if longest > MAX_ID_BYTES:
        raise EvidenceError(f"a row_id is {longest} bytes long", expected=f"at most {MAX_ID_BYTES} bytes")
    text = np.zeros(int(offsets[-1] - offsets[0]) + 8, dtype=np.uint8)
    if data:
        text[:-8] = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return text, offsets - offsets[0]


def _hashed(text: NDArray[np.uint8], offsets: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hashes of one block of ids: few enough that what is computed stays in the processor's cache."""
    words = np.ndarray((text.size - 7,), dtype="<u8", buffer=text, strides=(1,))  # eight bytes from every byte on
    start, size = offsets[:-1], np.diff(offsets)
    shortest = int(size.min())
    hashed = _mix(size.astype(np.uint64))
    for at in range(0, int(size.max()), 8):
        word = words[np.minimum(start + at, text.size - 8)]
        left = size - at
        if at + 8 > shortest:
            word &= _FIRST_BYTES.take(left, mode="clip")  # the bytes behind belong to the next id
        word ^= hashed
        word += _ODD
        mixed = _mix(word)
        # an id's hash must not depend on how long the others are
        hashed = mixed if at < shortest else np.where(left > 0, mixed, hashed)
    return hashed


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place."""
    value ^= value >> np.uint64(30)
    value *= _FIRST
    value ^= value >> np.uint64(27)
    value *= _SECOND
    value ^= value >> np.uint64(31)
    return value


def sort_order(ids: pa.Array) -> NDArray[np.intp] | None:
    """The order that sorts `ids`, or None where they are strictly ascending already."""
    if len(ids) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        return None
    order: NDArray[np.intp] = pc.sort_indices(ids).to_numpy().astype(np.intp)
    return order
