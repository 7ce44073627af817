"""The tables of the SQLite store, and what is asked of them more than once."""

from __future__ import annotations

import sqlite3

from pipelines.stores.store import Draft, Version
from pipelines.stores.tally import Tally

SCHEMA = """
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
VERSION = f"""
SELECT v.id, v.version, v.withdrawn, v.tally, c.id IS NOT NULL AS current, {_DRAFT}
FROM versions v LEFT JOIN current c ON c.id = v.id
"""  # noqa: S608 - the names are those above
"""Every version and draft, with what `version` takes; a condition follows."""

_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_VALUES = ", ".join(f":{name}" for name in _COLUMNS)
INSERT_DRAFT = f"INSERT OR IGNORE INTO versions (identity, {_NAMES}) VALUES (:identity, {_VALUES})"  # noqa: S608
"""A draft, from `Draft.as_plain` and its identity, where it is not there yet."""


def one(db: sqlite3.Connection, project: str, version: int | None) -> sqlite3.Row | None:
    which = "c.id IS NOT NULL" if version is None else "v.version = ?"
    found: sqlite3.Row | None = db.execute(
        f"{VERSION} WHERE v.project = ? AND {which}", (project,) if version is None else (project, version)
    ).fetchone()
    return found


def make_current(db: sqlite3.Connection, project: str, version: int | None) -> None:
    db.execute("DELETE FROM current WHERE project = ?", (project,))
    chosen = "SELECT project, id FROM versions WHERE project = ? AND version = ?"
    db.execute(f"INSERT INTO current {chosen}", (project, version))


def staged(db: sqlite3.Connection, draft: Draft) -> dict[int, Tally]:
    asked = "SELECT shard, s.tally FROM shards s JOIN versions USING (id) WHERE identity = ?"
    return {shard: Tally.from_json(text) for shard, text in db.execute(asked, (draft.identity,))}


def published(db: sqlite3.Connection, draft: Draft) -> Version | None:
    """The version that the draft's source became, if it did."""
    which = "WHERE v.project = ? AND v.source = ? AND v.version IS NOT NULL"
    row = db.execute(f"{VERSION} {which}", (draft.project, draft.source)).fetchone()
    return None if row is None else version(row)


def versions(db: sqlite3.Connection, project: str) -> list[Version]:
    which = "WHERE v.project = ? AND v.version IS NOT NULL ORDER BY v.version DESC"
    return [version(row) for row in db.execute(f"{VERSION} {which}", (project,))]


def version(row: sqlite3.Row) -> Version:
    return Version(
        version=row["version"], current=bool(row["current"]), withdrawn=bool(row["withdrawn"]),
        tally=Tally.from_json(row["tally"]), draft=Draft.of_plain(dict(row)),
    )  # fmt: skip
