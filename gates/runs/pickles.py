"""The bytes or text in a run's artifact, read without unpickling.

Metaflow stores artifacts as pickles, and loading a pickle runs the code in it. Here a pickle is read up to a size cap,
and accepted only if it is a single literal: protocol, perhaps a frame, one bytes or text constant, stop. No Unpickler
is ever created.
"""

from __future__ import annotations

import gzip
import pickletools
import zlib
from pathlib import Path
from typing import BinaryIO

from lockgate.gates.errors import EvidenceError

PICKLED_TRUE = b"\x80\x04\x88."
"""How Metaflow stores True (protocol 4)."""

_FRAMING_OPCODES = {"PROTO", "FRAME", "MEMOIZE", "STOP"}
_LITERAL_OPCODES = {"SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_CHUNK_BYTES = 1 << 20


def unpack_blob(path: Path, *, packed: bool, cap: int, where: str) -> bytes:
    """The bytes of a stored blob, unzipped if `packed`. Raises EvidenceError as soon as they exceed `cap`."""
    try:
        with path.open("rb") as raw:
            if not packed:
                return _read_capped(raw, cap, where)
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                return _read_capped(stream, cap, where)
    except (gzip.BadGzipFile, EOFError, zlib.error) as err:
        raise EvidenceError("the artifact is not what Metaflow stores", expected="intact gzip", where=where) from err


def _read_capped(stream: BinaryIO | gzip.GzipFile, cap: int, where: str) -> bytes:
    content = bytearray()
    while chunk := stream.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > cap:
            raise EvidenceError(
                "the artifact is too large once unpacked", expected=f"at most {cap:,} bytes", where=where
            )
    return bytes(content)


def parse_literal(blob: bytes, *, where: str) -> bytes | str:
    """The single bytes or text constant that the pickle in `blob` consists of.

    Raises EvidenceError for any other opcode, for more than one constant, and for a pickle that is cut short.
    """
    constants: list[bytes | str] = []
    end = None
    try:
        for opcode, argument, position in pickletools.genops(blob):
            end = position
            if opcode.name in _LITERAL_OPCODES and isinstance(argument, bytes | str):
                constants.append(argument)
            elif opcode.name not in _FRAMING_OPCODES:
                raise EvidenceError(
                    f"the artifact is a pickle that does more than hold data (opcode {opcode.name})",
                    expected="bytes or text, as EvaluateNewModel writes",
                    where=where,
                    hint="it was not loaded; nothing in it ran",
                )
    except (ValueError, IndexError, OverflowError, MemoryError) as err:
        raise EvidenceError("the artifact is no intact pickle", expected="bytes or text", where=where) from err
    if end != len(blob) - 1:
        raise EvidenceError("the artifact goes on after its pickle", expected="nothing behind it", where=where)
    if len(constants) != 1:
        raise EvidenceError(f"the artifact holds {len(constants)} constants", expected="one", where=where)
    return constants[0]
