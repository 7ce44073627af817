"""Predictions in Redis: the current version is one hash, which a publication or a rollback renames into place."""

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
from lockgate.pipelines.stores.redis_books import Book, KeyNames, RedisEntry
from lockgate.pipelines.stores.redis_server import MAX_ATTEMPTS, Command, Server, check_address
from lockgate.pipelines.stores.store import PARAMS_CONFIG, Draft, Prediction, PublishedVersion, VersionRows
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 3_000  # a script takes fewer than 8,000 words


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    url: Annotated[str, AfterValidator(check_address)]  # redis://user@host:6379/0; rediss: with TLS; unix: a socket
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
        names, identity = self._names(draft.project), draft.identity
        attempt, pieces = f"{shard}:{secrets.token_hex(8)}", 0
        if not self._begin(names, draft):
            return
        for batch in rows:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                pairs, keys = books.pack_rows(batch.slice(start, _ROWS_AT_ONCE))
                piece: list[Command] = [
                    ("SADD", names.attempts(identity), attempt),
                    ("HSET", names.keys(identity, attempt), pieces, keys),
                    ("HSET", names.rows(identity), *pairs),
                ]
                if not self._write(names, draft, shard, piece, quiet=True):
                    return
                pieces += 1
        receipt = json.dumps({"tally": tally.to_json(), "attempt": attempt, "pieces": pieces})
        self._write(names, draft, shard, [("HSET", names.receipts(identity), shard, receipt)], quiet=False)

    def _begin(self, names: KeyNames, draft: Draft) -> bool:
        """Record a draft; whether it still has to be staged."""

        def work(db: Any) -> tuple[bool, list[Command]]:
            if _find_published(Book.load(db, names), draft):
                return False, []
            if db.hexists(names.drafts, draft.identity):
                return True, []
            begun = {"begun": db.incr(names.draft_count), **draft.as_plain()}
            return True, [("HSET", names.drafts, draft.identity, json.dumps(begun))]

        return self._server.change(names.revision, work, fills=True)

    def _write(self, names: KeyNames, draft: Draft, shard: int, commands: list[Command], *, quiet: bool) -> bool:
        """Write part of a shard; False if another process has staged it or published the draft in the meantime."""
        identity = draft.identity

        def work(db: Any) -> tuple[bool, list[Command]]:
            if not db.hexists(names.drafts, identity):
                if _find_published(Book.load(db, names), draft):
                    return False, []
                raise StoreError(f"{draft.source} was discarded while it was staged", where=self._where)
            return (False, []) if db.hexists(names.receipts(identity), shard) else (True, commands)

        return self._server.change(names.revision, work, quiet=quiet)

    def staged_shards(self, draft: Draft) -> Mapping[int, Tally]:
        with self._server.errors():
            receipts = books.parse_receipts(
                self._server.client.hgetall(self._names(draft.project).receipts(draft.identity))
            )
            return {shard: Tally.from_json(receipt["tally"]) for shard, receipt in receipts.items()}

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> PublishedVersion:
        names, identity = self._names(draft.project), draft.identity

        def work(db: Any) -> tuple[PublishedVersion, list[Command]]:
            book = Book.load(db, names)
            if already_published := _find_published(book, draft):
                return already_published, []
            receipts = books.parse_receipts(db.hgetall(names.receipts(identity)))
            staged = {shard: Tally.from_json(receipt["tally"]) for shard, receipt in receipts.items()}
            rules.check_complete(draft, staged, where=self._where)
            last = max((entry_.draft.log_seq for entry_ in book.entries), default=None)
            rules.check_order(draft, last, where=self._where)
            tally = Tally.total(staged.values())
            books.check_rows(draft, tally.rows, db.hlen(names.rows(identity)), where=self._where)
            entry = RedisEntry(
                version=max((earlier.version for earlier in book.entries), default=0) + 1,
                withdrawn=False,
                tally=tally,
                draft=draft,
                attempts={receipt["attempt"]: receipt["pieces"] for receipt in receipts.values()},
            )
            lost = {attempt.decode() for attempt in db.smembers(names.attempts(identity))} - set(entry.attempts)
            return entry.as_version(entry.version), [
                *book.withdrawing(names, rules.find_model_versions(book.entries, revoked)),
                ("HSET", names.versions, entry.version, entry.to_json()),
                *book.point(db, names, entry, where=self._where),
                ("HDEL", names.drafts, identity),
                (
                    "UNLINK",
                    names.receipts(identity),
                    names.attempts(identity),
                    *(names.keys(identity, attempt) for attempt in lost),
                ),
            ]

        return self._server.change(names.revision, work, fills=True)

    def discard(self, project: str, source: str) -> int:
        names = self._names(project)

        def work(db: Any) -> tuple[int, list[Command]]:
            identities = [
                identity
                for identity, draft in books.parse_drafts(db.hgetall(names.drafts)).items()
                if draft.source == source
            ]
            return len(identities), books.forget(db, names, [], identities)

        return self._server.change(names.revision, work)

    def drafts(self, project: str) -> list[Draft]:
        with self._server.errors():
            return list(books.parse_drafts(self._server.client.hgetall(self._names(project).drafts)).values())

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        names = self._names(project)
        with self._server.errors():
            fields = _bytes([key])
            if version is None:
                description, scores = self._server.at_once(
                    names.about, ("GET", names.about), ("HMGET", names.current, *fields)
                )
                entry = self._current(names, description)
                number = entry.version
            else:
                old, number = self._entry(names, version)
                if old is None or (old_scores := self._scores(names, old, fields)) is None:
                    return None
                entry, scores = old, old_scores
            if scores[0] is None:
                return None
            return Prediction(key=key, score=float(scores[0]), version=entry.as_version(number))

    def read_rows(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> VersionRows:
        batches = self._read_snapshot(self._names(project), keys, version)
        return VersionRows(version=next(batches), batches=batches)

    def _read_snapshot(self, names: KeyNames, keys: Sequence[str] | None, version: int | None) -> Iterator[Any]:
        """The version, then its rows as record batches; StoreError if the version is deleted in between."""
        with self._server.errors():
            entry, number = self._entry(names, version)
            if entry is None:
                raise rules.missing_version_error(version, where=self._where)
            yield entry.as_version(number)
            portions = (_bytes(part) for part in rules.split_keys(keys or (), _ROWS_AT_ONCE))
            for part in self._keys(names, entry) if keys is None else portions:
                scores = self._scores(names, entry, part)
                if scores is None or (keys is None and None in scores):
                    raise books.deleted_error(entry, where=self._where)
                yield books.unpack_rows(part, scores)

    def _keys(self, names: KeyNames, entry: RedisEntry) -> Iterator[list[bytes]]:
        for attempt, pieces in entry.attempts.items():
            for piece in range(pieces):
                packed_keys = self._server.client.hget(names.keys(entry.draft.identity, attempt), piece)
                if packed_keys is None:
                    raise books.deleted_error(entry, where=self._where)
                yield books.keys_of(packed_keys)

    def _scores(self, names: KeyNames, entry: RedisEntry, keys: list[bytes]) -> list[bytes | None] | None:
        """The scores of these keys at one moment; None if the version was deleted.

        The rows of a version are under one key while it is current and under another while it is not, and it may change
        sides between two looks: so the answer counts only if it was taken on the right side.
        """
        current = True
        for _ in range(MAX_ATTEMPTS):
            name = names.current if current else names.rows(entry.draft.identity)
            number, exists, scores = self._server.at_once(
                names.number, ("GET", names.number), ("HEXISTS", names.versions, entry.version), ("HMGET", name, *keys)
            )
            if not exists:
                return None
            if (int(number or 0) == entry.version) == current:
                answer: list[bytes | None] = scores
                return answer
            current = not current
        raise StoreError("the current version keeps changing", where=self._where)

    def _entry(self, names: KeyNames, version: int | None) -> tuple[RedisEntry | None, int]:
        """The entry of a version, or of the current one, which must exist; and the number of the current version."""
        description, number, text = self._server.at_once(
            names.number, ("GET", names.about), ("GET", names.number), ("HGET", names.versions, version or 0)
        )
        if version is None:
            return self._current(names, description), int(number)
        return (RedisEntry.of_json(text) if text else None), int(number or 0)

    def _current(self, names: KeyNames, description: bytes | None) -> RedisEntry:
        if description is None:
            withdrawn = any(entry.withdrawn for entry in Book.load(self._server.client, names).entries)
            raise rules.no_current_version_error(where=self._where, withdrawn=withdrawn)
        return RedisEntry.of_json(description)

    def versions(self, project: str) -> list[PublishedVersion]:
        names = self._names(project)
        with self._server.errors():
            flat, number = self._server.at_once(names.number, ("HGETALL", names.versions), ("GET", names.number))
            return Book(entries=books.parse_entries(books.parse_hash(flat)), number=int(number or 0)).versions

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> PublishedVersion:
        names = self._names(project)

        def work(db: Any) -> tuple[PublishedVersion, list[Command]]:
            book = Book.load(db, names)
            if not book.entries:
                raise rules.no_current_version_error(where=self._where)
            target = rules.choose_rollback(book.versions, to, revoked=revoked, where=self._where)
            return replace(target, current=True), book.point(db, names, book.entry(target.version), where=self._where)

        return self._server.change(names.revision, work)

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        names = self._names(project)

        def work(db: Any) -> tuple[tuple[int, ...], list[Command]]:
            book = Book.load(db, names)
            gone = rules.find_model_versions(book.entries, models)
            successor = next(
                (entry for entry in book.entries if not entry.withdrawn and entry.version not in gone), None
            )
            commands = book.point(db, names, successor, where=self._where) if book.number in gone else []
            return gone, [*commands, *book.withdrawing(names, gone)]

        return self._server.change(names.revision, work)

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        rules.check_keep(keep, where=self._where)
        names = self._names(project)

        def work(db: Any) -> tuple[tuple[int, ...], list[Command]]:
            book = Book.load(db, names)
            old = [entry for entry in book.entries[keep:] if entry.version != book.number]
            last = max((entry.draft.log_seq for entry in book.entries), default=0)
            sources = {entry.draft.source for entry in book.entries}
            drafts = books.parse_drafts(db.hgetall(names.drafts))
            late = [identity for identity, draft in drafts.items() if draft.log_seq < last or draft.source in sources]
            return tuple(sorted(entry.version for entry in old)), books.forget(db, names, old, late)

        return self._server.change(names.revision, work)

    def _names(self, project: str) -> KeyNames:
        return KeyNames.of(self._namespace, project)


def _find_published(book: Book, draft: Draft) -> PublishedVersion | None:
    """The version that the draft's source became; None if it was not published."""
    return next((version for version in book.versions if version.draft.source == draft.source), None)


def _bytes(keys: Iterable[str]) -> list[bytes]:
    return [key.encode() for key in keys]
