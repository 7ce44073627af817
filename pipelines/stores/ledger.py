"""Versions as a ledger of pages, each created once: for stores with a conditional create but without transactions."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.store import Draft

if TYPE_CHECKING:
    import pyarrow as pa


class PartStorage(Protocol):
    """Storage of rows in parts. Reading raises FileNotFoundError for a part that has been deleted."""

    def write(self, folder: str, shard: int, rows: pa.RecordBatchReader) -> list[Part]:
        """Write the rows of a shard into `folder`; nothing refers to them yet. Raises RepeatError as `check` does."""

    def remove(self, folder: str, parts: Sequence[Part] | None) -> None:
        """Delete these parts; with None everything in the folder, including unfinished parts."""

    def check(self, parts: Sequence[Part]) -> None:
        """Raise RepeatError if a key is in two parts, StoreError if a part does not have the rows it should."""

    def find(self, parts: Sequence[Part], key: str) -> float | None:
        """The score of a key; None if no part has it."""

    def read_batches(self, parts: Sequence[Part], keys: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        """All rows, or those of `keys` that exist, a bounded number at a time."""


Part = Mapping[str, Any]
"""Where some rows of a version are, as JSON: `rows` is their number, the other keys are the store's own."""

_MAX_ATTEMPTS = 1000
_MAX_LOOKS = 20  # at a last page, each of which was trimmed before it was read
_PAGES_KEPT = 100


