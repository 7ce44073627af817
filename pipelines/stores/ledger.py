"""Versions of predictions as a ledger of pages, each created once: for stores that can create, and cannot transact."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.store import Draft

if TYPE_CHECKING:
    import pyarrow as pa


class Parts(Protocol):
    """Where rows lie. Reading raises FileNotFoundError where a part is not there any more."""

    def write(self, folder: str, shard: int, rows: pa.RecordBatchReader) -> list[Part]:
        """Write the rows of a shard into `folder`, where nothing refers to them yet. RepeatError as in `check`."""

    def remove(self, folder: str, parts: Sequence[Part] | None) -> None:
        """Delete these parts; None: whatever there is in the folder, also what was never finished."""

    def check(self, parts: Sequence[Part]) -> None:
        """Raise RepeatError where a key is in two parts, StoreError where a part has other rows than it should."""

    def find(self, parts: Sequence[Part], key: str) -> float | None:
        """The score of a key; None where no part has it."""

    def read(self, parts: Sequence[Part], keys: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        """The rows of `keys` that there are, or all, a bounded number at a time."""


Part = Mapping[str, Any]
"""Where some rows of a version lie, in plain JSON: `rows` is how many there are, the rest is the store's own."""

_TRIES = 1000
_PAGES_KEPT = 100


