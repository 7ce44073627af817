"""Whether clusters follow each other in time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def order_in_time(codes: NDArray[np.intp], time: pa.Array | None) -> tuple[NDArray[np.intp], bool]:
    """The codes of clusters renumbered in time, and whether the clusters follow each other there.

    They do if each cluster ends before the next begins, as days do; customers whose rows interleave do not, and keep
    their codes. Times are compared as text, which orders ISO 8601 texts of one time zone and precision.

    Args:
        codes: of clusters, 0 … G − 1 (n,).
        time: strings (n,); None if times are unknown.
    """
    if time is None or codes.size == 0:
        return codes, False
    encoded = time.dictionary_encode()
    place = np.empty(len(encoded.dictionary), dtype=np.intp)
    place[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(place.size)
    when = place[encoded.indices.to_numpy()]
    count = int(codes.max()) + 1
    first, last = np.full(count, place.size, dtype=np.intp), np.full(count, -1, dtype=np.intp)
    np.minimum.at(first, codes, when)
    np.maximum.at(last, codes, when)
    order = np.argsort(first, kind="stable")
    if not np.all(last[order[:-1]] < first[order[1:]]):
        return codes, False
    rank = np.empty(count, dtype=np.intp)
    rank[order] = np.arange(count)
    return rank[codes], True
