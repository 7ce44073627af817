"""Row ids as an Arrow column, and their 8-byte hashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import to_arrow

MAX_ID_BYTES = 512
# SplitMix64's increment and the two multipliers of its finaliser
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_FIRST_BYTES = np.array([(1 << (8 * count)) - 1 for count in range(9)], dtype=np.uint64)
_BLOCK_ROWS = 1 << 14


def parse_row_ids(values: Any, n: int) -> pa.Array:
    """Row ids as int64 or string (n,); row numbers for None. Raises EvidenceError for nulls and other types."""
    if values is None:
        return to_arrow(np.arange(n, dtype=np.int64))
    try:
        ids = to_arrow(values)
        if pa.types.is_integer(ids.type):
            ids = ids.cast(pa.int64())
        elif pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type) or pa.types.is_binary(ids.type):
            ids = ids.cast(pa.string())
        else:
            raise EvidenceError(f"row_id has type {ids.type}", expected="integers or strings")
        ids.validate(full=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as err:
        raise EvidenceError("row_id is not a column of ids", expected="integers or UTF-8 strings") from err
    if ids.null_count:
        raise EvidenceError(f"row_id is missing in {ids.null_count} rows", expected="an id for every row")
    return ids


def hash_row_ids(values: Any) -> NDArray[np.uint64]:
    """8-byte hashes of row ids, in their order: uint64 (n,).

    The same id has the same hash on every machine; an integer and its decimal string have different ones. The hash is
    built on the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), one pass over 8-byte words for all rows
    at once. It tells rows apart, but does not hide their ids: it has no secret.

    Raises:
        EvidenceError: values that are not ids, or an id of more than 512 bytes.
    """
    ids = parse_row_ids(values, 0)
    out = np.empty(len(ids), dtype=np.uint64)
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy().view(np.uint64)
        for first in range(0, len(ids), _BLOCK_ROWS):
            out[first : first + _BLOCK_ROWS] = _mix(numbers[first : first + _BLOCK_ROWS] + _INCREMENT)
    elif len(ids):
        text, offsets = _text(ids)
        for first in range(0, len(ids), _BLOCK_ROWS):
            out[first : first + _BLOCK_ROWS] = _hash_texts(
                text, offsets[first : first + _BLOCK_ROWS + 1].astype(np.intp)
            )
    return out


def rekey_hashes(hashes: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """Different hashes of the same ids, by a 64-bit key: uint64 (n,), in the same order."""
    out = np.empty_like(hashes)
    for first in range(0, hashes.size, _BLOCK_ROWS):
        out[first : first + _BLOCK_ROWS] = _mix((hashes[first : first + _BLOCK_ROWS] ^ np.uint64(key)) + _INCREMENT)
    return out


def _text(ids: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all ids followed by eight zeros, and the offset of each id."""
    _, offset_buffer, data = ids.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1]
    longest = int(np.diff(offsets).max())
    if longest > MAX_ID_BYTES:
        raise EvidenceError(f"a row_id is {longest} bytes long", expected=f"at most {MAX_ID_BYTES} bytes")
    text = np.zeros(int(offsets[-1] - offsets[0]) + 8, dtype=np.uint8)
    if data:
        text[:-8] = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return text, offsets - offsets[0]


def _hash_texts(text: NDArray[np.uint8], offsets: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Hashes of one block of ids, which is small enough to stay in the processor's cache."""
    words = np.ndarray((text.size - 7,), dtype="<u8", buffer=text, strides=(1,))  # the eight bytes from each byte on
    start, size = offsets[:-1], np.diff(offsets)
    shortest = int(size.min())
    hashed = _mix(size.astype(np.uint64))
    for offset in range(0, int(size.max()), 8):
        word = words[np.minimum(start + offset, text.size - 8)]
        remaining = size - offset
        if offset + 8 > shortest:
            word &= _FIRST_BYTES.take(remaining, mode="clip")  # the bytes after it belong to the next id
        word ^= hashed
        word += _INCREMENT
        mixed = _mix(word)
        # an id's hash must not depend on how long the others are
        hashed = mixed if offset < shortest else np.where(remaining > 0, mixed, hashed)
    return hashed


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser, in place."""
    value ^= value >> np.uint64(30)
    value *= _FIRST_FACTOR
    value ^= value >> np.uint64(27)
    value *= _SECOND_FACTOR
    value ^= value >> np.uint64(31)
    return value


def sort_order(ids: pa.Array) -> NDArray[np.intp] | None:
    """The order that sorts `ids`; None if they are strictly ascending already."""
    if len(ids) < 2 or pc.all(pc.less(ids.slice(0, len(ids) - 1), ids.slice(1))).as_py():
        return None
    order: NDArray[np.intp] = pc.sort_indices(ids).to_numpy().astype(np.intp)
    return order