class Shelf(Protocol):
    """Small documents by name, `folder/…/name`. Raises a StoreError of one line if it cannot be reached."""

    @property
    def where(self) -> str:
        """The shelf in the words of an error message."""

    def read_document(self, name: str) -> bytes | None:
        """A document; None if there is none."""

    def create(self, name: str, blob: bytes) -> bool:
        """Write a document unless one exists; whether `blob` is the content now.

        A write whose answer was lost is looked up, so True also means an earlier attempt that succeeded.
        """

    def names(self, folder: str) -> list[str]:
        """The last parts of the names in a folder, ascending."""

    def last(self, folder: str) -> str | None:
        """The last of these names; None in an empty folder."""

    def remove(self, folder: str, names: Sequence[str]) -> None:
        """Delete documents of a folder, in this order; missing ones are skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunDraft:
    """A draft as a page lists it. Its rows are in `folder`, a name that is never used twice."""

    folder: str
    draft: Draft

    def as_plain(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"folder": self.folder, **self.draft.as_plain()}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> BegunDraft:
        """The record that `as_plain` wrote."""
        return cls(folder=str(plain["folder"]), draft=Draft.of_plain(plain))


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """A version as a page lists it. Its rows stay in the folder where they were staged."""

    version: int
    folder: str
    withdrawn: bool
    draft: Draft

    def as_plain(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"version": self.version, "folder": self.folder, "withdrawn": self.withdrawn, **self.draft.as_plain()}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> PageEntry:
        """The record that `as_plain` wrote."""
        return cls(
            version=int(plain["version"]),
            folder=str(plain["folder"]),
            withdrawn=bool(plain["withdrawn"]),
            draft=Draft.of_plain(plain),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All drafts and versions of a project, after one change."""

    number: int
    current: int | None
    parts: tuple[Part, ...]  # of the current version
    entries: tuple[PageEntry, ...]  # versions, latest first
    drafts: tuple[BegunDraft, ...]  # oldest first
    dropped: tuple[str, ...]  # folders of deleted versions and drafts; their rows may still exist

    @property
    def last_seq(self) -> int | None:
        """The latest head of the promotion log that any version was admitted under."""
        return max((entry.draft.log_seq for entry in self.entries), default=None)

    def entry_of_source(self, source: str) -> PageEntry | None:
        """The version that a source became; None if it was not published."""
        return next((entry for entry in self.entries if entry.draft.source == source), None)

    def folder_of(self, draft: Draft) -> str | None:
        """The folder of a draft, also after it became a version; None if nobody began it."""
        records: tuple[BegunDraft | PageEntry, ...] = (*self.drafts, *self.entries)
        return next((record.folder for record in records if record.draft.identity == draft.identity), None)

    def without(self, folders: Collection[str]) -> Page:
        """The page without the versions and drafts of these folders, which move to `dropped`."""
        return replace(
            self,
            entries=tuple(entry for entry in self.entries if entry.folder not in folders),
            drafts=tuple(begun for begun in self.drafts if begun.folder not in folders),
            dropped=(*self.dropped, *folders),
        )

    def entry_of_version(self, version: int | None) -> PageEntry | None:
        """The entry of `version`, or of the current version; None if there is none."""
        number = self.current if version is None else version
        return next((entry for entry in self.entries if entry.version == number), None)

    def mark_withdrawn(self, versions: Collection[int]) -> Page:
        """The page with these versions marked as withdrawn."""
        marked = (replace(entry, withdrawn=entry.withdrawn or entry.version in versions) for entry in self.entries)
        return replace(self, entries=tuple(marked))

    def with_current(self, version: int | None, parts: Sequence[Part]) -> Page:
        """The page with another current version, which has these parts."""
        return replace(self, current=version, parts=tuple(parts))

    def to_bytes(self) -> bytes:
        """JSON: `current` is null, or {version, parts}."""
        current = None if self.current is None else {"version": self.current, "parts": list(self.parts)}
        plain = {
            "number": self.number,
            "current": current,
            "versions": [entry.as_plain() for entry in self.entries],
            "drafts": [begun.as_plain() for begun in self.drafts],
            "dropped": list(self.dropped),
        }
        return json.dumps(plain, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str) -> Page:
        """The page that `to_bytes` wrote. Raises StoreError for anything else."""
        plain = parse_object(blob, where=where)
        try:
            current = plain["current"] or {"version": None, "parts": ()}
            return cls(
                number=int(plain["number"]),
                current=current["version"],
                parts=tuple(current["parts"]),
                entries=tuple(PageEntry.of_plain(plain_entry) for plain_entry in plain["versions"]),
                drafts=tuple(BegunDraft.of_plain(plain_draft) for plain_draft in plain["drafts"]),
                dropped=tuple(plain["dropped"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise damaged_error(where) from err


EMPTY_PAGE = Page(number=0, current=None, parts=(), entries=(), drafts=(), dropped=())


class Ledger:
    """The pages of all projects on a shelf. The last page is the present state; creating the next one changes it.

    `Shelf.create` never overwrites, so of two writers at one page number exactly one succeeds, and the other looks
    again. That is all the concurrency control there is: no locks, and nothing to clean up after a crash.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._held: dict[str, tuple[str, Page]] = {}  # the last page that was read, which never changes

    def page(self, folder: str) -> Page:
        """The last page of a folder; an empty page if there is none."""
        for _ in range(_MAX_LOOKS):
            name = self._shelf.last(folder)
            if name is None:
                return EMPTY_PAGE
            if name == self._held.get(folder, ("", EMPTY_PAGE))[0]:
                return self._held[folder][1]
            blob = self._shelf.read_document(f"{folder}/{name}")
            if blob is not None:  # else it was trimmed since: a hundred changes came after it
                page = Page.from_bytes(blob, where=f"{self._shelf.where}/{folder}/{name}")
                self._held[folder] = (name, page)
                return page
        raise damaged_error(f"{self._shelf.where}/{folder}/{name}")  # it is listed, and not there

    def change(self, folder: str, change: Callable[[Page], Page]) -> Page:
        """Write the page that `change` makes of the last page, and return it.

        If another writer was faster, `change` is called again with the new last page, so it must not depend on how
        often it is called. If it returns its argument, nothing is written. It may raise FileNotFoundError for what was
        pruned since that page.
        """
        for _ in range(_MAX_ATTEMPTS):
            before = self.page(folder)
            try:
                after = change(before)
            except FileNotFoundError as err:
                if self.page(folder).number == before.number:
                    raise damaged_error(self._shelf.where) from err
                continue
            if after == before:
                return before
            after = replace(after, number=before.number + 1)
            if self._shelf.create(f"{folder}/{_name(after.number)}", after.to_bytes()):
                self._check_parent(folder, after)
                return after
        raise StoreError("other writers were faster, again and again", where=self._shelf.where, hint="run it again")

    def trim(self, folder: str, last: Page) -> None:
        """Delete all but about the last hundred pages."""
        old = _name(last.number - _PAGES_KEPT)
        self._shelf.remove(folder, [name for name in self._shelf.names(folder) if name < old])

    def _check_parent(self, folder: str, after: Page) -> None:
        """Refuse a page whose number was free only because it had been trimmed: then the page before it is gone too."""
        if after.number > 1 and self._shelf.read_document(f"{folder}/{_name(after.number - 1)}") is None:
            self._shelf.remove(folder, [_name(after.number)])
            raise StoreError(
                "the store changed a hundred times while this change was written",
                where=self._shelf.where,
                hint="run it again",
            )


def parse_object(blob: bytes, *, where: str) -> dict[str, Any]:
    """A JSON object. Raises StoreError for anything else."""
    try:
        document = json.loads(blob)
    except (ValueError, RecursionError) as err:
        raise damaged_error(where) from err
    if not isinstance(document, dict):
        raise damaged_error(where)
    return document


def damaged_error(where: str) -> StoreError:
    """The error for content that this store did not write."""
    return StoreError("a part of the prediction store cannot be read", where=where, hint="the store is damaged")


def _name(number: int) -> str:
    return f"{number:08d}.json"
