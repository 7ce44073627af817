"""The bytes of a text file, unpacked and checked as they pass: for a reader that takes a file's word for it."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from lockgate.gates.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer

Report = Callable[[str], object]

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
REPORT_SECONDS = 2.0


def open_text(file: IO[bytes], path: str) -> IO[bytes]:
    """The bytes of `file` after unpacking, by the suffix of `path`. Reading raises OSError if an archive is damaged."""
    import pyarrow as pa

    for suffix, codec in COMPRESSIONS.items():
        if path.lower().endswith(suffix):
            return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec)  # type: ignore[no-any-return]
    return file


def archive_error(path: str, err: OSError) -> DataError:
    """A damaged archive. It is not read again: the bytes will be the same."""
    suffix = next((suffix for suffix in COMPRESSIONS if path.lower().endswith(suffix)), "")
    if not suffix:
        return DataError(f"{path} cannot be read: {err.strerror or err}", where="data.path")
    is_cut = "truncated" in str(err).lower()
    return DataError(
        f"{path} is {'cut off' if is_cut else 'damaged'}: {err}",
        expected=f"a whole {suffix} file",
        where="data.path",
        hint="copy or write it again",
    )


class Progress:
    """Says how far reading is, if it takes long: after `seconds`, and every `seconds` from then on."""

    def __init__(self, path: str, unit: str, report: Report, *, seconds: float = REPORT_SECONDS) -> None:
        self._path, self._unit, self._report, self._seconds = path, unit, report, seconds
        self._next = time.monotonic() + seconds

    def show(self, done: float) -> None:
        """So much is read."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._seconds
            self._report(f"reading {self._path}: {done:,.0f} {self._unit}")


class CheckedStream(io.RawIOBase):
    """The bytes of a file, and after them `tail` in a line of its own.

    A reader that sees `tail` as a row of its own has seen every quote of the file closed.
    """

    def __init__(self, file: IO[bytes], *, path: str, tail: bytes, progress: Progress) -> None:
        self._file, self._path, self._progress = file, path, progress
        self._tail: bytes | None = tail
        self._last, self._read_bytes = b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Buffer) -> int:
        view = memoryview(into).cast("B")
        part = self.read(len(view))
        view[: len(part)] = part
        return len(part)

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes. Raises DataError for a damaged archive, and for a NUL, which no text has."""
        wanted = -1 if size is None else size
        try:
            part = self._file.read(wanted) if wanted >= 0 else self._file.read()
        except OSError as err:
            raise archive_error(self._path, err) from err
        if part:
            if b"\0" in part:
                raise NulError
            self._last = part[-1:]
            self._read_bytes += len(part)
            self._progress.show(self._read_bytes / 1e6)
            return part
        tail, self._tail = self._tail, None
        if tail is None:
            return b""
        return tail if self._last in (b"\n", b"\r", b"") else b"\n" + tail


class NulError(Exception):
    """A NUL passed. Where it is, a slower look says."""