class Shelf(Protocol):
    """Small documents by name, `folder/…/name`. Raises StoreError, one line, where it cannot be reached."""

    @property
    def where(self) -> str:
        """What errors call it."""

    def read(self, name: str) -> bytes | None:
        """A document; None where there is none."""

    def create(self, name: str, blob: bytes) -> bool:
        """Whether `blob` is what lies there now. It never overwrites, and an answer that was lost is asked for."""

    def names(self, folder: str) -> list[str]:
        """The last parts of the names in a folder, ascending."""

    def last(self, folder: str) -> str | None:
        """The last of them."""

    def remove(self, folder: str, names: Sequence[str]) -> None:
        """Delete documents of a folder, in this order; what is not there is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A draft on a page. Its rows are in `folder`, whose name nobody else has."""

    folder: str
    draft: Draft

    def as_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"folder": self.folder, **self.draft.as_plain()}

    @classmethod
    def of_plain(cls, held: Mapping[str, Any]) -> Begun:
        """From `as_plain`."""
        return cls(folder=str(held["folder"]), draft=Draft.of_plain(held))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A version on a page. Its rows are where they were staged."""

    version: int
    folder: str
    withdrawn: bool
    draft: Draft

    def as_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"version": self.version, "folder": self.folder, "withdrawn": self.withdrawn, **self.draft.as_plain()}

    @classmethod
    def of_plain(cls, held: Mapping[str, Any]) -> Entry:
        """From `as_plain`."""
        return cls(
            version=int(held["version"]),
            folder=str(held["folder"]),
            withdrawn=bool(held["withdrawn"]),
            draft=Draft.of_plain(held),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that is begun and published of a project, after one change."""

    number: int
    current: int | None
    parts: tuple[Part, ...]  # of the current version
    entries: tuple[Entry, ...]  # versions, latest first
    drafts: tuple[Begun, ...]  # oldest first
    dropped: tuple[str, ...]  # folders that are no version's any more, or never became one; their rows may be there yet

    @property
    def last_seq(self) -> int | None:
        """The latest head of the promotion log that a version was admitted under."""
        return max((one.draft.log_seq for one in self.entries), default=None)

    def of_source(self, source: str) -> Entry | None:
        """What a source became."""
        return next((one for one in self.entries if one.draft.source == source), None)

    def begun(self, draft: Draft) -> str | None:
        """Where a draft is staged, or was before it became a version; None where nobody began it."""
        held: tuple[Begun | Entry, ...] = (*self.drafts, *self.entries)
        return next((one.folder for one in held if one.draft.identity == draft.identity), None)

    def without(self, gone: Collection[str]) -> Page:
        """The same without the versions and drafts in these folders, which are dropped."""
        return replace(
            self,
            entries=tuple(one for one in self.entries if one.folder not in gone),
            drafts=tuple(one for one in self.drafts if one.folder not in gone),
            dropped=(*self.dropped, *gone),
        )

    def numbered(self, version: int | None) -> Entry | None:
        """The entry of a version, of the current one where none is named; None where there is none."""
        number = self.current if version is None else version
        return next((one for one in self.entries if one.version == number), None)

    def withdrawn(self, versions: Collection[int]) -> Page:
        """The same with these versions marked as withdrawn."""
        marked = (replace(entry, withdrawn=entry.withdrawn or entry.version in versions) for entry in self.entries)
        return replace(self, entries=tuple(marked))

    def moved(self, version: int | None, parts: Sequence[Part]) -> Page:
        """The same with another current version."""
        return replace(self, current=version, parts=tuple(parts))

    def to_bytes(self) -> bytes:
        """JSON: `current` is null, or {version, parts}."""
        current = None if self.current is None else {"version": self.current, "parts": list(self.parts)}
        told = {
            "number": self.number,
            "current": current,
            "versions": [one.as_plain() for one in self.entries],
            "drafts": [one.as_plain() for one in self.drafts],
            "dropped": list(self.dropped),
        }
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str) -> Page:
        """From `to_bytes`. Raises StoreError for what is none."""
        told = parsed(blob, where=where)
        try:
            current = told["current"] or {"version": None, "parts": ()}
            return cls(
                number=int(told["number"]),
                current=current["version"],
                parts=tuple(current["parts"]),
                entries=tuple(Entry.of_plain(one) for one in told["versions"]),
                drafts=tuple(Begun.of_plain(one) for one in told["drafts"]),
                dropped=tuple(told["dropped"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise damaged(where) from err


EMPTY = Page(number=0, current=None, parts=(), entries=(), drafts=(), dropped=())


class Ledger:
    """The pages of all projects on a shelf. The last page is what holds; who creates the next page has changed it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._held: dict[str, tuple[str, Page]] = {}  # the last page that was read, which never changes

    def page(self, folder: str) -> Page:
        """The last page of a folder; an empty one where there is none."""
        name = self._shelf.last(folder)
        if name is None:
            return EMPTY
        if name != self._held.get(folder, ("", EMPTY))[0]:
            blob = self._shelf.read(f"{folder}/{name}")
            if blob is None:  # so many changes since that this page is gone
                return self.page(folder)
            self._held[folder] = (name, Page.from_bytes(blob, where=f"{self._shelf.where}/{folder}/{name}"))
        return self._held[folder][1]

    def change(self, folder: str, change: Callable[[Page], Page]) -> Page:
        """The page after `change`, which is asked again, of the new last page, where another writer was faster.

        A `change` that returns what it was given writes nothing. It must not depend on how often it is asked, and may
        raise FileNotFoundError for what was pruned since that page.
        """
        for _ in range(_TRIES):
            before = self.page(folder)
            try:
                after = change(before)
            except FileNotFoundError as err:
                if self.page(folder).number == before.number:
                    raise damaged(self._shelf.where) from err
                continue
            if after == before:
                return before
            after = replace(after, number=before.number + 1)
            if self._shelf.create(f"{folder}/{_name(after.number)}", after.to_bytes()):
                self._check_parent(folder, after)
                return after
        raise StoreError("other writers were faster, time after time", where=self._shelf.where, hint="run it again")

    def trim(self, folder: str, last: Page) -> None:
        """Delete pages that are long past."""
        old = _name(last.number - _PAGES_KEPT)
        self._shelf.remove(folder, [name for name in self._shelf.names(folder) if name < old])

    def _check_parent(self, folder: str, after: Page) -> None:
        """Refuse a page whose place was free because a hundred came after it: the page before it is gone as well."""
        if after.number > 1 and self._shelf.read(f"{folder}/{_name(after.number - 1)}") is None:
            self._shelf.remove(folder, [_name(after.number)])
            raise StoreError(
                "the store changed a hundred times meanwhile", where=self._shelf.where, hint="run it again"
            )


def parsed(blob: bytes, *, where: str) -> dict[str, Any]:
    """A JSON object. Raises StoreError for what is none."""
    try:
        told = json.loads(blob)
    except (ValueError, RecursionError) as err:
        raise damaged(where) from err
    if not isinstance(told, dict):
        raise damaged(where)
    return told


def damaged(where: str) -> StoreError:
    """What lies there is nothing that this store wrote."""
    return StoreError("a part of the prediction store cannot be read", where=where, hint="the store is damaged")


def _name(number: int) -> str:
    return f"{number:08d}.json"
