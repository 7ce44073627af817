"""The books of a store that speaks SQL: its versions, drafts and receipts. Rows are left to the store.

All statements work in SQLite and PostgreSQL, with named values such as `:project`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockgate.pipelines.stores.store import (
    Draft,
    PublishedVersion,
    check_complete,
    check_order,
    choose_rollback,
    find_model_versions,
    no_current_version_error,
)
from lockgate.pipelines.stores.tally import Tally

Row = Any
"""A row with its columns by name, `row["version"]`; `dict(row)` is a mapping of all."""

Ask = Callable[[str, Mapping[str, Any]], Sequence[Row]]
"""Runs a statement in the open transaction; returns its rows, if it has any."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    id {id},
    project TEXT NOT NULL,
    version BIGINT,                             -- NULL while it is a draft
    withdrawn SMALLINT NOT NULL DEFAULT 0,
    tally TEXT,
    identity TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    "window" TEXT NOT NULL,
    champion_run TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    log_seq BIGINT NOT NULL,
    log_sha256 TEXT NOT NULL,
    time TEXT NOT NULL,
    shards BIGINT NOT NULL,
    UNIQUE (project, version)
);
CREATE UNIQUE INDEX IF NOT EXISTS published_once ON versions (project, source) WHERE version IS NOT NULL;
CREATE TABLE IF NOT EXISTS shards (
    id BIGINT NOT NULL REFERENCES versions (id),
    shard BIGINT NOT NULL,
    tally TEXT NOT NULL,
    PRIMARY KEY (id, shard)
);
CREATE TABLE IF NOT EXISTS current (
    project TEXT PRIMARY KEY,
    id BIGINT NOT NULL REFERENCES versions (id)
);
"""
"""`{id}` is the type of a number that the database assigns. The store adds `predictions` (id, key, score)."""

VIEW = """
    SELECT v.project, p.key, p.score, v.version, v.model_sha256, v.champion_run, v."window", v.time
    FROM current c JOIN versions v USING (id) JOIN predictions p USING (id)
