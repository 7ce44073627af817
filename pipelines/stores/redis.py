"""Predictions in Redis: the current version is one hash, which a publication or a rollback puts there by renaming."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import redis_books as books
from lockgate.pipelines.stores import store as rules
from lockgate.pipelines.stores.redis_books import Book, Entry, Names
from lockgate.pipelines.stores.redis_server import TRIES, Command, Server, address
from lockgate.pipelines.stores.store import PARAMS, Draft, Prediction, Rows, Version
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 3_000  # a script takes fewer than 8,000 words


class Params(BaseModel):
    model_config = PARAMS
    url: Annotated[str, AfterValidator(address)]  # redis://user@host:6379/0; rediss: with TLS; unix: a socket
    namespace: str = Field(pattern="^[A-Za-z0-9_.-]{1,60}$")  # what the names of all keys begin with
    seconds: float = Field(gt=0, le=600)  # for a connection, and for each answer


def open_store(params: Params, home: Path) -> RedisStore:  # noqa: ARG001 (it is nowhere on this machine)
    """The store under the namespace of `params`."""
    return RedisStore(params)


class RedisStore:
    """Any client reads: `HGET 'lockgate:{orders}:current' KEY`; of which version: `GET 'lockgate:{orders}:about'`."""

    def __init__(self, params: Params) -> None:
        self._namespace, self._where = params.namespace, f"{params.url} {params.namespace}"
        self._server = Server(params.url, seconds=params.seconds, where=self._where)

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        at, of = self._names(draft.project), draft.identity
        attempt, pieces = f"{shard}:{secrets.token_hex(8)}", 0
        if not self._begin(at, draft):
            return
        for batch in rows:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                pairs, keys = books.packed(batch.slice(start, _ROWS_AT_ONCE))
                piece: list[Command] = [
                    ("SADD", at.attempts(of), attempt),
                    ("HSET", at.keys(of, attempt), pieces, keys),
                    ("HSET", at.rows(of), *pairs),
                ]
                if not self._write(at, draft, shard, piece, quiet=True):
                    return
                pieces += 1
        receipt = json.dumps({"tally": tally.to_json(), "attempt": attempt, "pieces": pieces})
        self._write(at, draft, shard, [("HSET", at.receipts(of), shard, receipt)], quiet=False)

    def _begin(self, at: Names, draft: Draft) -> bool:
        """Write down a draft; whether it is to be staged."""

        def work(db: Any) -> tuple[bool, list[Command]]:
            if _published(Book.read(db, at), draft):
                return False, []
            if db.hexists(at.drafts, draft.identity):
                return True, []
            begun = {"begun": db.incr(at.begun), **draft.as_plain()}
            return True, [("HSET", at.drafts, draft.identity, json.dumps(begun))]

        return self._server.change(at.revision, work, fills=True)

    def _write(self, at: Names, draft: Draft, shard: int, commands: list[Command], *, quiet: bool) -> bool:
        """Write something of a shard; not where another process has staged it or published the draft meanwhile."""
        of = draft.identity

        def work(db: Any) -> tuple[bool, list[Command]]:
            if not db.hexists(at.drafts, of):
                if _published(Book.read(db, at), draft):
                    return False, []
                raise StoreError(f"{draft.source} was discarded while it was staged", where=self._where)
            return (False, []) if db.hexists(at.receipts(of), shard) else (True, commands)

        return self._server.change(at.revision, work, quiet=quiet)

    def staged(self, draft: Draft) -> Mapping[int, Tally]:
        with self._server.errors():
            found = books.receipts(self._server.client.hgetall(self._names(draft.project).receipts(draft.identity)))
            return {shard: Tally.from_json(one["tally"]) for shard, one in found.items()}

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> Version:
        at, of = self._names(draft.project), draft.identity

        def work(db: Any) -> tuple[Version, list[Command]]:
            book = Book.read(db, at)
            if known := _published(book, draft):
                return known, []
            receipts = books.receipts(db.hgetall(at.receipts(of)))
            staged = {shard: Tally.from_json(one["tally"]) for shard, one in receipts.items()}
            rules.check_complete(draft, staged, where=self._where)
            last = max((one.draft.log_seq for one in book.entries), default=None)
            rules.check_order(draft, last, where=self._where)
            tally = Tally.total(staged.values())
            books.check_rows(draft, tally.rows, db.hlen(at.rows(of)), where=self._where)
            entry = Entry(
                version=max((one.version for one in book.entries), default=0) + 1,
                withdrawn=False,
                tally=tally,
                draft=draft,
                attempts={one["attempt"]: one["pieces"] for one in receipts.values()},
            )
            lost = {one.decode() for one in db.smembers(at.attempts(of))} - set(entry.attempts)
            return entry.published(entry.version), [
                *book.withdrawing(at, rules.of_models(book.entries, revoked)),
                ("HSET", at.versions, entry.version, entry.to_json()),
                *book.point(db, at, entry, where=self._where),
                ("HDEL", at.drafts, of),
                ("UNLINK", at.receipts(of), at.attempts(of), *(at.keys(of, one) for one in lost)),
            ]

        return self._server.change(at.revision, work, fills=True)

    def discard(self, project: str, source: str) -> int:
        at = self._names(project)

        def work(db: Any) -> tuple[int, list[Command]]:
            found = [of for of, one in books.drafts(db.hgetall(at.drafts)).items() if one.source == source]
            return len(found), books.forget(db, at, [], found)

        return self._server.change(at.revision, work)

    def drafts(self, project: str) -> list[Draft]:
        with self._server.errors():
            return list(books.drafts(self._server.client.hgetall(self._names(project).drafts)).values())

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        at = self._names(project)
        with self._server.errors():
            asked = _bytes([key])
            if version is None:
                about, found = self._server.at_once(at.about, ("GET", at.about), ("HMGET", at.current, *asked))
                entry = self._current(at, about)
                number = entry.version
            else:
                old, number = self._entry(at, version)
                if old is None or (kept := self._scores(at, old, asked)) is None:
                    return None
                entry, found = old, kept
            if found[0] is None:
                return None
            return Prediction(key=key, score=float(found[0]), version=entry.published(number))

    def read(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> Rows:
        batches = self._read(self._names(project), keys, version)
        return Rows(version=next(batches), batches=batches)

    def _read(self, at: Names, keys: Sequence[str] | None, version: int | None) -> Iterator[Any]:
        """The version, then its rows as record batches; StoreError where the version is deleted meanwhile."""
        with self._server.errors():
            entry, number = self._entry(at, version)
            if entry is None:
                raise rules.missing(version, where=self._where)
            yield entry.published(number)
            asked = (_bytes(part) for part in rules.portions(keys or (), _ROWS_AT_ONCE))
            for part in self._keys(at, entry) if keys is None else asked:
                scores = self._scores(at, entry, part)
                if scores is None or (keys is None and None in scores):
                    raise books.deleted(entry, where=self._where)
                yield books.unpacked(part, scores)

    def _keys(self, at: Names, entry: Entry) -> Iterator[list[bytes]]:
        for attempt, pieces in entry.attempts.items():
            for piece in range(pieces):
                found = self._server.client.hget(at.keys(entry.draft.identity, attempt), piece)
                if found is None:
                    raise books.deleted(entry, where=self._where)
                yield books.keys_of(found)

    def _scores(self, at: Names, entry: Entry, keys: list[bytes]) -> list[bytes | None] | None:
        """Of these keys, at one moment; None where the version is deleted. Its rows are where it is current, or not."""
        current = True
        for _ in range(TRIES):
            name = at.current if current else at.rows(entry.draft.identity)
            number, there, scores = self._server.at_once(
                at.number, ("GET", at.number), ("HEXISTS", at.versions, entry.version), ("HMGET", name, *keys)
            )
            if not there:
                return None
            if (int(number or 0) == entry.version) == current:
                found: list[bytes | None] = scores
                return found
            current = not current
        raise StoreError("versions change all the time", where=self._where)

    def _entry(self, at: Names, version: int | None) -> tuple[Entry | None, int]:
        """The entry of a version, or of the current one, which must be there; and the number of the current one."""
        about, number, text = self._server.at_once(
            at.number, ("GET", at.about), ("GET", at.number), ("HGET", at.versions, version or 0)
        )
        if version is None:
            return self._current(at, about), int(number)
        return (Entry.of_json(text) if text else None), int(number or 0)

    def _current(self, at: Names, about: bytes | None) -> Entry:
        if about is None:
            withdrawn = any(one.withdrawn for one in Book.read(self._server.client, at).entries)
            raise rules.unpublished(where=self._where, withdrawn=withdrawn)
        return Entry.of_json(about)

    def versions(self, project: str) -> list[Version]:
        at = self._names(project)
        with self._server.errors():
            held, number = self._server.at_once(at.number, ("HGETALL", at.versions), ("GET", at.number))
            return Book(entries=books.entries(books.mapping(held)), number=int(number or 0)).versions

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> Version:
        at = self._names(project)

        def work(db: Any) -> tuple[Version, list[Command]]:
            book = Book.read(db, at)
            if not book.entries:
                raise rules.unpublished(where=self._where)
            target = rules.chosen(book.versions, to, revoked=revoked, where=self._where)
            return replace(target, current=True), book.point(db, at, book.entry(target.version), where=self._where)

        return self._server.change(at.revision, work)

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        at = self._names(project)

        def work(db: Any) -> tuple[tuple[int, ...], list[Command]]:
            book = Book.read(db, at)
            gone = rules.of_models(book.entries, models)
            left = next((one for one in book.entries if not one.withdrawn and one.version not in gone), None)
            commands = book.point(db, at, left, where=self._where) if book.number in gone else []
            return gone, [*commands, *book.withdrawing(at, gone)]

        return self._server.change(at.revision, work)

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        rules.check_keep(keep, where=self._where)
        at = self._names(project)

        def work(db: Any) -> tuple[tuple[int, ...], list[Command]]:
            book = Book.read(db, at)
            old = [one for one in book.entries[keep:] if one.version != book.number]
            last = max((one.draft.log_seq for one in book.entries), default=0)
            sources = {one.draft.source for one in book.entries}
            drafts = books.drafts(db.hgetall(at.drafts))
            late = [of for of, one in drafts.items() if one.log_seq < last or one.source in sources]
            return tuple(sorted(one.version for one in old)), books.forget(db, at, old, late)

        return self._server.change(at.revision, work)

    def _names(self, project: str) -> Names:
        return Names.of(self._namespace, project)


def _published(book: Book, draft: Draft) -> Version | None:
    """The version that the draft's source became, if it did."""
    return next((one for one in book.versions if one.draft.source == draft.source), None)


def _bytes(keys: Iterable[str]) -> list[bytes]:
    return [key.encode() for key in keys]
