"""The books of the Redis store: the names of its keys, what they hold, and how rows become bytes and back.

`db` is the client of redis-py. Functions that change something return the commands for it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.redis_server import Command
from lockgate.pipelines.stores.store import NOTHING_PUBLISHED, Draft, PublishedVersion, repeated_key_error
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNames:
    """The keys of one project. Its name is the hash tag of all, so that they are on one node of a cluster."""

    prefix: str

    @classmethod
    def of(cls, namespace: str, project: str) -> KeyNames:
        return cls(prefix=f"{namespace}:{{{project}}}")

    @property
    def current(self) -> str:
        """Hash, key → score, of the current version; absent if that has no rows."""
        return f"{self.prefix}:current"

    @property
    def about(self) -> str:
        """The entry of the current version, as JSON."""
        return f"{self.prefix}:about"

    @property
    def number(self) -> str:
        """The number of the current version."""
        return f"{self.prefix}:number"

    @property
    def versions(self) -> str:
        """Hash, number → entry, as JSON."""
        return f"{self.prefix}:versions"

    @property
    def drafts(self) -> str:
        """Hash, identity → draft, as JSON."""
        return f"{self.prefix}:drafts"

    @property
    def revision(self) -> str:
        """How many changes there were to the project."""
        return f"{self.prefix}:revision"

    @property
    def draft_count(self) -> str:
        """How many drafts have been begun."""
        return f"{self.prefix}:begun"

    def rows(self, identity: str) -> str:
        """Hash, key → score, of a draft or of a version that is not current; the current one is under `current`."""
        return f"{self.prefix}:rows:{identity}"

    def receipts(self, identity: str) -> str:
        """Hash, shard → tally and the attempt that staged it."""
        return f"{self.prefix}:receipts:{identity}"

    def attempts(self, identity: str) -> str:
        """Set of the attempts at shards, finished or not."""
        return f"{self.prefix}:attempts:{identity}"

    def keys(self, identity: str, attempt: str) -> str:
        """Hash, number → keys that an attempt wrote, in Arrow's format: reading all rows goes through them."""
        return f"{self.prefix}:keys:{identity}:{attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisEntry:
    """A version as the hash of versions records it."""

    version: int
    withdrawn: bool
    tally: Tally
    draft: Draft
    attempts: Mapping[str, int]  # the attempts that wrote its keys, and the number of pieces of each

    def to_json(self) -> str:
        plain = {"version": self.version, "withdrawn": self.withdrawn, "attempts": dict(self.attempts)}
        return json.dumps(plain | {"tally": self.tally.to_json(), **self.draft.as_plain()})

    @classmethod
    def of_json(cls, text: bytes) -> RedisEntry:
        plain = json.loads(text)
        return cls(
            version=plain["version"],
            withdrawn=plain["withdrawn"],
            attempts=plain["attempts"],
            tally=Tally.from_json(plain["tally"]),
            draft=Draft.of_plain(plain),
        )

    def withdraw(self) -> RedisEntry:
        return replace(self, withdrawn=True)

    def as_version(self, number: int) -> PublishedVersion:
        """The version as readers get it, if version `number` is current."""
        return PublishedVersion(
            version=self.version,
            current=self.version == number,
            withdrawn=self.withdrawn,
            tally=self.tally,
            draft=self.draft,
        )