"""
"""The view `current_predictions`, for applications that read without lockgate."""

_COLUMNS = ("source", "project", "window", "champion_run", "model_sha256", "log_seq", "log_sha256", "time", "shards")
_NAMED = [f'"{column}"' for column in _COLUMNS]
_VERSIONS = (  # only column names from above go into these statements
    f"SELECT v.id, v.version, v.withdrawn, v.tally, c.id IS NOT NULL AS is_current, v.{', v.'.join(_NAMED)}"  # noqa: S608
    " FROM versions v LEFT JOIN current c ON c.id = v.id"
)
_BEGIN = (
    f"INSERT INTO versions (identity, {', '.join(_NAMED)}) VALUES (:identity, :{', :'.join(_COLUMNS)})"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
_COMMIT = (
    "UPDATE versions SET version = :version, tally = :tally, log_seq = :log_seq, log_sha256 = :log_sha256, time = :time"
    " WHERE identity = :identity"
)
_PUBLISHED = "FROM versions WHERE project = :project AND version IS NOT NULL"
_OLD = (
    "v.project = :project AND c.id IS NULL AND v.version IS NOT NULL"
    f" AND v.version NOT IN (SELECT version {_PUBLISHED} ORDER BY version DESC LIMIT :keep)"
)
_LATE = (
    "v.project = :project AND v.version IS NULL AND"
    f" (v.log_seq < (SELECT max(log_seq) {_PUBLISHED}) OR v.source IN (SELECT source {_PUBLISHED}))"
)
_OF_SOURCE = "v.project = :project AND v.source = :source AND v.version IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The books in one open transaction. While it writes, nobody else writes the books of the same project."""

    ask: Ask
    where: str
    forget: Callable[[int], Any]  # deletes the rows of an id
    locking: str = ""  # the clause that makes a SELECT lock the versions it returns, if the database needs one

    def begin(self, draft: Draft) -> int:
        """The id of a draft, which is recorded if it is new."""
        self.ask(_BEGIN, {**draft.as_plain(), "identity": draft.identity})
        (row,) = self.ask("SELECT id FROM versions WHERE identity = :identity", {"identity": draft.identity})
        return int(row["id"])

    def receive(self, version_id: int, shard: int, tally: Tally) -> bool:
        """Record the receipt of a shard; False if there was one."""
        receipt = {"id": version_id, "shard": shard, "tally": tally.to_json()}
        return bool(
            self.ask("INSERT INTO shards VALUES (:id, :shard, :tally) ON CONFLICT DO NOTHING RETURNING shard", receipt)
        )

    def staged_shards(self, draft: Draft) -> dict[int, Tally]:
        statement = "SELECT s.shard, s.tally FROM shards s JOIN versions v USING (id) WHERE v.identity = :identity"
        receipts = self.ask(statement, {"identity": draft.identity})
        return {row["shard"]: Tally.from_json(row["tally"]) for row in receipts}

    def find_published(self, draft: Draft) -> PublishedVersion | None:
        """The version that the draft's source became; None if it was not published."""
        which = "WHERE v.project = :project AND v.source = :source AND v.version IS NOT NULL"
        rows = self.ask(f"{_VERSIONS} {which}", {"project": draft.project, "source": draft.source})
        return version_of(rows[0]) if rows else None

    def commit(self, draft: Draft, revoked: Collection[str]) -> PublishedVersion:
        if already_published := self.find_published(draft):
            return already_published
        staged = self.staged_shards(draft)
        check_complete(draft, staged, where=self.where)
        (last,) = self.ask(
            f"SELECT max(version) AS version, max(log_seq) AS log_seq {_PUBLISHED}", {"project": draft.project}
        )
        check_order(draft, last["log_seq"], where=self.where)
        self._mark(draft.project, find_model_versions(self.versions(draft.project), revoked))
        version, tally = (last["version"] or 0) + 1, Tally.total(staged.values()).to_json()
        self.ask(_COMMIT, {**draft.as_plain(), "identity": draft.identity, "version": version, "tally": tally})
        self._make_current(draft.project, version)
        return version_of(self.version(draft.project, version))

    def drafts(self, project: str) -> list[Draft]:
        which = "WHERE v.project = :project AND v.version IS NULL ORDER BY v.id"
        return [Draft.of_plain(dict(row)) for row in self.ask(f"{_VERSIONS} {which}", {"project": project})]

    def versions(self, project: str) -> list[PublishedVersion]:
        which = "WHERE v.project = :project AND v.version IS NOT NULL ORDER BY v.version DESC"
        return [version_of(row) for row in self.ask(f"{_VERSIONS} {which}", {"project": project})]

    def version(self, project: str, version: int | None) -> Row | None:
        """The row of `version`, None if there is none; or that of the current version, which must exist."""
        which = "c.id IS NOT NULL" if version is None else "v.version = :version"
        values = {"project": project} | ({} if version is None else {"version": version})
        rows = self.ask(f"{_VERSIONS} WHERE v.project = :project AND {which}", values)
        if not rows and version is None:
            raise no_current_version_error(
                where=self.where, withdrawn=any(version_.withdrawn for version_ in self.versions(project))
            )
        return rows[0] if rows else None

    def rollback(self, project: str, to: int | None, revoked: Collection[str]) -> PublishedVersion:
        target = choose_rollback(self.versions(project), to, revoked=revoked, where=self.where)
        self._make_current(project, target.version)
        return version_of(self.version(project, target.version))

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        versions = self.versions(project)
        withdrawn = find_model_versions(versions, models)
        self._mark(project, withdrawn)
        if any(version.current and version.version in withdrawn for version in versions):
            remaining = [
                version.version for version in versions if not version.withdrawn and version.version not in withdrawn
            ]
            self._make_current(project, remaining[0] if remaining else None)
        return withdrawn

    def _mark(self, project: str, withdrawn: Sequence[int]) -> None:
        for number in withdrawn:
            values = {"project": project, "version": number}
            self.ask("UPDATE versions SET withdrawn = 1 WHERE project = :project AND version = :version", values)

    def _make_current(self, project: str, version: int | None) -> None:
        pair = {"project": project, "version": version}
        self.ask("DELETE FROM current WHERE project = :project", {"project": project})
        if version is not None:
            chosen_ = "SELECT project, id FROM versions WHERE project = :project AND version = :version"
            self.ask(f"INSERT INTO current {chosen_}", pair)

    def discard(self, project: str, source: str) -> int:
        return len(self._delete(_OF_SOURCE, {"project": project, "source": source}, self.locking))

    def prune(self, project: str, keep: int) -> tuple[int, ...]:
        """As `Store.prune`; versions that another transaction works on are left to the next call."""
        passing = f"{self.locking} SKIP LOCKED" if self.locking else ""
        self._delete(_LATE, {"project": project}, passing)
        return tuple(sorted(self._delete(_OLD, {"project": project, "keep": keep}, passing)))

    def _delete(self, which: str, values: Mapping[str, str | int], locking: str) -> list[int]:
        """Delete the versions and drafts that match; returns their numbers, 0 for a draft."""
        rows = self.ask(f"{_VERSIONS} WHERE {which} {locking}", values)
        for row in rows:
            self.forget(row["id"])
            for table in ("shards", "versions"):
                self.ask(f"DELETE FROM {table} WHERE id = :id", {"id": row["id"]})  # noqa: S608
        return [row["version"] or 0 for row in rows]


def version_of(row: Row) -> PublishedVersion:
    """The version in a row that `Books.version` returned."""
    return PublishedVersion(
        version=row["version"],
        current=bool(row["is_current"]),
        withdrawn=bool(row["withdrawn"]),
        tally=Tally.from_json(row["tally"]),
        draft=Draft.of_plain(dict(row)),
    )
