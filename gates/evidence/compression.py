"""Whether an Arrow IPC file is compressed, without decompressing any of it.

A few kilobytes can decompress to gigabytes, and Arrow has no limit for that. So this module reads the file's footer and
the headers of its blocks itself, as Arrow's flatbuffer schemas define them (arrow/format/File.fbs and Message.fbs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MAGIC = b"ARROW1"
# indices of fields in Arrow's flatbuffer tables, and the kind of a message with a dictionary
_FOOTER_DICTIONARIES, _FOOTER_BATCHES = 2, 3
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_DICTIONARY_DATA, _BATCH_COMPRESSION = 1, 3
_DICTIONARY_BATCH = 2
_BLOCK_BYTES = 24


def is_compressed(blob: bytes) -> bool:
    """Whether any block of the file is compressed.

    Raises:
        ValueError: not an Arrow IPC file.
        struct.error: an offset points outside the file.
    """
    if len(blob) < 2 * len(_MAGIC) + 4 or not blob.startswith(_MAGIC) or not blob.endswith(_MAGIC):
        raise ValueError("not an Arrow IPC file")
    end = len(blob) - len(_MAGIC) - 4
    footer = _follow_offset(blob, end - _read_number(blob, "<i", end))
    return any(
        _is_block_compressed(blob, start)
        for index in (_FOOTER_DICTIONARIES, _FOOTER_BATCHES)
        for start in _block_starts(blob, footer, index)
    )


def _block_starts(blob: bytes, footer: int, index: int) -> Iterator[int]:
    position = _find_field(blob, footer, index)
    if position is None:
        return
    vector = _follow_offset(blob, position)
    for block in range(_read_number(blob, "<I", vector)):
        yield _read_number(blob, "<q", vector + 4 + block * _BLOCK_BYTES)


def _is_block_compressed(blob: bytes, start: int) -> bool:
    marked = _read_number(blob, "<I", start) == 0xFFFFFFFF  # files written before Arrow 0.15 have no such mark
    message = _follow_offset(blob, start + (8 if marked else 4))
    kind, header = _find_field(blob, message, _MESSAGE_KIND), _find_field(blob, message, _MESSAGE_HEADER)
    if kind is None or header is None:
        raise ValueError("a block without a header")
    batch = _follow_offset(blob, header)
    if _read_number(blob, "<B", kind) == _DICTIONARY_BATCH:
        data = _find_field(blob, batch, _DICTIONARY_DATA)
        if data is None:
            raise ValueError("a dictionary without data")
        batch = _follow_offset(blob, data)
    return _find_field(blob, batch, _BATCH_COMPRESSION) is not None


def _find_field(blob: bytes, table: int, index: int) -> int | None:
    """The offset of a field of a flatbuffer table; None if the table does not have the field."""
    layout = table - _read_number(blob, "<i", table)
    slot = 4 + 2 * index
    if slot >= _read_number(blob, "<H", layout):
        return None
    offset = _read_number(blob, "<H", layout + slot)
    return table + offset if offset else None


def _follow_offset(blob: bytes, offset: int) -> int:
    return offset + _read_number(blob, "<I", offset)


def _read_number(blob: bytes, form: str, offset: int) -> int:
    if offset < 0:
        raise ValueError("an offset before the file")
    number: int = struct.unpack_from(form, blob, offset)[0]
    return number
