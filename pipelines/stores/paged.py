"""A store whose ledger says what is published, and whose rows may be kept in any storage of parts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.bulk import RepeatError
from lockgate.pipelines.stores.ledger import (
    BegunDraft,
    Ledger,
    Page,
    PageEntry,
    Part,
    PartStorage,
    Shelf,
    damaged_error,
    parse_object,
)
from lockgate.pipelines.stores.store import (
    Draft,
    Prediction,
    PublishedVersion,
    VersionRows,
    check_complete,
    check_keep,
    check_order,
    choose_rollback,
    find_model_versions,
    no_current_version_error,
    repeated_key_error,
)
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

_T = TypeVar("_T")
_DETAILS = "version.json"
_RECEIPT = "receipt.json"
_DETAILS_HELD = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Details:
    """What a page does not list of a version, so that pages stay small."""

    tally: Tally
    parts: tuple[Part, ...]


class PagedStore:
    """PROJECT/ledger holds the pages, PROJECT/shards/FOLDER the receipts and rows of a draft and of its version.

    A shard is staged once its receipt exists, which is written after its rows. A draft begins, and a version is
    published, made current, withdrawn or dropped, with the next page. Rows are deleted only in folders that a page has
    dropped before, so no reader of the last page loses them.
    """

    def __init__(self, shelf: Shelf, parts: PartStorage) -> None:
        self._shelf, self._parts = shelf, parts
        self._ledger = Ledger(shelf)
        self._details_cache: dict[str, _Details] = {}

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        page = self._ledger.change(_pages(draft.project), lambda page: _with_draft(page, draft))
        if page.entry_of_source(draft.source):
            return
        folder = page.folder_of(draft)
        receipt = f"{folder}/{shard:06d}.{_RECEIPT}"
        if folder is None or self._shelf.read_document(receipt) is not None:
            return
        try:
            parts = self._parts.write(folder, shard, rows)
        except RepeatError as err:
            raise repeated_key_error(draft, where=self._shelf.where) from err
        receipt_document = {"tally": tally.to_json(), "parts": parts}
        if not self._shelf.create(receipt, json.dumps(receipt_document).encode()):  # another process was faster
            self._parts.remove(folder, parts)
        # Somebody may have discarded the draft after the page above: then nothing refers to these rows.
        if self._page(draft.project).folder_of(draft) != folder:
            self._remove(folder)
            raise StoreError(f"{draft.source} was discarded while it was staged", where=self._shelf.where)

    def staged_shards(self, draft: Draft) -> Mapping[int, Tally]:
        folder = self._page(draft.project).folder_of(draft)
        return {} if folder is None else {shard: details.tally for shard, details in self._receipts(folder).items()}

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> PublishedVersion:
        page = self._page(draft.project)
        if page.entry_of_source(draft.source) is None:
            folder = page.folder_of(draft)
            parts = self._complete(page, folder, draft)
            self._ledger.change(
                _pages(draft.project), lambda page: self._add_version(page, draft, folder, parts, revoked)
            )
        return self._read_consistently(draft.project, lambda page: self._version(page, self._of_source(page, draft)))

    def _complete(self, page: Page, folder: str | None, draft: Draft) -> tuple[Part, ...]:
        """The parts of a draft, once all its shards are staged and have passed the checks."""
        receipts = {} if folder is None else self._receipts(folder)
        check_complete(draft, {shard: details.tally for shard, details in receipts.items()}, where=self._shelf.where)
        check_order(draft, page.last_seq, where=self._shelf.where)
        staged = [receipts[shard] for shard in range(draft.shards)]
        parts = tuple(part for details in staged for part in details.parts)
        try:
            self._parts.check(parts)
        except RepeatError as err:
            raise repeated_key_error(draft, where=self._shelf.where) from err
        document = {"tally": Tally.total(details.tally for details in staged).to_json(), "parts": parts}
        self._shelf.create(f"{folder}/{_DETAILS}", json.dumps(document).encode())
        return parts

    def _add_version(
        self, page: Page, draft: Draft, folder: str | None, parts: tuple[Part, ...], revoked: Collection[str]
    ) -> Page:
        if page.entry_of_source(draft.source):
            return page
        check_order(draft, page.last_seq, where=self._shelf.where)
        if folder is None or page.folder_of(draft) != folder:
            raise StoreError(f"{draft.source} was discarded while it was committed", where=self._shelf.where)
        number = page.entries[0].version + 1 if page.entries else 1
        entry = PageEntry(version=number, folder=folder, withdrawn=False, draft=draft)
        other_drafts = tuple(begun for begun in page.drafts if begun.folder != folder)
        earlier = page.mark_withdrawn(find_model_versions(page.entries, revoked)).entries
        return replace(page, entries=(entry, *earlier), drafts=other_drafts).with_current(number, parts)

    def discard(self, project: str, source: str) -> int:
        gone: list[str] = []

        def drop(page: Page) -> Page:
            gone[:] = [begun.folder for begun in page.drafts if begun.draft.source == source]
            return page.without(gone)

        self._sweep(project, self._ledger.change(_pages(project), drop))
        return len(gone)

    def drafts(self, project: str) -> list[Draft]:
        return [begun.draft for begun in self._page(project).drafts]

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        def find_key(owner: PublishedVersion, parts: Sequence[Part]) -> Prediction | None:
            score = self._parts.find(parts, key)
            return None if score is None else Prediction(key=key, score=score, version=owner)

        return self._read_version(project, version, find_key)

    def read_rows(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> VersionRows:
        def begin_reading(owner: PublishedVersion, parts: Sequence[Part]) -> VersionRows:
            batches = self._parts.read_batches(parts, keys)
            first = next(
                batches, None
            )  # read it now: if the version was pruned, the whole read moves on to the next one
            return VersionRows(
                version=owner, batches=self._continue_reading(owner, () if first is None else chain((first,), batches))
            )

        rows = self._read_version(project, version, begin_reading)
        if rows is None:
            raise StoreError(f"there is no version {version}", where=self._shelf.where)
        return rows

    def versions(self, project: str) -> list[PublishedVersion]:
        return self._read_consistently(project, lambda page: [self._version(page, entry) for entry in page.entries])

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> PublishedVersion:
        def back(page: Page) -> Page:
            if not page.entries:
                raise no_current_version_error(where=self._shelf.where)
            versions = [self._version(page, entry) for entry in page.entries]
            target = choose_rollback(versions, to, revoked=revoked, where=self._shelf.where)
            return page if target.current else self._make_current(page, target.version)

        page = self._ledger.change(_pages(project), back)
        return self._version(page, self._entry(page, page.current))

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        gone: list[int] = []

        def mark(page: Page) -> Page:
            gone[:] = find_model_versions(page.entries, models)
            after = page.mark_withdrawn(gone)
            successor = next((entry.version for entry in after.entries if not entry.withdrawn), None)
            return self._make_current(after, successor) if page.current in gone else after

        self._ledger.change(_pages(project), mark)
        return tuple(gone)

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        check_keep(keep, where=self._shelf.where)
        gone: list[int] = []

        def drop_old(page: Page) -> Page:
            old = [entry for entry in page.entries[keep:] if entry.version != page.current]
            gone[:] = sorted(entry.version for entry in old)
            late = [
                begun
                for begun in page.drafts
                if page.entry_of_source(begun.draft.source) or begun.draft.log_seq < (page.last_seq or 0)
            ]
            return page.without([*(entry.folder for entry in old), *(begun.folder for begun in late)])

        self._sweep(project, self._ledger.change(_pages(project), drop_old))
        return tuple(gone)

    def _read_version(
        self, project: str, version: int | None, read_version: Callable[[PublishedVersion, Sequence[Part]], _T]
    ) -> _T | None:
        """What `read_version` returns for a version; None if there is no `version`."""

        def attempt(page: Page) -> _T | None:
            if page.entry_of_version(version) is None:
                if version is None:
                    raise no_current_version_error(
                        where=self._shelf.where, withdrawn=any(entry.withdrawn for entry in page.entries)
                    )
                return None
            entry = self._entry(page, version)
            parts = page.parts if entry.version == page.current else self._details(entry.folder).parts
            return read_version(self._version(page, entry), parts)

        return self._read_consistently(project, attempt)

    def _read_consistently(self, project: str, read_page: Callable[[Page], _T]) -> _T:
        """What `read_page` returns; called again with a newer page if something on this one was pruned in between."""
        page = self._page(project)
        while True:
            try:
                return read_page(page)
            except FileNotFoundError as err:
                before, page = page, self._page(project)
                if page.number == before.number:
                    raise damaged_error(self._shelf.where) from err

    def _continue_reading(
        self, owner: PublishedVersion, batches: Iterator[pa.RecordBatch] | tuple[()]
    ) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except FileNotFoundError as err:
            raise StoreError(f"version {owner.version} was pruned while it was read", where=self._shelf.where) from err

    def _page(self, project: str) -> Page:
        return self._ledger.page(_pages(project))

    def _entry(self, page: Page, version: int | None) -> PageEntry:
        entry = page.entry_of_version(version)
        if entry is None:
            raise damaged_error(self._shelf.where)
        return entry

    def _of_source(self, page: Page, draft: Draft) -> PageEntry:
        entry = page.entry_of_source(draft.source)
        if entry is None:
            raise StoreError(
                f"{draft.source} was published, and its version has been pruned since", where=self._shelf.where
            )
        return entry

    def _make_current(self, page: Page, version: int | None) -> Page:
        return page.with_current(
            version, () if version is None else self._details(self._entry(page, version).folder).parts
        )

    def _version(self, page: Page, entry: PageEntry) -> PublishedVersion:
        return PublishedVersion(
            version=entry.version,
            current=entry.version == page.current,
            withdrawn=entry.withdrawn,
            tally=self._details(entry.folder).tally,
            draft=entry.draft,
        )

    def _details(self, folder: str) -> _Details:
        """The details of a version, which never change. Raises FileNotFoundError if it was pruned."""
        if folder not in self._details_cache:
            blob = self._shelf.read_document(f"{folder}/{_DETAILS}")
            if blob is None:
                raise FileNotFoundError(folder)
            if len(self._details_cache) >= _DETAILS_HELD:
                self._details_cache.clear()
            self._details_cache[folder] = self._parse_details(blob, folder)
        return self._details_cache[folder]

    def _receipts(self, folder: str) -> dict[int, _Details]:
        names = [name for name in self._shelf.names(folder) if name.endswith(_RECEIPT)]
        blobs = {name: self._shelf.read_document(f"{folder}/{name}") for name in names}
        return {
            int(name.split(".")[0]): self._parse_details(blob, folder)
            for name, blob in blobs.items()
            if blob is not None
        }

    def _parse_details(self, blob: bytes, folder: str) -> _Details:
        document = parse_object(blob, where=f"{self._shelf.where}/{folder}")
        return _Details(tally=Tally.from_json(document["tally"]), parts=tuple(document["parts"]))

    def _sweep(self, project: str, page: Page) -> None:
        """Delete the folders that the page has dropped, then write a page without them."""
        if swept := page.dropped:
            for folder in swept:
                self._remove(folder)
            page = self._ledger.change(
                _pages(project),
                lambda page: replace(page, dropped=tuple(folder for folder in page.dropped if folder not in swept)),
            )
        self._ledger.trim(_pages(project), page)

    def _remove(self, folder: str) -> None:
        self._parts.remove(folder, None)
        self._shelf.remove(folder, self._shelf.names(folder))


def _pages(project: str) -> str:
    return f"{quote(project, safe='')}/ledger"


def _with_draft(page: Page, draft: Draft) -> Page:
    """The page with this draft, unless it is listed or its source was published."""
    if page.entry_of_source(draft.source) or page.folder_of(draft):
        return page
    folder = f"{quote(draft.project, safe='')}/shards/{draft.identity}-{secrets.token_hex(4)}"
    return replace(page, drafts=(*page.drafts, BegunDraft(folder=folder, draft=draft)))
