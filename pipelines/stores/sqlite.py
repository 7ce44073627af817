"""Predictions in one SQLite file, in WAL mode: readers never wait for a writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from gates.errors import StoreError
from pipelines.stores.store import (
    PARAMS, Draft, Prediction, Rows, Version, check_complete, check_keep, check_order, chosen, unpublished,
)  # fmt: skip
from pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    version INTEGER,                            -- NULL while it is a draft
    withdrawn INTEGER NOT NULL DEFAULT 0,
    tally TEXT,
    identity TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    "window" TEXT NOT NULL,
    champion_run TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    log_seq INTEGER NOT NULL,
    log_sha256 TEXT NOT NULL,
    time TEXT NOT NULL,
    shards INTEGER NOT NULL,
    UNIQUE (project, version)
);
CREATE UNIQUE INDEX IF NOT EXISTS published_once ON versions (project, source) WHERE version IS NOT NULL;
CREATE TABLE IF NOT EXISTS shards (
    id INTEGER NOT NULL REFERENCES versions (id),
    shard INTEGER NOT NULL,
    tally TEXT NOT NULL,
    PRIMARY KEY (id, shard)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER NOT NULL REFERENCES versions (id),
    key TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (id, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS current (
    project TEXT PRIMARY KEY,
    id INTEGER NOT NULL REFERENCES versions (id)
);
CREATE VIEW IF NOT EXISTS current_predictions AS
    SELECT v.project, p.key, p.score, v.version, v.model_sha256, v.champion_run, v."window", v.time
    FROM current c JOIN versions v USING (id) JOIN predictions p USING (id);
"""

_COLUMNS = ("source", "project", "window", "champion_run", "model_sha256", "log_seq", "log_sha256", "time", "shards")
_DRAFT = ", ".join(f'v."{name}"' for name in _COLUMNS)
_VERSION = f"""
SELECT v.id, v.version, v.withdrawn, v.tally, c.id IS NOT NULL AS current, {_DRAFT}
FROM versions v LEFT JOIN current c ON c.id = v.id
"""
_DELETE = ("DELETE FROM predictions WHERE id = ?", "DELETE FROM shards WHERE id = ?", "DELETE FROM versions WHERE id = ?")
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
            if _published(db, draft):
                return
            held = draft.as_plain()
            names = ", ".join(f'"{name}"' for name in _COLUMNS)
            db.execute(
                f"INSERT OR IGNORE INTO versions (identity, {names}) VALUES (?{', ?' * len(_COLUMNS)})",
                (draft.identity, *(held[name] for name in _COLUMNS)),
            )
            (number,) = db.execute("SELECT id FROM versions WHERE identity = ?", (draft.identity,)).fetchone()
            if db.execute("SELECT 1 FROM shards WHERE id = ? AND shard = ?", (number, shard)).fetchone():
                return
            for batch in rows:
                ordered = batch.sort_by("key")
                keys, scores = (ordered.column(name).to_pylist() for name in ("key", "score"))
                pairs = zip(keys, scores, strict=True)
                db.executemany(f"INSERT INTO predictions VALUES ({number}, ?, ?)", pairs)
            db.execute("INSERT INTO shards VALUES (?, ?, ?)", (number, shard, tally.to_json()))

    def staged(self, draft: Draft) -> Mapping[int, Tally]:
        if not self._path.exists():
            return {}
        with self._open() as db:
            return _staged(db, draft)

    def commit(self, draft: Draft) -> Version:
        with self._open(writing=True) as db:
            if known := _published(db, draft):
                return known
            staged = _staged(db, draft)
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
            return _version(db.execute(f"{_VERSION} WHERE v.identity = ?", (draft.identity,)).fetchone())

    def discard(self, project: str, source: str) -> int:
        return len(self._delete("v.project = ? AND v.source = ? AND v.version IS NULL", (project, source)))

    def drafts(self, project: str) -> list[Draft]:
        if not self._path.exists():
            return []
        with self._open() as db:
            found = db.execute(f"{_VERSION} WHERE v.project = ? AND v.version IS NULL ORDER BY v.id", (project,))
            return [Draft.of_plain(dict(row)) for row in found]

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        with self._open() as db:
            of = self._of(db, project, version)
            if of is None:
                return None
            row = db.execute("SELECT score FROM predictions WHERE id = ? AND key = ?", (of["id"], key)).fetchone()
            return None if row is None else Prediction(key=key, score=row["score"], version=_version(of))

    def read(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> Rows:
        batches = self._read(project, keys, version)
        return Rows(version=next(batches), batches=batches)

    def _read(self, project: str, keys: Sequence[str] | None, version: int | None) -> Iterator[Version | pa.RecordBatch]:
        """The version, then its rows, all in one transaction."""
        import pyarrow as pa

        asked = "SELECT key, score FROM predictions WHERE id = ?"
        with self._open() as db:
            of = self._of(db, project, version)
            if of is None:
                raise StoreError(f"there is no version {version}", where=str(self._path))
            yield _version(of)
            parts = [()] if keys is None else [keys[at : at + _KEYS_AT_ONCE] for at in range(0, len(keys), _KEYS_AT_ONCE)]
            for part in parts:
                among = f" AND key IN ({', '.join('?' * len(part))})" if keys is not None else ""
                found = db.execute(asked + among, (of["id"], *part))
                while some := found.fetchmany(_ROWS_AT_ONCE):
                    held, scores = zip(*some, strict=True)
                    yield pa.record_batch(
                        {"key": pa.array(held, pa.string()), "score": pa.array(scores, pa.float64())}
                    )

    def versions(self, project: str) -> list[Version]:
        if not self._path.exists():
            return []
        with self._open() as db:
            return _versions(db, project)

    def rollback(self, project: str, *, to: int | None) -> Version:
        with self._open(writing=True, existing=True) as db:
            target = chosen(_versions(db, project), to, where=str(self._path))
            _make_current(db, project, target.version)
            return _version(_one(db, project, target.version))

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        if not models or not self._path.exists():
            return ()
        with self._open(writing=True, existing=True) as db:
            held = _versions(db, project)
            gone = tuple(one.version for one in held if one.draft.model_sha256 in models and not one.withdrawn)
            marks = [(project, number) for number in gone]
            db.executemany("UPDATE versions SET withdrawn = 1 WHERE project = ? AND version = ?", marks)
            if any(one.current and one.version in gone for one in held):
                left = [one.version for one in held if not one.withdrawn and one.version not in gone]
                _make_current(db, project, left[0] if left else None)
            return gone

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
            found = db.execute(f"{_VERSION} WHERE {which}", values).fetchall()
            for row in found:
                for statement in _DELETE:
                    db.execute(statement, (row["id"],))
            return [row["version"] or 0 for row in found]

    def _of(self, db: sqlite3.Connection, project: str, version: int | None) -> sqlite3.Row | None:
        """The row of `version`, None where there is none; of the current version where none is named."""
        row = _one(db, project, version)
        if row is None and version is None:
            withdrawn = any(one.withdrawn for one in _versions(db, project))
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
                    db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}")
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


