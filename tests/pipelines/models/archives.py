"""skops archives, member by member."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO


def read_members(blob: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(blob)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    with BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        return buffer.getvalue()
