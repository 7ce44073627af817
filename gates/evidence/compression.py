"""Whether an Arrow IPC file is compressed, seen before a byte of it is decompressed.

A few kilobytes can decompress to gigabytes, and Arrow offers no limit. So the file's footer and the headers of its
blocks are read here, as the format's flatbuffer schemas lay them out (arrow/format/File.fbs and Message.fbs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MAGIC = b"ARROW1"
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_DICTIONARY_DATA, _BATCH_COMPRESSION = 1, 3
_DICTIONARY_BATCH = 2
_BLOCK_BYTES = 24


def compressed(blob: bytes) -> bool:
    """Whether any block of the file is compressed.

    Raises:
        ValueError: not an Arrow IPC file.
        struct.error: an offset that leads out of the file.
    """
    if len(blob) < 2 * len(_MAGIC) + 4 or not blob.startswith(_MAGIC) or not blob.endswith(_MAGIC):
        raise ValueError("not an Arrow IPC file")
    end = len(blob) - len(_MAGIC) - 4
    footer = _follow(blob, end - _number(blob, "<i", end))
    return any(
        _is_compressed(blob, start)
        for index in (_FOOTER_DICTIONARIES, _FOOTER_BATCHES)
        for start in _blocks(blob, footer, index)
    )


def _blocks(blob: bytes, footer: int, index: int) -> Iterator[int]:
    at = _field(blob, footer, index)
    if at is None:
        return
    vector = _follow(blob, at)
    for block in range(_number(blob, "<I", vector)):
        yield _number(blob, "<q", vector + 4 + block * _BLOCK_BYTES)


def _is_compressed(blob: bytes, start: int) -> bool:
    marked = _number(blob, "<I", start) == 0xFFFFFFFF  # files from before Arrow 0.15 have no such mark
    message = _follow(blob, start + (8 if marked else 4))
    kind, header = _field(blob, message, _MESSAGE_KIND), _field(blob, message, _MESSAGE_HEADER)
    if kind is None or header is None:
        raise ValueError("a block without a header")
    batch = _follow(blob, header)
    if _number(blob, "<B", kind) == _DICTIONARY_BATCH:
        data = _field(blob, batch, _DICTIONARY_DATA)
        if data is None:
            raise ValueError("a dictionary without data")
        batch = _follow(blob, data)
    return _field(blob, batch, _BATCH_COMPRESSION) is not None


def _field(blob: bytes, table: int, index: int) -> int | None:
    """Where a flatbuffer table keeps a field; None where it does not have it."""
    layout = table - _number(blob, "<i", table)
    slot = 4 + 2 * index
    if slot >= _number(blob, "<H", layout):
        return None
    offset = _number(blob, "<H", layout + slot)
    return table + offset if offset else None


def _follow(blob: bytes, at: int) -> int:
    return at + _number(blob, "<I", at)


def _number(blob: bytes, form: str, at: int) -> int:
    if at < 0:
        raise ValueError("an offset before the file")
    found: int = struct.unpack_from(form, blob, at)[0]
    return found