def _one(db: sqlite3.Connection, project: str, version: int | None) -> sqlite3.Row | None:
    which = "c.id IS NOT NULL" if version is None else "v.version = ?"
    found: sqlite3.Row | None = db.execute(
        f"{_VERSION} WHERE v.project = ? AND {which}", (project,) if version is None else (project, version)
    ).fetchone()
    return found


def _make_current(db: sqlite3.Connection, project: str, version: int | None) -> None:
    db.execute("DELETE FROM current WHERE project = ?", (project,))
    db.execute("INSERT INTO current SELECT project, id FROM versions WHERE project = ? AND version = ?", (project, version))


def _staged(db: sqlite3.Connection, draft: Draft) -> dict[int, Tally]:
    asked = "SELECT shard, s.tally FROM shards s JOIN versions USING (id) WHERE identity = ?"
    return {shard: Tally.from_json(text) for shard, text in db.execute(asked, (draft.identity,))}


def _published(db: sqlite3.Connection, draft: Draft) -> Version | None:
    """The version that the draft's source became, if it did."""
    which = "WHERE v.project = ? AND v.source = ? AND v.version IS NOT NULL"
    row = db.execute(f"{_VERSION} {which}", (draft.project, draft.source)).fetchone()
    return None if row is None else _version(row)


def _versions(db: sqlite3.Connection, project: str) -> list[Version]:
    which = "WHERE v.project = ? AND v.version IS NOT NULL ORDER BY v.version DESC"
    return [_version(row) for row in db.execute(f"{_VERSION} {which}", (project,))]


def _version(row: sqlite3.Row) -> Version:
    return Version(
        version=row["version"], current=bool(row["current"]), withdrawn=bool(row["withdrawn"]),
        tally=Tally.from_json(row["tally"]), draft=Draft.of_plain(dict(row)),
    )  # fmt: skip
