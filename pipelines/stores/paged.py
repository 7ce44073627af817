"""A store of which a ledger says what is published, wherever its rows lie."""

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
from lockgate.pipelines.stores.ledger import Begun, Entry, Ledger, Page, Part, Parts, Shelf, damaged, parsed
from lockgate.pipelines.stores.store import (
    Draft,
    Prediction,
    Rows,
    Version,
    check_complete,
    check_keep,
    check_order,
    chosen,
    of_models,
    repeated,
    unpublished,
)
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_DETAILS = "version.json"
_RECEIPT = "receipt.json"
_DETAILS_HELD = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Details:
    """What a page leaves out of a version."""

    tally: Tally
    parts: tuple[Part, ...]


class PagedStore:
    """PROJECT/ledger holds pages, PROJECT/shards/FOLDER the receipts and rows of a draft and of what it became.

    A shard is staged when its receipt is there, which is written after its rows. A draft is begun, and a version is
    published, made current, withdrawn or dropped, by the next page. Rows are deleted only of folders that a page has
    dropped before.
    """

    def __init__(self, shelf: Shelf, parts: Parts) -> None:
        self._shelf, self._parts = shelf, parts
        self._ledger = Ledger(shelf)
        self._known: dict[str, _Details] = {}

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        page = self._ledger.change(_pages(draft.project), lambda page: _with(page, draft))
        if page.of_source(draft.source):
            return
        folder = page.begun(draft)
        receipt = f"{folder}/{shard:06d}.{_RECEIPT}"
        if folder is None or self._shelf.read(receipt) is not None:
            return
        try:
            parts = self._parts.write(folder, shard, rows)
        except RepeatError as err:
            raise repeated(draft, where=self._shelf.where) from err
        told = {"tally": tally.to_json(), "parts": parts}
        if not self._shelf.create(receipt, json.dumps(told).encode()):  # another process was faster
            self._parts.remove(folder, parts)
        if self._page(draft.project).begun(draft) != folder:
            self._remove(folder)
            raise StoreError(f"{draft.source} was discarded while it was staged", where=self._shelf.where)

    def staged(self, draft: Draft) -> Mapping[int, Tally]:
        folder = self._page(draft.project).begun(draft)
        return {} if folder is None else {shard: held.tally for shard, held in self._receipts(folder).items()}

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> Version:
        page = self._page(draft.project)
        if page.of_source(draft.source) is None:
            folder = page.begun(draft)
            parts = self._complete(page, folder, draft)
            self._ledger.change(_pages(draft.project), lambda page: self._added(page, draft, folder, parts, revoked))
        return self._consistent(draft.project, lambda page: self._version(page, self._of_source(page, draft)))

    def _complete(self, page: Page, folder: str | None, draft: Draft) -> tuple[Part, ...]:
        """The parts of a draft whose shards are all staged and good."""
        receipts = {} if folder is None else self._receipts(folder)
        check_complete(draft, {shard: held.tally for shard, held in receipts.items()}, where=self._shelf.where)
        check_order(draft, page.last_seq, where=self._shelf.where)
        staged = [receipts[shard] for shard in range(draft.shards)]
        parts = tuple(part for held in staged for part in held.parts)
        try:
            self._parts.check(parts)
        except RepeatError as err:
            raise repeated(draft, where=self._shelf.where) from err
        told = {"tally": Tally.total(held.tally for held in staged).to_json(), "parts": parts}
        self._shelf.create(f"{folder}/{_DETAILS}", json.dumps(told).encode())
        return parts

    def _added(
        self, page: Page, draft: Draft, folder: str | None, parts: tuple[Part, ...], revoked: Collection[str]
    ) -> Page:
        if page.of_source(draft.source):
            return page
        check_order(draft, page.last_seq, where=self._shelf.where)
        if folder is None or page.begun(draft) != folder:
            raise StoreError(f"{draft.source} was discarded while it was committed", where=self._shelf.where)
        number = page.entries[0].version + 1 if page.entries else 1
        entry = Entry(version=number, folder=folder, withdrawn=False, draft=draft)
        left = tuple(one for one in page.drafts if one.folder != folder)
        earlier = page.withdrawn(of_models(page.entries, revoked)).entries
        return replace(page, entries=(entry, *earlier), drafts=left).moved(number, parts)

    def discard(self, project: str, source: str) -> int:
        gone: list[str] = []

        def drop(page: Page) -> Page:
            gone[:] = [one.folder for one in page.drafts if one.draft.source == source]
            return page.without(gone)

        self._sweep(project, self._ledger.change(_pages(project), drop))
        return len(gone)

    def drafts(self, project: str) -> list[Draft]:
        return [one.draft for one in self._page(project).drafts]

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        def found(of: Version, parts: Sequence[Part]) -> Prediction | None:
            score = self._parts.find(parts, key)
            return None if score is None else Prediction(key=key, score=score, version=of)

        return self._reading(project, version, found)

    def read(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> Rows:
        def begun(of: Version, parts: Sequence[Part]) -> Rows:
            batches = self._parts.read(parts, keys)
            first = next(batches, None)  # now, as what was pruned is then read of the version that came after
            return Rows(version=of, batches=self._going_on(of, () if first is None else chain((first,), batches)))

        rows = self._reading(project, version, begun)
        if rows is None:
            raise StoreError(f"there is no version {version}", where=self._shelf.where)
        return rows

    def versions(self, project: str) -> list[Version]:
        return self._consistent(project, lambda page: [self._version(page, one) for one in page.entries])

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> Version:
        def back(page: Page) -> Page:
            if not page.entries:
                raise unpublished(where=self._shelf.where)
            held = [self._version(page, one) for one in page.entries]
            target = chosen(held, to, revoked=revoked, where=self._shelf.where)
            return page if target.current else self._made_current(page, target.version)

        page = self._ledger.change(_pages(project), back)
        return self._version(page, self._entry(page, page.current))

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        gone: list[int] = []

        def withdrawn(page: Page) -> Page:
            gone[:] = of_models(page.entries, models)
            after = page.withdrawn(gone)
            left = next((one.version for one in after.entries if not one.withdrawn), None)
            return self._made_current(after, left) if page.current in gone else after

        self._ledger.change(_pages(project), withdrawn)
        return tuple(gone)

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        check_keep(keep, where=self._shelf.where)
        gone: list[int] = []

        def pruned(page: Page) -> Page:
            old = [one for one in page.entries[keep:] if one.version != page.current]
            gone[:] = sorted(one.version for one in old)
            late = [
                one
                for one in page.drafts
                if page.of_source(one.draft.source) or one.draft.log_seq < (page.last_seq or 0)
            ]
            return page.without([*(one.folder for one in old), *(one.folder for one in late)])

        self._sweep(project, self._ledger.change(_pages(project), pruned))
        return tuple(gone)

    def _reading(self, project: str, version: int | None, read: Callable[[Version, Sequence[Part]], T]) -> T | None:
        """What is read of a version; None where there is no `version`."""

        def tried(page: Page) -> T | None:
            if page.numbered(version) is None:
                if version is None:
                    raise unpublished(where=self._shelf.where, withdrawn=any(one.withdrawn for one in page.entries))
                return None
            entry = self._entry(page, version)
            parts = page.parts if entry.version == page.current else self._details(entry.folder).parts
            return read(self._version(page, entry), parts)

        return self._consistent(project, tried)

    def _consistent(self, project: str, read: Callable[[Page], T]) -> T:
        """What is read by a page; by the next one where what it names was pruned meanwhile."""
        page = self._page(project)
        while True:
            try:
                return read(page)
            except FileNotFoundError as err:
                before, page = page, self._page(project)
                if page.number == before.number:
                    raise damaged(self._shelf.where) from err

    def _going_on(self, of: Version, batches: Iterator[pa.RecordBatch] | tuple[()]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except FileNotFoundError as err:
            raise StoreError(f"version {of.version} was pruned while it was read", where=self._shelf.where) from err

    def _page(self, project: str) -> Page:
        return self._ledger.page(_pages(project))

    def _entry(self, page: Page, version: int | None) -> Entry:
        entry = page.numbered(version)
        if entry is None:
            raise damaged(self._shelf.where)
        return entry

    def _of_source(self, page: Page, draft: Draft) -> Entry:
        entry = page.of_source(draft.source)
        if entry is None:
            raise StoreError(f"{draft.source} was published, and pruned since", where=self._shelf.where)
        return entry

    def _made_current(self, page: Page, version: int | None) -> Page:
        return page.moved(version, () if version is None else self._details(self._entry(page, version).folder).parts)

    def _version(self, page: Page, entry: Entry) -> Version:
        return Version(
            version=entry.version,
            current=entry.version == page.current,
            withdrawn=entry.withdrawn,
            tally=self._details(entry.folder).tally,
            draft=entry.draft,
        )

    def _details(self, folder: str) -> _Details:
        """Of a version, which never change. Raises FileNotFoundError where it was pruned."""
        if folder not in self._known:
            blob = self._shelf.read(f"{folder}/{_DETAILS}")
            if blob is None:
                raise FileNotFoundError(folder)
            if len(self._known) >= _DETAILS_HELD:
                self._known.clear()
            self._known[folder] = self._parsed(blob, folder)
        return self._known[folder]

    def _receipts(self, folder: str) -> dict[int, _Details]:
        names = [name for name in self._shelf.names(folder) if name.endswith(_RECEIPT)]
        found = {name: self._shelf.read(f"{folder}/{name}") for name in names}
        return {int(name.split(".")[0]): self._parsed(blob, folder) for name, blob in found.items() if blob is not None}

    def _parsed(self, blob: bytes, folder: str) -> _Details:
        told = parsed(blob, where=f"{self._shelf.where}/{folder}")
        return _Details(tally=Tally.from_json(told["tally"]), parts=tuple(told["parts"]))

    def _sweep(self, project: str, page: Page) -> None:
        """Delete what the page has dropped, and let the next page forget it."""
        if swept := page.dropped:
            for folder in swept:
                self._remove(folder)
            page = self._ledger.change(
                _pages(project),
                lambda page: replace(page, dropped=tuple(one for one in page.dropped if one not in swept)),
            )
        self._ledger.trim(_pages(project), page)

    def _remove(self, folder: str) -> None:
        self._parts.remove(folder, None)
        self._shelf.remove(folder, self._shelf.names(folder))


def _pages(project: str) -> str:
    return f"{quote(project, safe='')}/ledger"


def _with(page: Page, draft: Draft) -> Page:
    """The same with a draft begun."""
    if page.of_source(draft.source) or page.begun(draft):
        return page
    folder = f"{quote(draft.project, safe='')}/shards/{draft.identity}-{secrets.token_hex(4)}"
    return replace(page, drafts=(*page.drafts, Begun(folder=folder, draft=draft)))
