"""Predictions in one SQLite file, in WAL mode: readers never wait for a writer."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from gates.errors import StoreError
from pipelines.stores.store import Batch, Prediction, Version, check_order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    version INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    rows INTEGER NOT NULL,
    "window" TEXT NOT NULL,
    champion_run TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    log_seq INTEGER NOT NULL,
    log_sha256 TEXT NOT NULL,
    source TEXT NOT NULL,
    time TEXT NOT NULL,
    UNIQUE (project, source)
);
CREATE TABLE IF NOT EXISTS predictions (
    version INTEGER NOT NULL REFERENCES versions (version),
    key TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (version, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS current (
    project TEXT PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES versions (version)
);
CREATE VIEW IF NOT EXISTS current_predictions AS
    SELECT v.project, p.key, p.score, p.version, v.model_sha256, v.champion_run, v."window", v.time
    FROM current c JOIN versions v USING (version) JOIN predictions p USING (version);
"""

_VERSION = """
SELECT v.version, v.project, v.rows, v."window", v.champion_run, v.model_sha256, v.log_seq, v.log_sha256,
       v.source, v.time, c.version IS NOT NULL AS current
FROM versions v LEFT JOIN current c ON c.project = v.project AND c.version = v.version
"""
_BUSY_SECONDS = 30


class SqliteStore:
    """A file that any SQLite client reads: `SELECT score FROM current_predictions WHERE project = ? AND key = ?`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, batch: Batch) -> Version:
        with self._open(writing=True) as db:
            known = db.execute(
                f"{_VERSION} WHERE v.project = ? AND v.source = ?", (batch.project, batch.source)
            ).fetchone()
            if known is None:
                (last,) = db.execute("SELECT max(log_seq) FROM versions WHERE project = ?", (batch.project,)).fetchone()
                check_order(batch, last, where=str(self._path))
                version = db.execute(
                    'INSERT INTO versions (project, rows, "window", champion_run, model_sha256, log_seq, log_sha256,'
                    " source, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        batch.project, batch.scores.size, batch.window, batch.champion_run, batch.model_sha256,
                        batch.log_seq, batch.log_sha256, batch.source, batch.time.isoformat(),
                    ),
                ).lastrowid  # fmt: skip
                rows = ((version, key, score) for key, score in zip(batch.keys, batch.scores.tolist(), strict=True))
                db.executemany("INSERT INTO predictions VALUES (?, ?, ?)", rows)
                db.execute(
                    "INSERT INTO current VALUES (?, ?) ON CONFLICT (project) DO UPDATE SET version = excluded.version",
                    (batch.project, version),
                )
                known = db.execute(f"{_VERSION} WHERE v.version = ?", (version,)).fetchone()
            return _version(known)

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        with self._open() as db:
            row = db.execute(
                'SELECT p.key, p.score, v.version, v."window", v.champion_run, v.model_sha256, v.time'
                " FROM predictions p JOIN versions v USING (version)"
                " WHERE v.project = ? AND p.key = ?"
                " AND v.version = coalesce(?, (SELECT version FROM current WHERE project = v.project))",
                (project, key, version),
            ).fetchone()
        if row is None:
            return None
        return Prediction(**{**dict(row), "time": datetime.fromisoformat(row["time"])})

    def versions(self, project: str) -> list[Version]:
        if not self._path.exists():
            return []
        with self._open() as db:
            rows = db.execute(f"{_VERSION} WHERE v.project = ? ORDER BY v.version DESC", (project,)).fetchall()
        return [_version(row) for row in rows]

    def rollback(self, project: str, *, to: int | None) -> Version:
        with self._open(writing=True) as db:
            target = db.execute(
                "SELECT version FROM versions WHERE project = :project AND version = coalesce(:to, (SELECT max(version)"
                " FROM versions WHERE project = :project AND version <"
                " (SELECT version FROM current WHERE project = :project)))",
                {"project": project, "to": to},
            ).fetchone()
            if target is None:
                known = db.execute("SELECT version FROM versions WHERE project = ? ORDER BY 1", (project,)).fetchall()
                raise StoreError(
                    "no such version" if to is not None else "there is no earlier version to go back to",
                    expected=f"one of {', '.join(str(row[0]) for row in known) or 'none'}",
                    where=str(self._path),
                )
            db.execute("UPDATE current SET version = ? WHERE project = ?", (target["version"], project))
            return _version(db.execute(f"{_VERSION} WHERE v.version = ?", (target["version"],)).fetchone())

    @contextmanager
    def _open(self, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, rolled back where anything is raised; sqlite3's errors in one line."""
        if not writing and not self._path.exists():
            raise StoreError("nothing has been published yet", where=str(self._path), hint="run `lockgate predict`")
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


def _version(row: sqlite3.Row) -> Version:
    held = dict(row)
    return Version(**{**held, "current": bool(held["current"]), "time": datetime.fromisoformat(held["time"])})
