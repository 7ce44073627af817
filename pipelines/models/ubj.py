"""Universal Binary JSON (https://ubjson.org, draft 12), as far as it must be read to trust a native parser with it."""

from __future__ import annotations

_INTEGERS = {ord("i"): 1, ord("U"): 1, ord("I"): 2, ord("u"): 2, ord("l"): 4, ord("m"): 4, ord("L"): 8, ord("M"): 8}
_UNSIGNED = frozenset(b"UumM")
_SIZES = _INTEGERS | {ord("d"): 4, ord("D"): 8, ord("C"): 1, ord("Z"): 0, ord("T"): 0, ord("F"): 0}
_MAX_DEPTH = 64


def is_object(blob: bytes) -> bool:
    """Whether `blob` is exactly one UBJSON object: closed, no length beyond its end, nothing after it, depth <= 64.

    xgboost 3.2 reads past the end of bytes that are none, and aborts the whole process instead of raising.
    """
    try:
        return blob[:1] == b"{" and _value_end(blob, 0, depth=0) == len(blob)
    except (IndexError, ValueError):
        return False


def _value_end(blob: bytes, at: int, *, depth: int) -> int:
    marker = blob[at]
    if marker in _SIZES:
        return _check_within(blob, at + 1 + _SIZES[marker])
    if marker == ord("S"):
        return _string_end(blob, at + 1)
    if marker in b"[{" and depth < _MAX_DEPTH:
        return _container_end(blob, at + 1, keyed=marker == ord("{"), depth=depth + 1)
    raise ValueError(f"no value at byte {at}")


def _container_end(blob: bytes, at: int, *, keyed: bool, depth: int) -> int:
    close, size, left = ord("}" if keyed else "]"), None, None
    if blob[at] == ord("$"):
        size, at = _SIZES.get(blob[at + 1], -1), at + 2
        if keyed or size < 0 or blob[at] != ord("#"):
            raise ValueError(f"no typed array at byte {at}")
    if blob[at] == ord("#"):
        left, at = _read_integer(blob, at + 1)
    if size is not None and left is not None:
        return _check_within(blob, at + size * left)
    while left != 0 if left is not None else blob[at] != close:
        at = _value_end(blob, _string_end(blob, at) if keyed else at, depth=depth)
        left = None if left is None else left - 1
    return at if left is not None else at + 1


def _string_end(blob: bytes, at: int) -> int:
    length, at = _read_integer(blob, at)
    return _check_within(blob, at + length)


def _read_integer(blob: bytes, at: int) -> tuple[int, int]:
    marker = blob[at]
    if marker not in _INTEGERS:
        raise ValueError(f"no length at byte {at}")
    end = _check_within(blob, at + 1 + _INTEGERS[marker])
    number = int.from_bytes(blob[at + 1 : end], "big", signed=marker not in _UNSIGNED)
    if number < 0:
        raise ValueError(f"a negative length at byte {at}")
    return number, end


def _check_within(blob: bytes, at: int) -> int:
    if at > len(blob):
        raise ValueError(f"byte {at} is beyond the end")
    return at
