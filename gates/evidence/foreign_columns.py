"""Columns and matrices as callers have them, as Arrow and NumPy have them. Nothing is guessed.

| given | taken as |
|---|---|
| NumPy array of one dimension | its values; text keeps its NULs |
| Arrow array, or one in chunks | itself |
| list, tuple, range | its members |
| `memoryview`, `array.array` | its numbers |
| pandas Series, Index, array | its values in order, whatever the index |
| another object of one column that has Arrow's C interface or `__array__` (Polars) | what these say |

Refused are: what has no order or can be read only once (sets, mappings, generators), text and bytes (a text is not a
column of its letters), tables, more than one dimension, masked arrays, and Arrow's extension types, whose storage may
mean anything.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lockgate.gates.errors import EvidenceError
from lockgate.gates.foreign import convert_foreign

_Refuse = Callable[[str], EvidenceError]  # from what the object is, to the error


def read_column(name: str, values: Any, *, noun: str, expected: str) -> pa.Array:
    """Any column as one Arrow array (n,). Missing values are nulls; NaN stays NaN.

    Args:
        noun: what its values should be, for the message.

    Raises:
        EvidenceError: `values` is not a column, or converting it raises anything.
    """

    def refuse(what: str) -> EvidenceError:
        return EvidenceError(f"{name} is not a column of {noun}: it is {what}", expected=expected)

    return convert_foreign(lambda: _convert(values, refuse), lambda err: refuse(_unreadable(values, err)))


def read_matrix(name: str, values: Any, *, expected: str) -> NDArray[Any]:
    """Anything as a NumPy array, of any dtype and shape. Raises EvidenceError where NumPy or the object refuses."""

    def refuse(what: str) -> EvidenceError:
        return EvidenceError(f"{name} is not a matrix of numbers: it is {what}", expected=expected)

    if isinstance(values, np.ma.MaskedArray):
        raise refuse(_MASKED)
    return convert_foreign(lambda: np.asarray(values), lambda err: refuse(_unreadable(values, err)))


_MASKED = "a masked array; give NaN where a number is missing"


def _convert(values: Any, refuse: _Refuse) -> pa.Array:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        column = values
    elif isinstance(values, list | tuple | range):
        column = pa.array(list(values))
    elif isinstance(values, np.ndarray):
        column = _from_numpy(values, refuse)
    elif isinstance(values, memoryview | array):
        column = _from_numpy(np.asarray(values), refuse)
    else:
        column = _from_object(values, refuse)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column.type, pa.BaseExtensionType):
        raise refuse(f"of Arrow's type {str(column.type)[:80]}")
    return column


def _from_numpy(values: NDArray[Any], refuse: _Refuse) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, np.ma.MaskedArray):
        raise refuse(_MASKED)
    if values.ndim != 1:
        raise refuse(f"an array of {values.ndim} dimensions")
    if values.dtype.kind in "UST":
        values = values.astype(object)  # Arrow would cut NumPy's own text at its first NUL
    elif not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    return pa.array(values)


def _from_object(values: Any, refuse: _Refuse) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Table | pa.RecordBatch | type) or getattr(values, "ndim", 1) != 1:
        raise refuse(_describe_type(values))
    if type(values).__module__.partition(".")[0] == "pandas" and hasattr(values, "dtype"):
        return pa.array(values)
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_array__"):
        return pa.array(values)
    if hasattr(values, "__array__") and not isinstance(values, np.generic):
        return _from_numpy(np.asarray(values), refuse)
    raise refuse(_describe_type(values))


def _unreadable(values: object, err: Exception) -> str:
    return f"{_describe_type(values)} and cannot be read ({type(err).__name__})"


def _describe_type(values: object) -> str:
    return f"of type {type(values).__name__[:80]}"
