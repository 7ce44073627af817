"""The books of the Redis store: what its keys are called, what is in them, and how rows become bytes and back.

`db` is redis-py's client. Functions that change something give the commands that do.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores.redis_server import Command
from lockgate.pipelines.stores.store import Draft, Version, repeated
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The keys of one project, all with its name as hash tag, so that one node of a cluster has them."""

    prefix: str

    @classmethod
    def of(cls, namespace: str, project: str) -> Names:
        return cls(prefix=f"{namespace}:{{{project}}}")

    @property
    def current(self) -> str:
        """Hash, key → score, of the current version: there is none where that is empty."""
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
        """How often something of the project was changed."""
        return f"{self.prefix}:revision"

    @property
    def begun(self) -> str:
        """How many drafts were begun."""
        return f"{self.prefix}:begun"

    def rows(self, of: str) -> str:
        """Hash, key → score: of a draft, or of a version that is not current; that of the current one is `current`."""
        return f"{self.prefix}:rows:{of}"

    def receipts(self, of: str) -> str:
        """Hash, shard → its tally and the attempt that staged it."""
        return f"{self.prefix}:receipts:{of}"

    def attempts(self, of: str) -> str:
        """Set of the attempts at shards, finished or not."""
        return f"{self.prefix}:attempts:{of}"

    def keys(self, of: str, attempt: str) -> str:
        """Hash, number → keys that the attempt wrote, in Arrow's format: reading all needs them, and none twice."""
        return f"{self.prefix}:keys:{of}:{attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A version as it is written down."""

    version: int
    withdrawn: bool
    tally: Tally
    draft: Draft
    attempts: Mapping[str, int]  # whose keys are its keys, and in how many pieces those lie

    def to_json(self) -> str:
        held = {"version": self.version, "withdrawn": self.withdrawn, "attempts": dict(self.attempts)}
        return json.dumps(held | {"tally": self.tally.to_json(), **self.draft.as_plain()})

    @classmethod
    def of_json(cls, text: bytes) -> Entry:
        held = json.loads(text)
        return cls(
            version=held["version"],
            withdrawn=held["withdrawn"],
            attempts=held["attempts"],
            tally=Tally.from_json(held["tally"]),
            draft=Draft.of_plain(held),
        )

    def withdraw(self) -> Entry:
        return replace(self, withdrawn=True)

    def published(self, number: int) -> Version:
        """As readers get it, where version `number` is current."""
        return Version(
            version=self.version,
            current=self.version == number,
            withdrawn=self.withdrawn,
            tally=self.tally,
            draft=self.draft,
        )


def mapping(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """What a script says of a hash."""
    return dict(zip(flat[0::2], flat[1::2], strict=True))


def entries(held: Mapping[bytes, bytes]) -> list[Entry]:
    """What the hash of versions holds, latest first."""
    return sorted((Entry.of_json(text) for text in held.values()), key=lambda one: -one.version)


def drafts(held: Mapping[bytes, bytes]) -> dict[str, Draft]:
    """What the hash of drafts holds, by identity, the oldest first."""
    plain = {name.decode(): json.loads(text) for name, text in held.items()}
    return {name: Draft.of_plain(plain[name]) for name in sorted(plain, key=lambda name: int(plain[name]["begun"]))}


def receipts(held: Mapping[bytes, bytes]) -> dict[int, dict[str, Any]]:
    """What the hash of receipts holds: `tally`, `attempt`, and in how many pieces its keys lie, `pieces`."""
    return {int(shard): json.loads(text) for shard, text in held.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The versions of a project."""

    entries: Sequence[Entry]
    number: int  # of the current one; 0: none

    @classmethod
    def read(cls, db: Any, at: Names) -> Book:
        return cls(entries=entries(db.hgetall(at.versions)), number=int(db.get(at.number) or 0))

    @property
    def versions(self) -> list[Version]:
        return [one.published(self.number) for one in self.entries]

    def entry(self, version: int) -> Entry | None:
        return next((one for one in self.entries if one.version == version), None)

    def withdrawing(self, at: Names, versions: Collection[int]) -> list[Command]:
        """Mark these versions as withdrawn."""
        marked = [entry.withdraw() for entry in self.entries if entry.version in versions]
        return [("HSET", at.versions, entry.version, entry.to_json()) for entry in marked]

    def point(self, db: Any, at: Names, target: Entry | None, *, where: str) -> list[Command]:
        """Make `target` the current version. StoreError where rows are lost: half of it would be done."""
        now = self.entry(self.number)
        if target is not None and now is not None and target.version == now.version:
            return []
        moves = [(at.current, at.rows(now.draft.identity))] if now and now.tally.rows else []
        moves += [(at.rows(target.draft.identity), at.current)] if target and target.tally.rows else []
        for name, _ in moves:
            if not db.exists(name):
                raise StoreError(f"rows are lost: there is no key {name!r}", where=where, hint="the store is damaged")
        told: Command = ("DEL", at.number, at.about)
        if target is not None:
            told = ("MSET", at.number, target.version, at.about, target.to_json())
        return [*(("RENAME", old, new) for old, new in moves), told]


def forget(db: Any, at: Names, old: Iterable[Entry], dropped: Iterable[str]) -> list[Command]:
    """Delete versions that are not current, and drafts."""
    commands: list[Command] = []
    for one in old:
        of = one.draft.identity
        commands.append(("HDEL", at.versions, one.version))
        commands.append(("UNLINK", at.rows(of), *(at.keys(of, attempt) for attempt in one.attempts)))
    for of in dropped:
        attempts = [at.keys(of, one.decode()) for one in db.smembers(at.attempts(of))]
        commands.append(("HDEL", at.drafts, of))
        commands.append(("UNLINK", at.rows(of), at.receipts(of), at.attempts(of), *attempts))
    return commands


def check_rows(draft: Draft, staged: int, there: int, *, where: str) -> None:
    """Refuse a draft of which another number of keys is there than was staged."""
    if there < staged:
        raise repeated(draft, where=where)
    if there > staged:
        raise StoreError(
            f"{draft.source} has {there - staged:,} rows of an interrupted attempt that scored other keys",
            where=where,
            hint="nothing was published, the last version stays; discard it, and run it again",
        )


def deleted(entry: Entry, *, where: str) -> StoreError:
    """A version is not there any more, of which some rows were read."""
    return StoreError(f"version {entry.version} was deleted while it was read", where=where, hint="read it again")


def packed(batch: pa.RecordBatch) -> tuple[list[bytes], bytes]:
    """Key, score, key, score, … as HSET takes them, and the keys alone in Arrow's format. Scores are decimal."""
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
    """The keys that `packed` put there."""
    import pyarrow as pa

    found: list[bytes] = pa.ipc.open_stream(blob).read_all().column("key").to_pylist()
    return found


def unpacked(keys: Sequence[bytes], scores: Sequence[bytes | None]) -> pa.RecordBatch:
    """The rows of those keys that have a score."""
    import pyarrow as pa

    texts = pa.array(scores, pa.binary()).cast(pa.string())
    rows = pa.record_batch({"key": pa.array(keys, pa.binary()).cast(pa.string()), "score": texts.cast(pa.float64())})
    return rows.filter(rows.column("score").is_valid())
