"""The books of a store that speaks SQL: which versions, drafts and receipts there are. Rows are the store's own matter.

Statements are those that SQLite and PostgreSQL both understand, with named values: `:project`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockgate.pipelines.stores.store import Draft, Version, check_complete, check_order, chosen, of_models, unpublished
from lockgate.pipelines.stores.tally import Tally

Row = Any
"""By name, as `row["version"]`; `dict(row)` has all of it."""

Ask = Callable[[str, Mapping[str, Any]], Sequence[Row]]
"""Runs a statement in the transaction that is open; the rows it gives, none where it gives none."""

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
"""With `{id}`: the type of a number that the database gives. The store adds `predictions` (id, key, score)."""

VIEW = """
    SELECT v.project, p.key, p.score, v.version, v.model_sha256, v.champion_run, v."window", v.time
    FROM current c JOIN versions v USING (id) JOIN predictions p USING (id)
"""
"""What `current_predictions` is, for whoever reads without lockgate."""

_COLUMNS = ("source", "project", "window", "champion_run", "model_sha256", "log_seq", "log_sha256", "time", "shards")
_NAMED = [f'"{one}"' for one in _COLUMNS]
_VERSIONS = (  # what these two are made of is above
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
    """The books in one open transaction; where it writes, nobody else writes those of the same project."""

    ask: Ask
    where: str
    forget: Callable[[int], Any]  # deletes the rows of an id
    locking: str = ""  # what makes a SELECT hold the versions that it finds, where the database needs it

    def begin(self, draft: Draft) -> int:
        """The id of a draft, which is written down where it was not."""
        self.ask(_BEGIN, {**draft.as_plain(), "identity": draft.identity})
        (row,) = self.ask("SELECT id FROM versions WHERE identity = :identity", {"identity": draft.identity})
        return int(row["id"])

    def receive(self, of: int, shard: int, tally: Tally) -> bool:
        """Write the receipt of a shard; whether there was none."""
        receipt = {"id": of, "shard": shard, "tally": tally.to_json()}
        return bool(
            self.ask("INSERT INTO shards VALUES (:id, :shard, :tally) ON CONFLICT DO NOTHING RETURNING shard", receipt)
        )

    def staged(self, draft: Draft) -> dict[int, Tally]:
        asked = "SELECT s.shard, s.tally FROM shards s JOIN versions v USING (id) WHERE v.identity = :identity"
        found = self.ask(asked, {"identity": draft.identity})
        return {row["shard"]: Tally.from_json(row["tally"]) for row in found}

    def published(self, draft: Draft) -> Version | None:
        """The version that the draft's source became, if it did."""
        which = "WHERE v.project = :project AND v.source = :source AND v.version IS NOT NULL"
        found = self.ask(f"{_VERSIONS} {which}", {"project": draft.project, "source": draft.source})
        return version_of(found[0]) if found else None

    def commit(self, draft: Draft, revoked: Collection[str]) -> Version:
        if known := self.published(draft):
            return known
        staged = self.staged(draft)
        check_complete(draft, staged, where=self.where)
        (last,) = self.ask(
            f"SELECT max(version) AS version, max(log_seq) AS log_seq {_PUBLISHED}", {"project": draft.project}
        )
        check_order(draft, last["log_seq"], where=self.where)
        self._mark(draft.project, of_models(self.versions(draft.project), revoked))
        version, tally = (last["version"] or 0) + 1, Tally.total(staged.values()).to_json()
        self.ask(_COMMIT, {**draft.as_plain(), "identity": draft.identity, "version": version, "tally": tally})
        self._make_current(draft.project, version)
        return version_of(self.version(draft.project, version))

    def drafts(self, project: str) -> list[Draft]:
        which = "WHERE v.project = :project AND v.version IS NULL ORDER BY v.id"
        return [Draft.of_plain(dict(row)) for row in self.ask(f"{_VERSIONS} {which}", {"project": project})]

    def versions(self, project: str) -> list[Version]:
        which = "WHERE v.project = :project AND v.version IS NOT NULL ORDER BY v.version DESC"
        return [version_of(row) for row in self.ask(f"{_VERSIONS} {which}", {"project": project})]

    def version(self, project: str, version: int | None) -> Row | None:
        """The row of `version`, None where there is none; of the current one where none is named, which must be."""
        which = "c.id IS NOT NULL" if version is None else "v.version = :version"
        values = {"project": project} | ({} if version is None else {"version": version})
        found = self.ask(f"{_VERSIONS} WHERE v.project = :project AND {which}", values)
        if not found and version is None:
            raise unpublished(where=self.where, withdrawn=any(one.withdrawn for one in self.versions(project)))
        return found[0] if found else None

    def rollback(self, project: str, to: int | None, revoked: Collection[str]) -> Version:
        target = chosen(self.versions(project), to, revoked=revoked, where=self.where)
        self._make_current(project, target.version)
        return version_of(self.version(project, target.version))

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        held = self.versions(project)
        gone = of_models(held, models)
        self._mark(project, gone)
        if any(one.current and one.version in gone for one in held):
            left = [one.version for one in held if not one.withdrawn and one.version not in gone]
            self._make_current(project, left[0] if left else None)
        return gone

    def _mark(self, project: str, withdrawn: Sequence[int]) -> None:
        for number in withdrawn:
            named = {"project": project, "version": number}
            self.ask("UPDATE versions SET withdrawn = 1 WHERE project = :project AND version = :version", named)

    def _make_current(self, project: str, version: int | None) -> None:
        pair = {"project": project, "version": version}
        self.ask("DELETE FROM current WHERE project = :project", {"project": project})
        if version is not None:
            chosen_ = "SELECT project, id FROM versions WHERE project = :project AND version = :version"
            self.ask(f"INSERT INTO current {chosen_}", pair)

    def discard(self, project: str, source: str) -> int:
        return len(self._delete(_OF_SOURCE, {"project": project, "source": source}, self.locking))

    def prune(self, project: str, keep: int) -> tuple[int, ...]:
        """As the store's; what another transaction works on is left to the next time."""
        passing = f"{self.locking} SKIP LOCKED" if self.locking else ""
        self._delete(_LATE, {"project": project}, passing)
        return tuple(sorted(self._delete(_OLD, {"project": project, "keep": keep}, passing)))

    def _delete(self, which: str, values: Mapping[str, str | int], locking: str) -> list[int]:
        """Delete the versions and drafts of a condition; their numbers, 0 for a draft."""
        found = self.ask(f"{_VERSIONS} WHERE {which} {locking}", values)
        for row in found:
            self.forget(row["id"])
            for table in ("shards", "versions"):
                self.ask(f"DELETE FROM {table} WHERE id = :id", {"id": row["id"]})  # noqa: S608
        return [row["version"] or 0 for row in found]


def version_of(row: Row) -> Version:
    """The version of a row that `Books.version` gave."""
    return Version(
        version=row["version"],
        current=bool(row["is_current"]),
        withdrawn=bool(row["withdrawn"]),
        tally=Tally.from_json(row["tally"]),
        draft=Draft.of_plain(dict(row)),
    )