def parse_hash(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """A hash, from the flat list that a script returns."""
    return dict(zip(flat[0::2], flat[1::2], strict=True))


def parse_entries(texts: Mapping[bytes, bytes]) -> list[RedisEntry]:
    """The entries in the hash of versions, the latest first."""
    return sorted((RedisEntry.of_json(text) for text in texts.values()), key=lambda entry: -entry.version)


def parse_drafts(texts: Mapping[bytes, bytes]) -> dict[str, Draft]:
    """The drafts in the hash of drafts by identity, the oldest first."""
    plain = {name.decode(): json.loads(text) for name, text in texts.items()}
    return {name: Draft.of_plain(plain[name]) for name in sorted(plain, key=lambda name: int(plain[name]["begun"]))}


def parse_receipts(texts: Mapping[bytes, bytes]) -> dict[int, dict[str, Any]]:
    """The receipts by shard: `tally`, `attempt`, and `pieces`, the number of pieces of its keys."""
    return {int(shard): json.loads(text) for shard, text in texts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The versions of a project."""

    entries: Sequence[RedisEntry]
    number: int  # of the current version; 0 if there is none

    @classmethod
    def load(cls, db: Any, names: KeyNames) -> Book:
        return cls(entries=parse_entries(db.hgetall(names.versions)), number=int(db.get(names.number) or 0))

    @property
    def versions(self) -> list[PublishedVersion]:
        return [entry.as_version(self.number) for entry in self.entries]

    def entry(self, version: int) -> RedisEntry | None:
        return next((entry for entry in self.entries if entry.version == version), None)

    def withdrawing(self, names: KeyNames, versions: Collection[int]) -> list[Command]:
        """The commands that mark these versions as withdrawn."""
        marked = [entry.withdraw() for entry in self.entries if entry.version in versions]
        return [("HSET", names.versions, entry.version, entry.to_json()) for entry in marked]

    def point(self, db: Any, names: KeyNames, target: RedisEntry | None, *, where: str) -> list[Command]:
        """The commands that make `target` current. StoreError if rows are lost, as only half of them would succeed."""
        now = self.entry(self.number)
        if target is not None and now is not None and target.version == now.version:
            return []
        moves = [(names.current, names.rows(now.draft.identity))] if now and now.tally.rows else []
        moves += [(names.rows(target.draft.identity), names.current)] if target and target.tally.rows else []
        for name, _ in moves:
            if not db.exists(name):
                raise StoreError(f"rows are lost: there is no key {name!r}", where=where, hint="the store is damaged")
        pointer: Command = ("DEL", names.number, names.about)
        if target is not None:
            pointer = ("MSET", names.number, target.version, names.about, target.to_json())
        return [*(("RENAME", old, new) for old, new in moves), pointer]


def forget(db: Any, names: KeyNames, old: Iterable[RedisEntry], dropped: Iterable[str]) -> list[Command]:
    """The commands that delete versions that are not current, and drafts."""
    commands: list[Command] = []
    for entry in old:
        identity = entry.draft.identity
        commands.append(("HDEL", names.versions, entry.version))
        commands.append(
            ("UNLINK", names.rows(identity), *(names.keys(identity, attempt) for attempt in entry.attempts))
        )
    for identity in dropped:
        attempts = [names.keys(identity, attempt.decode()) for attempt in db.smembers(names.attempts(identity))]
        commands.append(("HDEL", names.drafts, identity))
        commands.append(("UNLINK", names.rows(identity), names.receipts(identity), names.attempts(identity), *attempts))
    return commands


def check_rows(draft: Draft, staged: int, present: int, *, where: str) -> None:
    """Refuse a draft that has more or fewer keys than were staged."""
    if present < staged:
        raise repeated_key_error(draft, where=where)
    if present > staged:
        raise StoreError(
            f"{draft.source} has {present - staged:,} rows of an interrupted attempt that had other keys",
            where=where,
            hint=f"{NOTHING_PUBLISHED}; discard the draft and run Predict again",
        )


def deleted_error(entry: RedisEntry, *, where: str) -> StoreError:
    """The error for a version that was deleted while its rows were read."""
    return StoreError(f"version {entry.version} was deleted while it was read", where=where, hint="read it again")


def pack_rows(batch: pa.RecordBatch) -> tuple[list[bytes], bytes]:
    """Key, score, key, score, … as HSET takes them, and the keys alone in Arrow's format. Scores are decimal text."""
    import pyarrow as pa

    pairs: list[bytes] = [b""] * (2 * batch.num_rows)
    keys = batch.column("key").cast(pa.binary())
    pairs[0::2], pairs[1::2] = keys.to_pylist(), batch.column("score").cast(pa.string()).cast(pa.binary()).to_pylist()
    sink = pa.BufferOutputStream()
    alone = pa.record_batch({"key": keys})
    with pa.ipc.new_stream(sink, alone.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(alone)
    return pairs, sink.getvalue().to_pybytes()


def keys_of(blob: bytes) -> list[bytes]:
    """The keys that `pack_rows` packed."""
    import pyarrow as pa

    keys: list[bytes] = pa.ipc.open_stream(blob).read_all().column("key").to_pylist()
    return keys


def unpack_rows(keys: Sequence[bytes], scores: Sequence[bytes | None]) -> pa.RecordBatch:
    """The rows of the keys that have a score."""
    import pyarrow as pa

    texts = pa.array(scores, pa.binary()).cast(pa.string())
    rows = pa.record_batch({"key": pa.array(keys, pa.binary()).cast(pa.string()), "score": texts.cast(pa.float64())})
    return rows.filter(rows.column("score").is_valid())
