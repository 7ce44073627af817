"""Predictions in one SQLite file, in WAL mode: readers never wait for a writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from gates.errors import StoreError
from pipelines.stores import sqlite_tables as tables
from pipelines.stores.store import (
    PARAMS,
    Draft,
    Prediction,
    Rows,
    Version,
    check_complete,
    check_keep,
    check_order,
    chosen,
    repeated,
    unpublished,
)  # fmt: skip
from pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

_DELETE = tuple(f"DELETE FROM {table} WHERE id = ?" for table in ("predictions", "shards", "versions"))  # noqa: S608
_BUSY_SECONDS = 30
_KEYS_AT_ONCE = 500
_ROWS_AT_ONCE = 50_000


class Params(BaseModel):
    model_config = PARAMS
    path: str = Field(min_length=1)  # of the file; a relative one starts at the directory of Metaflow's local datastore


def open_store(params: Params, home: Path) -> SqliteStore:
    """The store in the file that `params` names; it need not be there yet."""
    return SqliteStore(home / params.path)


class SqliteStore:
    """A file that any SQLite client reads: `SELECT score FROM current_predictions WHERE project = ? AND key = ?`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        with self._open(writing=True) as db:
            if tables.published(db, draft):
                return
            db.execute(tables.INSERT_DRAFT, {**draft.as_plain(), "identity": draft.identity})
            (number,) = db.execute("SELECT id FROM versions WHERE identity = ?", (draft.identity,)).fetchone()
            if db.execute("SELECT 1 FROM shards WHERE id = ? AND shard = ?", (number, shard)).fetchone():
                return
            try:
                for batch in rows:
                    ordered = batch.sort_by("key")
                    keys, scores = (ordered.column(name).to_pylist() for name in ("key", "score"))
                    db.executemany("INSERT INTO predictions VALUES (?, ?, ?)", zip(repeat(number), keys, scores))
            except sqlite3.IntegrityError as err:
                raise repeated(draft, where=str(self._path)) from err
            db.execute("INSERT INTO shards VALUES (?, ?, ?)", (number, shard, tally.to_json()))

    def staged(self, draft: Draft) -> Mapping[int, Tally]:
        if not self._path.exists():
            return {}
        with self._open() as db:
            return tables.staged(db, draft)

    def commit(self, draft: Draft) -> Version:
        with self._open(writing=True) as db:
            if known := tables.published(db, draft):
                return known
            staged = tables.staged(db, draft)
            check_complete(draft, staged, where=str(self._path))
            last, before = db.execute(
                "SELECT max(version), max(log_seq) FROM versions WHERE project = ? AND version IS NOT NULL",
                (draft.project,),
            ).fetchone()
            check_order(draft, before, where=str(self._path))
            db.execute(
                "UPDATE versions SET version = ?, tally = ?, log_seq = ?, log_sha256 = ?, time = ? WHERE identity = ?",
                (
                    (last or 0) + 1, Tally.total(staged.values()).to_json(), draft.log_seq, draft.log_sha256,
                    draft.time.isoformat(), draft.identity,
                ),
            )  # fmt: skip
            db.execute(
                "INSERT INTO current SELECT project, id FROM versions WHERE identity = ?"
                " ON CONFLICT (project) DO UPDATE SET id = excluded.id",
                (draft.identity,),
            )
            return tables.version(db.execute(f"{tables.VERSION} WHERE v.identity = ?", (draft.identity,)).fetchone())

    def discard(self, project: str, source: str) -> int:
        return len(self._delete("v.project = ? AND v.source = ? AND v.version IS NULL", (project, source)))

    def drafts(self, project: str) -> list[Draft]:
        if not self._path.exists():
            return []
        with self._open() as db:
            found = db.execute(f"{tables.VERSION} WHERE v.project = ? AND v.version IS NULL ORDER BY v.id", (project,))
            return [Draft.of_plain(dict(row)) for row in found]

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        with self._open() as db:
            of = self._of(db, project, version)
            if of is None:
                return None
            row = db.execute("SELECT score FROM predictions WHERE id = ? AND key = ?", (of["id"], key)).fetchone()
            return None if row is None else Prediction(key=key, score=row["score"], version=tables.version(of))

    def read(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> Rows:
        batches = self._read(project, keys, version)
        return Rows(version=next(batches), batches=batches)

    def _read(self, project: str, keys: Sequence[str] | None, version: int | None) -> Iterator[Any]:
        """The version, then its rows, all in one transaction."""
        import pyarrow as pa

        asked = "SELECT key, score FROM predictions WHERE id = ?"
        with self._open() as db:
            of = self._of(db, project, version)
            if of is None:
                raise StoreError(f"there is no version {version}", where=str(self._path))
            yield tables.version(of)
            wanted = [*dict.fromkeys(keys or ())]
            starts = range(0, len(wanted), _KEYS_AT_ONCE)
            parts = [[]] if keys is None else [wanted[at : at + _KEYS_AT_ONCE] for at in starts]
            for part in parts:
                among = f" AND key IN ({', '.join('?' * len(part))})" if keys is not None else ""
                found = db.execute(asked + among, (of["id"], *part))
                while some := found.fetchmany(_ROWS_AT_ONCE):
                    held, scores = zip(*some, strict=True)
                    yield pa.record_batch({"key": pa.array(held, pa.string()), "score": pa.array(scores, pa.float64())})

    def versions(self, project: str) -> list[Version]:
        if not self._path.exists():
            return []
        with self._open() as db:
            return tables.versions(db, project)

    def rollback(self, project: str, *, to: int | None) -> Version:
        with self._open(writing=True, existing=True) as db:
            target = chosen(tables.versions(db, project), to, where=str(self._path))
            tables.make_current(db, project, target.version)
            return replace(target, current=True)

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        if not models or not self._path.exists():
            return ()
        with self._open(writing=True, existing=True) as db:
            held = tables.versions(db, project)
            gone = sorted(one.version for one in held if one.draft.model_sha256 in models and not one.withdrawn)
            marks = [(project, number) for number in gone]
            db.executemany("UPDATE versions SET withdrawn = 1 WHERE project = ? AND version = ?", marks)
            if any(one.current and one.version in gone for one in held):
                left = [one.version for one in held if not one.withdrawn and one.version not in gone]
                tables.make_current(db, project, left[0] if left else None)
            return tuple(gone)

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        check_keep(keep, where=str(self._path))
        if not self._path.exists():
            return ()
        old = (
            "v.project = :project AND c.id IS NULL AND v.version IS NOT NULL AND v.version NOT IN"
            " (SELECT version FROM versions WHERE project = :project AND version IS NOT NULL"
            "  ORDER BY version DESC LIMIT :keep)"
        )
        late = (
            "v.project = :project AND v.version IS NULL AND (v.log_seq < (SELECT max(log_seq) FROM versions"
            " WHERE project = :project AND version IS NOT NULL) OR v.source IN"
            " (SELECT source FROM versions WHERE project = :project AND version IS NOT NULL))"
        )
        self._delete(late, {"project": project})
        return tuple(sorted(self._delete(old, {"project": project, "keep": keep})))

    def _delete(self, which: str, values: Sequence[str] | Mapping[str, str | int]) -> list[int]:
        """Delete the versions and drafts of a condition; their numbers, 0 for a draft."""
        if not self._path.exists():
            return []
        with self._open(writing=True, existing=True) as db:
            found = db.execute(f"{tables.VERSION} WHERE {which}", values).fetchall()
            for row in found:
                for statement in _DELETE:
                    db.execute(statement, (row["id"],))
            return [row["version"] or 0 for row in found]

    def _of(self, db: sqlite3.Connection, project: str, version: int | None) -> sqlite3.Row | None:
        """The row of `version`, None where there is none; of the current version where none is named."""
        row = tables.one(db, project, version)
        if row is None and version is None:
            withdrawn = any(one.withdrawn for one in tables.versions(db, project))
            raise unpublished(where=str(self._path), withdrawn=withdrawn)
        return row

    @contextmanager
    def _open(self, *, writing: bool = False, existing: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, rolled back where anything is raised; sqlite3's errors in one line."""
        if (existing or not writing) and not self._path.exists():
            raise unpublished(where=str(self._path))
        try:
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as db:
                db.row_factory = sqlite3.Row
                if writing:
                    _in_wal(db)
                    db.executescript(f"BEGIN IMMEDIATE;{tables.SCHEMA}")
                else:
                    db.execute("BEGIN")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except (sqlite3.Error, OverflowError, UnicodeError) as err:  # the last two: a number or a text it cannot hold
            raise StoreError(f"the prediction store cannot be used: {err}", where=str(self._path)) from err


def _in_wal(db: sqlite3.Connection) -> None:
    """Let the file be in WAL mode. SQLite does not wait for other connections here, whatever its timeout says."""
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
