"""Documents of Universal Binary JSON, as xgboost writes them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

_MARKERS = {"f4": "d", "f8": "D", "i1": "i", "u1": "U", "i2": "I", "i4": "l", "i8": "L"}


def write_value(value: Any) -> bytes:
    """The bytes of a value as `ubj.parse_object` gives it."""
    if isinstance(value, dict):
        return b"{" + b"".join(_write_text(key) + write_value(part) for key, part in value.items()) + b"}"
    if isinstance(value, list):
        return b"[#" + _write_length(len(value)) + b"".join(map(write_value, value))
    if isinstance(value, np.ndarray):
        marker = _MARKERS[value.dtype.str[1:]].encode()
        packed = value.astype(value.dtype.newbyteorder(">")).tobytes()
        return b"[$" + marker + b"#" + _write_length(len(value)) + packed
    if isinstance(value, str):
        return b"S" + _write_text(value)
    if isinstance(value, float):
        return b"d" + struct.pack(">f", value)
    if value is None or isinstance(value, bool):
        return {None: b"Z", True: b"T", False: b"F"}[value]
    return _write_integer(value)


def _write_text(text: str) -> bytes:
    packed = text.encode()
    return _write_length(len(packed)) + packed


def _write_length(length: int) -> bytes:
    return b"L" + struct.pack(">q", length)  # xgboost reads no shorter one


def _write_integer(number: int) -> bytes:
    return b"i" + struct.pack(">b", number) if -128 <= number < 128 else b"L" + struct.pack(">q", number)
