"""Keys in the order of their bytes, by sorting numbers that hold some bytes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_ROUNDS = 8


def order(keys: pa.StringArray) -> NDArray[np.int64]:
    """Places at which the keys ascend, by their UTF-8 bytes: int64 (n,). Several times as fast as sorting texts.

    What all keys begin with is left out. Each round looks at the next bytes of the keys that are alike so far: their
    rank in the upper bits of a number, the bytes in the lower ones. What is alike after eight rounds, or altogether,
    is left to pyarrow.
    """
    import numpy as np
    import pyarrow.compute as pc

    if len(keys) < 2:
        return np.arange(len(keys))
    first, last = (one.as_py().encode() for one in pc.min_max(keys).values())
    at = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    starts, lengths, text = _text(keys)
    out, places = np.arange(len(keys)), np.arange(len(keys))  # places: of `out`, those that are not decided
    ranks = np.zeros(len(keys), np.uint64)
    for _ in range(_ROUNDS):
        bits = np.uint64(int(ranks[-1]).bit_length())
        rows = out[places]
        numbers = _words(text, starts[rows] + at, lengths[rows] - at)
        if bits:
            numbers = (ranks << (np.uint64(64) - bits)) | (numbers >> bits)
        by = np.argsort(numbers)
        out[places], numbers = rows[by], numbers[by]
        alike = np.concatenate([[False], numbers[1:] == numbers[:-1], [False]])
        tied = alike[:-1] | alike[1:]
        if not tied.any():
            return out
        at += (64 - int(bits)) // 8
        ranks = np.cumsum(~alike[:-1])[tied].astype(np.uint64)
        ranks = np.cumsum(np.concatenate([[0], ranks[1:] != ranks[:-1]])).astype(np.uint64)
        places = places[tied]
    indices: NDArray[np.int64] = pc.sort_indices(keys).to_numpy().astype(np.int64)
    return indices


def _text(keys: pa.StringArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Where each key begins, how long it is, and the bytes of all with eight zeros behind them."""
    import numpy as np

    _, offsets, data = keys.buffers()
    held = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    text = np.zeros(int(held[-1] - held[0]) + 8, np.uint8)
    if data is not None:
        text[:-8] = np.frombuffer(data, np.uint8)[held[0] : held[-1]]
    return held[:-1] - held[0], np.diff(held), text


def _words(text: NDArray[np.uint8], at: NDArray[np.int64], left: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The eight bytes from each place on, as a number whose order is theirs; zeros for what is behind a key's end."""
    import numpy as np

    count = np.clip(left, 0, 8)
    every = np.ndarray((text.size - 7,), dtype=">u8", buffer=text, strides=(1,))
    masks = np.array([((1 << 64) - 1) ^ ((1 << (64 - 8 * kept)) - 1) for kept in range(9)], np.uint64)
    words: NDArray[np.uint64] = every[np.minimum(at, text.size - 8)].astype(np.uint64) & masks[count]
    return words
