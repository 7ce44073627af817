"""Sorts keys by their bytes, by way of integers that hold a few bytes of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_ROUNDS = 8


def order(keys: pa.StringArray) -> NDArray[np.int64]:
    """The indices that sort the keys by their UTF-8 bytes: int64 (n,). Several times as fast as sorting strings.

    The common prefix is skipped. Each round sorts the keys that are still tied by a 64-bit number: their rank so far in
    the upper bits, their next bytes in the lower ones. Keys that are still tied after eight rounds, such as equal keys,
    are left to pyarrow.
    """
    import numpy as np
    import pyarrow.compute as pc

    if len(keys) < 2:
        return np.arange(len(keys))
    first, last = (extreme.as_py().encode() for extreme in pc.min_max(keys).values())
    offset = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    starts, lengths, text = _text(keys)
    out, places = np.arange(len(keys)), np.arange(len(keys))  # places: positions in `out` that are still tied
    ranks = np.zeros(len(keys), np.uint64)
    for _ in range(_ROUNDS):
        bits = np.uint64(int(ranks[-1]).bit_length())
        rows = out[places]
        numbers = _words(text, starts[rows] + offset, lengths[rows] - offset)
        if bits:
            numbers = (ranks << (np.uint64(64) - bits)) | (numbers >> bits)
        by = np.argsort(numbers)
        out[places], numbers = rows[by], numbers[by]
        alike = np.concatenate([[False], numbers[1:] == numbers[:-1], [False]])
        tied = alike[:-1] | alike[1:]
        if not tied.any():
            return out
        offset += (64 - int(bits)) // 8
        ranks = np.cumsum(~alike[:-1])[tied].astype(np.uint64)
        ranks = np.cumsum(np.concatenate([[0], ranks[1:] != ranks[:-1]])).astype(np.uint64)
        places = places[tied]
    indices: NDArray[np.int64] = pc.sort_indices(keys).to_numpy().astype(np.int64)
    return indices


def _text(keys: pa.StringArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """The start and the length of each key, and the bytes of all keys followed by eight zeros."""
    import numpy as np

    _, offsets, data = keys.buffers()
    bounds = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    text = np.zeros(int(bounds[-1] - bounds[0]) + 8, np.uint8)
    if data is not None:
        text[:-8] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return bounds[:-1] - bounds[0], np.diff(bounds), text


def _words(text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The eight bytes at each start as a big-endian number, with zeros past the end of the key."""
    import numpy as np

    count = np.clip(lengths, 0, 8)
    every = np.ndarray((text.size - 7,), dtype=">u8", buffer=text, strides=(1,))
    masks = np.array([((1 << 64) - 1) ^ ((1 << (64 - 8 * length)) - 1) for length in range(9)], np.uint64)
    words: NDArray[np.uint64] = every[np.minimum(starts, text.size - 8)].astype(np.uint64) & masks[count]
    return words
