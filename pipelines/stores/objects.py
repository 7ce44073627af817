"""Documents in an object store, or in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from lockgate.gates.errors import StoreError
from lockgate.gates.log.objects import describe_store_error

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")


class Objects:
    """A `Shelf` of objects, each a document. The store is opened when it is first asked."""

    def __init__(self, opened: Callable[[], ObjectStore], *, where: str) -> None:
        self.where = where
        self._opened = opened
        self._store: ObjectStore | None = None

    @property
    def store(self) -> ObjectStore:
        """The object store."""
        if self._store is None:
            self._store = self.reached(self._opened)
        return self._store

    def read(self, name: str) -> bytes | None:
        store = self.store
        try:
            return self.reached(lambda: bytes(store.get(name).bytes()))
        except FileNotFoundError:
            return None

    def create(self, name: str, blob: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError, BaseError

        store = self.store
        try:
            store.put(name, blob, mode="create")
        except AlreadyExistsError:
            return self.read(name) == blob
        except (BaseError, OSError) as err:
            if self.read(name) != blob:  # the write was lost and not its answer
                raise unreachable(err, where=self.where) from err
        return True

    def put(self, name: str, blob: Any) -> None:
        """Write an object under a name that nobody else writes, in pieces where it is large."""
        from obstore import Bytes

        store = self.store
        self.reached(lambda: store.put(name, Bytes(memoryview(blob).cast("B"))))

    def range(self, name: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of an object. Raises FileNotFoundError where it is not there."""
        store = self.store
        return self.reached(lambda: bytes(store.get_range(name, start=start, end=end)))

    def names(self, folder: str) -> list[str]:
        store = self.store
        pages = self.reached(lambda: [page for page in store.list(folder, chunk_size=1000)])  # noqa: C416
        return sorted(one["path"].removeprefix(f"{folder}/") for page in pages for one in page)

    def last(self, folder: str) -> str | None:
        return max(self.names(folder), default=None)

    def remove(self, folder: str, names: Sequence[str]) -> None:
        store = self.store
        for name in names:
            try:
                self.reached(lambda name=name: store.delete(f"{folder}/{name}"))  # type: ignore[misc]
            except FileNotFoundError:
                continue

    def reached(self, asked: Callable[[], T]) -> T:
        """What is answered; FileNotFoundError where it is not there. StoreError for all else that goes wrong."""
        from obstore.exceptions import BaseError

        try:
            return asked()
        except FileNotFoundError:
            raise
        except (BaseError, OSError, ValueError) as err:
            raise unreachable(err, where=self.where) from err


def unreachable(err: Exception, *, where: str) -> StoreError:
    """An object store's error in one line."""
    return StoreError(
        f"the prediction store cannot be reached: {describe_store_error(err)}",
        where=where,
        hint="nothing was changed that readers see; check where the store is, and run it again",
    )
