"""Pack named files into a tar file, always the same bytes for the same files, and read back only such files."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import BinaryIO

from lockgate.gates.errors import LockgateError

_MAX_HEADER_BYTES = 64 * 1024
"""Enough for the headers and the padding of a few files."""


def pack_tar(files: Mapping[str, bytes]) -> bytes:
    """The files as an uncompressed ustar archive, ordered by name, without times, owners or modes of this machine."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, blob in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(blob), 0o644
            archive.addfile(member, io.BytesIO(blob))
    return out.getvalue()


def unpack_tar(file: BinaryIO, *, caps: Mapping[str, int], size: int, where: str) -> dict[str, bytes]:
    """The files in an uncompressed tar archive of `size` bytes. Nothing is extracted to disk.

    Every member must be a plain file, occur once, have a name in `caps` and at most that many bytes. Raises
    LockgateError for any other member, before its bytes are read, and for what is not a tar archive.
    """
    if size > sum(caps.values()) + _MAX_HEADER_BYTES:
        raise LockgateError("the archive is too large", expected=f"at most {sum(caps.values()):,} bytes", where=where)
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                _check_member(member, files, caps, where)
                stream = archive.extractfile(member)
                files[member.name] = b"" if stream is None else stream.read()
                if len(files[member.name]) != member.size:
                    raise LockgateError("the archive is cut short", expected="a whole tar archive", where=where)
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError) as err:
        raise LockgateError("not a tar archive", expected="what `lockgate bundle` writes", where=where) from err
    return files


def _check_member(member: tarfile.TarInfo, files: Mapping[str, bytes], caps: Mapping[str, int], where: str) -> None:
    name = member.name[:80]
    if member.name not in caps:
        raise LockgateError(f"the archive contains {name!r}", expected=f"only {', '.join(caps)}", where=where)
    if not member.isreg() or member.issparse():
        raise LockgateError(f"{name} in the archive is not a plain file", expected="no links or devices", where=where)
    if member.name in files:
        raise LockgateError(f"{name} is in the archive twice", expected="once", where=where)
    if member.size > caps[member.name]:
        raise LockgateError(f"{name} is too large", expected=f"at most {caps[member.name]:,} bytes", where=where)
