"""Objects that are no plain column, as somebody may give them to the API, and how tests try each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lockgate import LockgateError


class OnlyArray:
    """As a column of Polars looks to somebody who knows `__array__` alone."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.values, dtype)


class OnlyStream:
    """As a column of Polars looks to Arrow."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self.values = values

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.values.__arrow_c_stream__(requested_schema)


class RaisesInArray:
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise KeyError("array")

    def __len__(self) -> int:
        return 3


class RaisesInGetattr:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class RaisesInIter:
    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[int]:
        raise RuntimeError("iter")

    def __getitem__(self, index: int) -> int:
        raise RuntimeError("item")


class RaisesInLen:
    def __len__(self) -> int:
        raise RuntimeError("len")

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2, 3])


class RaisesInRepr(Mapping[str, int]):
    """A mapping that can do nothing."""

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    def __getitem__(self, name: str) -> int:
        raise RuntimeError("item")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("iter")

    def __len__(self) -> int:
        raise RuntimeError("len")


REFUSED: dict[str, Callable[[], Any]] = {
    "a DataFrame": lambda: pd.DataFrame({"a": [1, 2, 3]}),
    "a DataFrame whose columns are 0, 1, 2": lambda: pd.DataFrame(np.ones((3, 3))),
    "groups": lambda: pd.Series([1, 2, 3]).groupby([1, 1, 2]),
    "a MultiIndex": lambda: pd.MultiIndex.from_tuples([(1, 2), (3, 4), (5, 6)]),
    "periods": lambda: pd.period_range("2020", periods=3),
    "intervals": lambda: pd.interval_range(0, 3),
    "a dict": lambda: {1: 1, 2: 2, 3: 3},
    "keys": {1: 1, 2: 2, 3: 3}.keys,
    "a set": lambda: {1, 2, 3},
    "a generator": lambda: (number for number in (1, 2, 3)),
    "a map": lambda: map(int, "123"),
    "masked": lambda: np.ma.array([1, 2, 3], mask=[0, 1, 0]),
    "masked text": lambda: np.ma.array(["a", "b", "c"], mask=[0, 1, 0]),
    "lists": lambda: np.array([[1], [2, 3], [4]], object),
    "mixed": lambda: np.array([1, "b", 2.5], object),
    "booleans among integers": lambda: [True, 0, 1],
    "text and NaN": lambda: ["a", float("nan"), "b"],
    "text and pd.NA": lambda: ["a", pd.NA, "b"],
    "categories with NaN": lambda: pd.Categorical(["a", None, "a"]),
    "a dictionary with nulls": lambda: pa.array(["a", None, "b"]).dictionary_encode(),
    "a dictionary with a null among its values": lambda: pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0]), pa.array(["a", None])
    ),
    "StringDType with a hole": lambda: np.array(["a", None, "b"], np.dtypes.StringDType(na_object=None)),
    "NaT": lambda: np.array(["2020-01-01", "NaT", "2020-01-02"], "M8[D]"),
    "durations": lambda: np.array([1, 2, 3], "m8[s]"),
    "complex": lambda: np.array([1j, 2, 3]),
    "a list of complex numbers": lambda: [1j, 2, 3],
    "0 dimensions": lambda: np.array(5),
    "0 dimensions of text": lambda: np.array("abc"),
    "2 dimensions": lambda: np.ones((3, 1)),
    "2 dimensions of text": lambda: np.array([["a"], ["b"], ["c"]]),
    "structured": lambda: np.array([(1, 2), (3, 4), (5, 6)], dtype="i4,i4"),
    "void": lambda: np.zeros(3, "V4"),
    "a text": lambda: "abc",
    "bytes": lambda: b"abc",
    "a bytearray": lambda: bytearray(b"abc"),
    "a table": lambda: pa.table({"a": [1, 2, 3]}),
    "a batch": lambda: pa.record_batch({"a": [1, 2, 3]}),
    "a stream of a table": lambda: OnlyStream(pa.table({"a": [1, 2, 3]})),
    "nested": lambda: pa.array([[1], [2], [3]]),
    "structs": lambda: pa.array([{"a": 1}] * 3),
    "UUIDs": lambda: pa.array([b"0" * 16] * 3, pa.uuid()),
    "half a character": lambda: ["\ud800", "a", "b"],
    "more than 64 bits": lambda: [2**70, 1, 2],
    "a number": lambda: 5,
    "a number of NumPy": lambda: np.float64(5),
    "a type": lambda: int,
    "an object": object,
    "raises in __array__": RaisesInArray,
    "raises in __getattr__": RaisesInGetattr,
    "raises in __iter__": RaisesInIter,
    "raises in __len__": RaisesInLen,
    "raises everywhere": RaisesInRepr,
    "__array__ of 2 dimensions": lambda: OnlyArray(np.ones((3, 2))),
    "__array__ of objects": lambda: OnlyArray(np.array([object()] * 3)),
}
"""Refused as numbers, as names and as ids."""


def check_all(kinds: dict[str, Any], check: Callable[[Any], None]) -> None:
    """Check each; a failure names its kind. They are too many for ids of tests."""
    for kind, content in kinds.items():
        try:
            check(content)
        except BaseException as err:
            err.add_note(f"with {kind}")
            raise


def refused_line(action: Callable[[], object]) -> str:
    with pytest.raises(LockgateError) as caught:
        action()
    line = str(caught.value)
    assert line.isprintable()
    assert 20 < len(line) < 900
    return line
