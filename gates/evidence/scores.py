"""Score columns of an evidence file, one number per row or one per class, and the names of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.columns import parse_numbers, parse_texts, to_arrow
from lockgate.gates.evidence.foreign_columns import read_matrix
from lockgate.gates.stats.scored import Floats

MAX_CLASSES = 10_000
"""The most classes that task multiclass may have."""


def parse_class_names(values: Any) -> tuple[str, ...]:
    """Names of classes. Raises EvidenceError unless there are 2 to 10,000 distinct names that are not empty."""
    expected = f"from 2 to {MAX_CLASSES:,} distinct names, in the order of the scores' columns"
    if values is None or isinstance(values, str | bytes | Mapping):
        raise EvidenceError("task multiclass lists no classes", expected=expected, where="classes")
    names = parse_texts("classes", values)
    if not 2 <= len(names) <= MAX_CLASSES:
        raise EvidenceError(f"there are {len(names):,} classes", expected=expected, where="classes")
    distinct_names: tuple[str, ...] = tuple(names.to_pylist())
    if "" in distinct_names or len(set(distinct_names)) < len(distinct_names):
        odd = "" if "" in distinct_names else next(name for name in distinct_names if distinct_names.count(name) > 1)
        raise EvidenceError(f"class name {odd[:80]!r} is empty or repeated", expected=expected, where="classes")
    return distinct_names


def parse_scores(name: str, values: Any, *, width: int) -> Floats:
    """float64 (n,), or (n, width) for `width` classes; missing values become NaN. Lists of float64 are not copied.

    Raises:
        EvidenceError: not numbers; for classes, neither a matrix nor fixed-size lists of `width` numbers.
    """
    if not width:
        return parse_numbers(name, values)
    expected = f"{width} probabilities for every row: a matrix, or an Arrow FixedSizeList<float64>[{width}]"
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return _from_lists(name, to_arrow(values), width=width, expected=expected)
    array = read_matrix(name, values, expected=expected)
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != width:
        raise EvidenceError(f"{name} has dtype {array.dtype} and shape {array.shape}", expected=expected)
    return np.ascontiguousarray(array, dtype=np.float64)


def _from_lists(name: str, column: pa.Array, *, width: int, expected: str) -> Floats:
    kind = column.type
    number_type = kind.value_type if pa.types.is_fixed_size_list(kind) and kind.list_size == width else None
    # null and other types without bytes are refused: a small file could claim any number of values
    if number_type is None or not (pa.types.is_floating(number_type) or pa.types.is_integer(number_type)):
        raise EvidenceError(f"{name} has type {str(kind)[:80]}", expected=expected)
    flat = column.values.slice(column.offset * width, len(column) * width).to_numpy(zero_copy_only=False)
    rows = np.ascontiguousarray(flat, dtype=np.float64).reshape(len(column), width)
    if column.null_count:
        rows = rows.copy()
        rows[np.asarray(column.is_null())] = np.nan
    return rows


def scores_to_arrow(values: Floats) -> pa.Array:
    """Scores as an Arrow array; fixed-size lists for (n, k)."""
    flat = to_arrow(values.ravel())
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
