"""Score columns of an evidence file, one number a row or one for each class, and the classes' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import arrow, numbers, texts
from lockgate.gates.stats.scored import Floats

MAX_CLASSES = 10_000
"""Classes that task multiclass may have."""


def class_names(values: Any) -> tuple[str, ...]:
    """Names of classes. Raises EvidenceError unless there are 2 to 10,000, distinct and not empty."""
    expected = f"from 2 to {MAX_CLASSES:,} distinct names, in the order of the scores' columns"
    if values is None or isinstance(values, str | bytes | Mapping):
        raise EvidenceError("task multiclass lists no classes", expected=expected, where="classes")
    names = texts("classes", values)
    if not 2 <= len(names) <= MAX_CLASSES:
        raise EvidenceError(f"there are {len(names):,} classes", expected=expected, where="classes")
    held: tuple[str, ...] = tuple(names.to_pylist())
    if "" in held or len(set(held)) < len(held):
        odd = "" if "" in held else next(name for name in held if held.count(name) > 1)
        raise EvidenceError(f"class name {odd[:80]!r} is empty or repeated", expected=expected, where="classes")
    return held


def scores(name: str, values: Any, *, width: int) -> Floats:
    """float64 (n,), or (n, width) for so many classes; what is missing becomes NaN. Lists of float64 are not copied.

    Raises:
        EvidenceError: no numbers, or for classes no matrix or fixed-size lists of `width` numbers.
    """
    if not width:
        return numbers(name, values)
    expected = f"{width} probabilities for every row: a matrix, or an Arrow FixedSizeList<float64>[{width}]"
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _from_lists(name, arrow(values), width=width, expected=expected)
    if isinstance(values, np.ma.MaskedArray):
        raise EvidenceError(f"{name} is a masked array", expected="NaN where a value is missing")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as err:
        raise EvidenceError(f"{name} is no matrix of numbers", expected=expected) from err
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != width:
        raise EvidenceError(f"{name} has dtype {array.dtype} and shape {array.shape}", expected=expected)
    return np.ascontiguousarray(array, dtype=np.float64)


def _from_lists(name: str, column: pa.Array, *, width: int, expected: str) -> Floats:
    kind = column.type
    held = kind.value_type if pa.types.is_fixed_size_list(kind) and kind.list_size == width else None
    # a type that takes no bytes, such as null, could stand for any number of values
    if held is None or not (pa.types.is_floating(held) or pa.types.is_integer(held)):
        raise EvidenceError(f"{name} has type {str(kind)[:80]}", expected=expected)
    flat = column.values.slice(column.offset * width, len(column) * width).to_numpy(zero_copy_only=False)
    rows = np.ascontiguousarray(flat, dtype=np.float64).reshape(len(column), width)
    if column.null_count:
        rows = rows.copy()
        rows[np.asarray(column.is_null())] = np.nan
    return rows


def arrow_scores(values: Floats) -> pa.Array:
    """Scores as an Arrow array; of (n, k), fixed-size lists."""
    flat = arrow(values.ravel())
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
