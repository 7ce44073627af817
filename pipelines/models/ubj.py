"""Universal Binary JSON (https://ubjson.org, draft 12) as Python values, read with bounds before xgboost parses it.

On bytes that are not well-formed xgboost 3.2 reads past their end, and aborts the whole process instead of raising.
"""

from __future__ import annotations

import struct
from typing import Any

_INTEGERS = {"i": "b", "U": "B", "I": "h", "u": "H", "l": "i", "m": "I", "L": "q", "M": "Q"}
_NUMBERS = {marker: struct.Struct(f">{code}") for marker, code in {**_INTEGERS, "d": "f", "D": "d"}.items()}
_CONSTANTS = {"Z": None, "T": True, "F": False}
_DTYPES = {"i": "i1", "U": "u1", "I": "i2", "u": "u2", "l": "i4", "m": "u4", "L": "i8", "M": "u8", "d": "f4", "D": "f8"}
_MAX_DEPTH = 64


def parse_object(blob: bytes) -> dict[str, Any]:
    """The one object that `blob` is: closed, no length beyond its end, nothing after it, no key twice, depth <= 64.

    Arrays that declare a type of number are NumPy arrays (n,) of that type, big-endian; other arrays are lists.

    Raises:
        ValueError: the bytes are anything else.
    """
    reader = _Reader(blob)
    if blob[:1] != b"{":
        raise ValueError("no object")
    try:
        value = reader.read_value(depth=0)
    except (IndexError, struct.error, UnicodeDecodeError) as err:
        raise ValueError(f"cut off at byte {reader.offset}") from err
    if reader.offset != len(blob):
        raise ValueError(f"bytes after the end, at {reader.offset}")
    return dict(value)


class _Reader:
    def __init__(self, blob: bytes) -> None:
        self.blob, self.offset = blob, 0

    def read_value(self, *, depth: int) -> Any:
        marker = self._read_marker()
        if number := _NUMBERS.get(marker):
            return number.unpack(self._take(number.size))[0]
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == "S":
            return self._read_text()
        if marker == "C":
            return self._take(1).decode("ascii")
        if marker in "{[" and depth < _MAX_DEPTH:
            return self._read_object(depth=depth + 1) if marker == "{" else self._read_array(depth=depth + 1)
        raise ValueError(f"no value at byte {self.offset - 1}")

    def _read_object(self, *, depth: int) -> dict[str, Any]:
        remaining = self._read_count()
        pairs: dict[str, Any] = {}
        while not self._is_over("}", remaining, len(pairs)):
            key = self._read_text()
            if key in pairs:
                raise ValueError(f"key {key[:40]!r} is given twice")
            pairs[key] = self.read_value(depth=depth)
        return pairs

    def _read_array(self, *, depth: int) -> Any:
        if self.blob[self.offset] == ord("$"):
            return self._read_numbers()
        remaining = self._read_count()
        values: list[Any] = []
        while not self._is_over("]", remaining, len(values)):
            values.append(self.read_value(depth=depth))
        return values

    def _read_numbers(self) -> Any:
        import numpy as np

        self.offset += 1
        marker = self._read_marker()
        count = self._read_count()
        if marker not in _DTYPES or count is None:
            raise ValueError(f"no typed array at byte {self.offset}")
        dtype = np.dtype(f">{_DTYPES[marker]}")
        return np.frombuffer(self._take(dtype.itemsize * count), dtype=dtype)

    def _is_over(self, close: str, remaining: int | None, count: int) -> bool:
        if remaining is not None:
            return count == remaining
        if self.blob[self.offset] != ord(close):
            return False
        self.offset += 1
        return True

    def _read_count(self) -> int | None:
        if self.blob[self.offset] != ord("#"):
            return None
        self.offset += 1
        return self._read_length()

    def _read_text(self) -> str:
        return self._take(self._read_length()).decode("utf-8")

    def _read_length(self) -> int:
        marker = self._read_marker()
        if marker not in _INTEGERS:
            raise ValueError(f"no length at byte {self.offset - 1}")
        number = _NUMBERS[marker]
        length = int(number.unpack(self._take(number.size))[0])
        if length < 0:
            raise ValueError(f"a negative length at byte {self.offset}")
        return length

    def _read_marker(self) -> str:
        self.offset += 1
        return chr(self.blob[self.offset - 1])

    def _take(self, size: int) -> bytes:
        end = self.offset + size
        if end > len(self.blob):
            raise ValueError(f"byte {end} is beyond the end")
        taken, self.offset = self.blob[self.offset : end], end
        return taken
