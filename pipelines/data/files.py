"""Where the file of a table is: a directory of this machine, or a folder of an object store."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from lockgate.gates.errors import DataError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from obstore.store import ObjectStore
    from typing_extensions import Buffer

_READ_AHEAD = 1024**2


class Files(Protocol):
    """The place that the relative path of a table starts from."""

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """The file's bytes, seekable. Raises OSError or DataError if it cannot be read."""

    def problem(self, path: str) -> str:
        """Why there is no such file, in words; empty if there is one, `is a folder` for a folder with files."""

    def list_files(self, folder: str) -> list[str]:
        """The files in a folder and in the folders in it, as paths from there."""

    def beside(self, path: str) -> tuple[str, list[str]]:
        """The folder that the file would be in, and the names of the files in that folder."""


class Folder:
    """A directory of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        with (self._root / path).open("rb") as file:
            yield file

    def problem(self, path: str) -> str:
        file = self._root / path
        return "" if file.is_file() else "is a folder" if file.is_dir() else "does not exist"

    def list_files(self, folder: str) -> list[str]:
        root = self._root / folder
        return [file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()]

    def beside(self, path: str) -> tuple[str, list[str]]:
        folder = (self._root / path).parent
        return str(folder), sorted(p.name for p in folder.glob("*") if p.is_file()) if folder.is_dir() else []


class Objects:
    """A folder of an object store."""

    def __init__(self, store: ObjectStore, *, name: str) -> None:
        self._store, self._name = store, name

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        """As in `Files`. Only the ranges that are read are fetched, not the whole object."""
        from obstore.exceptions import BaseError

        try:
            with io.BufferedReader(_Object(self._store, path), buffer_size=_READ_AHEAD) as file:
                yield file
        except BaseError as err:
            raise self._unreadable(path, err) from err

    def problem(self, path: str) -> str:
        import obstore
        from obstore.exceptions import BaseError

        try:
            obstore.head(self._store, path)
        except FileNotFoundError:
            return "is a folder" if self.list_files(path) else "does not exist"
        except BaseError as err:
            raise self._unreadable(path, err) from err
        return ""

    def list_files(self, folder: str) -> list[str]:
        import obstore
        from obstore.exceptions import BaseError

        prefix = folder.rstrip("/") + "/"
        try:
            batches = [*obstore.list(self._store, prefix)]
        except BaseError as err:
            raise self._unreadable(folder, err) from err
        return [stored["path"].removeprefix(prefix) for batch in batches for stored in batch]

    def beside(self, path: str) -> tuple[str, list[str]]:
        import obstore
        from obstore.exceptions import BaseError

        folder = path.rpartition("/")[0]
        try:
            objects = obstore.list_with_delimiter(self._store, folder or None)["objects"]
        except BaseError as err:
            raise self._unreadable(path, err) from err
        return f"{self._name}/{folder}".rstrip("/"), sorted(stored["path"].rpartition("/")[2] for stored in objects)

    def _unreadable(self, path: str, err: Exception) -> DataError:
        return DataError(f"{path} cannot be read: {str(err).splitlines()[0][:200]}", where=self._name)


class _Object(io.RawIOBase):
    """An object as a file. Reading fetches only the range that is read."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        import obstore

        self._store, self._path, self._at = store, path, 0
        self._size = obstore.head(store, path)["size"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, into: Buffer) -> int:
        import obstore

        view = memoryview(into).cast("B")
        end = min(self._at + len(view), self._size)
        if end <= self._at:
            return 0
        part = obstore.get_range(self._store, self._path, start=self._at, end=end)
        view[: len(part)] = memoryview(part)
        self._at += len(part)
        return len(part)
