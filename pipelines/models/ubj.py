"""Check that bytes are well-formed Universal Binary JSON (https://ubjson.org, draft 12) before xgboost parses them."""

from __future__ import annotations

_INTEGERS = {ord("i"): 1, ord("U"): 1, ord("I"): 2, ord("u"): 2, ord("l"): 4, ord("m"): 4, ord("L"): 8, ord("M"): 8}
_UNSIGNED = frozenset(b"UumM")
_SIZES = _INTEGERS | {ord("d"): 4, ord("D"): 8, ord("C"): 1, ord("Z"): 0, ord("T"): 0, ord("F"): 0}
_MAX_DEPTH = 64


def is_object(blob: bytes) -> bool:
    """Whether `blob` is exactly one UBJSON object: closed, no length beyond its end, nothing after it, depth <= 64.

    On other bytes xgboost 3.2 reads past their end, and aborts the whole process instead of raising.
    """
    try:
        return blob[:1] == b"{" and _value_end(blob, 0, depth=0) == len(blob)
    except (IndexError, ValueError):
        return False


def _value_end(blob: bytes, offset: int, *, depth: int) -> int:
    marker = blob[offset]
    if marker in _SIZES:
        return _check_within(blob, offset + 1 + _SIZES[marker])
    if marker == ord("S"):
        return _string_end(blob, offset + 1)
    if marker in b"[{" and depth < _MAX_DEPTH:
        return _container_end(blob, offset + 1, keyed=marker == ord("{"), depth=depth + 1)
    raise ValueError(f"no value at byte {offset}")


def _container_end(blob: bytes, offset: int, *, keyed: bool, depth: int) -> int:
    close, size, remaining = ord("}" if keyed else "]"), None, None
    if blob[offset] == ord("$"):
        size, offset = _SIZES.get(blob[offset + 1], -1), offset + 2
        if keyed or size < 0 or blob[offset] != ord("#"):
            raise ValueError(f"no typed array at byte {offset}")
    if blob[offset] == ord("#"):
        remaining, offset = _read_integer(blob, offset + 1)
    if size is not None and remaining is not None:
        return _check_within(blob, offset + size * remaining)
    while remaining != 0 if remaining is not None else blob[offset] != close:
        offset = _value_end(blob, _string_end(blob, offset) if keyed else offset, depth=depth)
        remaining = None if remaining is None else remaining - 1
    return offset if remaining is not None else offset + 1


def _string_end(blob: bytes, offset: int) -> int:
    length, offset = _read_integer(blob, offset)
    return _check_within(blob, offset + length)


def _read_integer(blob: bytes, offset: int) -> tuple[int, int]:
    marker = blob[offset]
    if marker not in _INTEGERS:
        raise ValueError(f"no length at byte {offset}")
    end = _check_within(blob, offset + 1 + _INTEGERS[marker])
    number = int.from_bytes(blob[offset + 1 : end], "big", signed=marker not in _UNSIGNED)
    if number < 0:
        raise ValueError(f"a negative length at byte {offset}")
    return number, end


def _check_within(blob: bytes, offset: int) -> int:
    if offset > len(blob):
        raise ValueError(f"byte {offset} is beyond the end")
    return offset
