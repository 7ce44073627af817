"""Documents as objects of an object store or files of a folder: the shelf of the Parquet store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lockgate.gates.errors import StoreError
from lockgate.gates.log.objects import describe_store_error

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_T = TypeVar("_T")


class OpenObjects(Protocol):
    """Opens the object store. Without `writing`, a folder that does not exist is an empty store, and is not made."""

    def __call__(self, *, writing: bool) -> ObjectStore: ...


class ObjectShelf:
    """A `Shelf` on which each document is an object. The object store is opened on first use."""

    def __init__(self, open_objects: OpenObjects, *, where: str) -> None:
        self.where = where
        self._open = open_objects
        self._store: ObjectStore | None = None

    @property
    def store(self) -> ObjectStore:
        """The object store, to write."""
        if self._store is None:
            self._store = self.ask(lambda: self._open(writing=True))
        return self._store

    def _open_to_read(self) -> ObjectStore:
        """The object store. An empty one is opened again each time: somebody may have made its folder meanwhile."""
        from obstore.store import MemoryStore

        if self._store is not None:
            return self._store
        store = self.ask(lambda: self._open(writing=False))
        if not isinstance(store, MemoryStore):
            self._store = store
        return store

    def read_document(self, name: str) -> bytes | None:
        store = self._open_to_read()
        try:
            return self.ask(lambda: bytes(store.get(name).bytes()))
        except FileNotFoundError:
            return None

    def create(self, name: str, blob: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError, BaseError

        store = self.store
        try:
            store.put(name, blob, mode="create")
        except AlreadyExistsError:
            return self.read_document(name) == blob
        except (BaseError, OSError) as err:
            if self.read_document(name) != blob:  # not our object: the write failed, and not just its answer was lost
                raise unreachable_error(err, where=self.where) from err
        return True

    def put_object(self, name: str, blob: Any) -> None:
        """Write an object under a name that nobody else writes; large ones go in parts."""
        from obstore import Bytes

        store = self.store
        self.ask(lambda: store.put(name, Bytes(memoryview(blob).cast("B"))))

    def range(self, name: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of an object. Raises FileNotFoundError if there is no such object."""
        store = self._open_to_read()
        return self.ask(lambda: bytes(store.get_range(name, start=start, end=end)))

    def names(self, folder: str) -> list[str]:
        store = self._open_to_read()
        pages = self.ask(lambda: [page for page in store.list(folder, chunk_size=1000)])  # noqa: C416
        return sorted(meta["path"].removeprefix(f"{folder}/") for page in pages for meta in page)

    def last(self, folder: str) -> str | None:
        return max(self.names(folder), default=None)

    def remove(self, folder: str, names: Sequence[str]) -> None:
        for name in names:
            try:
                self.ask(lambda name=name: self.store.delete(f"{folder}/{name}"))  # type: ignore[misc]
            except FileNotFoundError:
                continue

    def ask(self, request: Callable[[], _T]) -> _T:
        """The answer to a request; FileNotFoundError for a missing object, StoreError for any other failure."""
        from obstore.exceptions import BaseError

        try:
            return request()
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as err:
            raise unreachable_error(err, where=self.where) from err


def unreachable_error(err: Exception, *, where: str) -> StoreError:
    """An object store's error as a StoreError of one line."""
    return StoreError(
        f"the prediction store cannot be reached: {describe_store_error(err)}",
        where=where,
        hint="readers see no change; check the address of the store, and run it again",
    )
