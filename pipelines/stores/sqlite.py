"""Predictions in one SQLite file, in WAL mode: readers never wait for a writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.books import SCHEMA, VIEW, Books, version_of
from lockgate.pipelines.stores.store import (
    PARAMS_CONFIG,
    Draft,
    Prediction,
    PublishedVersion,
    VersionRows,
    check_keep,
    missing_version_error,
    no_current_version_error,
    repeated_key_error,
    split_keys,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.stores.tally import Tally

_SCHEMA = f"""
{SCHEMA.format(id="INTEGER PRIMARY KEY AUTOINCREMENT")}
CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER NOT NULL REFERENCES versions (id),
    key TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (id, key)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS current_predictions AS {VIEW};
"""
_BUSY_SECONDS = 30
_KEYS_AT_ONCE = 500
_ROWS_AT_ONCE = 50_000


class Params(BaseModel):
    model_config = PARAMS_CONFIG
    path: str = Field(min_length=1)  # of the file; a relative one starts at the directory of Metaflow's local datastore


def open_store(params: Params, home: Path) -> SqliteStore:
    """The store in the file that `params` names; the file need not exist yet."""
    return SqliteStore(home / params.path)


class SqliteStore:
    """A file that any SQLite client reads: `SELECT score FROM current_predictions WHERE project = ? AND key = ?`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        with self._open(writing=True) as db:
            books = self._books(db)
            if books.find_published(draft) or not books.receive(version_id := books.begin(draft), shard, tally):
                return
            try:
                for batch in rows:
                    ordered = batch.sort_by("key")
                    keys, scores = (ordered.column(name).to_pylist() for name in ("key", "score"))
                    db.executemany("INSERT INTO predictions VALUES (?, ?, ?)", zip(repeat(version_id), keys, scores))
            except sqlite3.IntegrityError as err:
                raise repeated_key_error(draft, where=str(self._path)) from err

    def staged_shards(self, draft: Draft) -> Mapping[int, Tally]:
        if not self._path.exists():
            return {}
        with self._open() as db:
            return self._books(db).staged_shards(draft)

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> PublishedVersion:
        with self._open(writing=True) as db:
            return self._books(db).commit(draft, revoked)

    def discard(self, project: str, source: str) -> int:
        if not self._path.exists():
            return 0
        with self._open(writing=True) as db:
            return self._books(db).discard(project, source)

    def drafts(self, project: str) -> list[Draft]:
        if not self._path.exists():
            return []
        with self._open() as db:
            return self._books(db).drafts(project)

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        with self._open() as db:
            version_row = self._books(db).version(project, version)
            if version_row is None:
                return None
            row = db.execute(
                "SELECT score FROM predictions WHERE id = ? AND key = ?", (version_row["id"], key)
            ).fetchone()
            return None if row is None else Prediction(key=key, score=row["score"], version=version_of(version_row))

    def read_rows(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> VersionRows:
        batches = self._read_snapshot(project, keys, version)
        return VersionRows(version=next(batches), batches=batches)

    def _read_snapshot(self, project: str, keys: Sequence[str] | None, version: int | None) -> Iterator[Any]:
        """The version, then its rows as record batches, all in one transaction."""
        import pyarrow as pa

        statement = "SELECT key, score FROM predictions WHERE id = ?"
        with self._open() as db:
            version_row = self._books(db).version(project, version)
            if version_row is None:
                raise missing_version_error(version, where=str(self._path))
            yield version_of(version_row)
            for part in [[]] if keys is None else split_keys(keys, _KEYS_AT_ONCE):
                among = f" AND key IN ({', '.join('?' * len(part))})" if keys is not None else ""
                cursor = db.execute(statement + among, (version_row["id"], *part))
                while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                    row_keys, scores = zip(*rows, strict=True)
                    yield pa.record_batch(
                        {"key": pa.array(row_keys, pa.string()), "score": pa.array(scores, pa.float64())}
                    )

    def versions(self, project: str) -> list[PublishedVersion]:
        if not self._path.exists():
            return []
        with self._open() as db:
            return self._books(db).versions(project)

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> PublishedVersion:
        with self._open(writing=True, existing=True) as db:
            return self._books(db).rollback(project, to, revoked)

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        if not models or not self._path.exists():
            return ()
        with self._open(writing=True) as db:
            return self._books(db).withdraw(project, models)

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        check_keep(keep, where=str(self._path))
        if not self._path.exists():
            return ()
        with self._open(writing=True) as db:
            return self._books(db).prune(project, keep)

    def _books(self, db: sqlite3.Connection) -> Books:
        return Books(
            ask=lambda statement, values: db.execute(statement, values).fetchall(),
            where=str(self._path),
            forget=lambda version_id: db.execute("DELETE FROM predictions WHERE id = ?", (version_id,)),
        )

    @contextmanager
    def _open(self, *, writing: bool = False, existing: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, rolled back on any exception. Errors of sqlite3 become a StoreError."""
        if (existing or not writing) and not self._path.exists():
            raise no_current_version_error(where=str(self._path))
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                if writing:
                    _in_wal(db)
                    db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}")
                else:
                    db.execute("BEGIN")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except (sqlite3.Error, OverflowError, UnicodeError) as err:  # the last two: values that it cannot store
            code = getattr(err, "sqlite_errorcode", 0) & 0xFF  # without the bits that say more precisely why
            unwritable = code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            raise StoreError(
                f"the prediction store cannot be used: {err}",
                where=str(self._path),
                hint="make the file and its folder writable, or change store.path" if unwritable else "",
            ) from err


def _in_wal(db: sqlite3.Connection) -> None:
    """Put the file into WAL mode. Here SQLite ignores its timeout and does not wait for other connections."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as err:
            if err.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
