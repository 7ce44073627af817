"""What a prediction store does, and what it is given."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from lockgate.gates.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.stores.tally import Tally

# of every Params: frozen, no unknown key, no conversion, no NaN
PARAMS = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a version will be, before it has a number: who made it, of what, and in how many shards.

    `source` names what produces it; publishing the same source again changes nothing. `log_seq` is the head of the
    promotion log under which its model was admitted.
    """

    source: str
    project: str
    window: str
    champion_run: str
    model_sha256: str
    log_seq: int
    log_sha256: str
    time: datetime
    shards: int

    @property
    def identity(self) -> str:
        """32 hexadecimal digits: of the same source, window, model and number of shards, whoever makes it, whenever.

        So a run that was interrupted goes on with what is staged, and never with what another model scored.
        """
        told = (self.project, self.source, self.window, self.model_sha256, str(self.shards))
        return hashlib.sha256("\0".join(told).encode()).hexdigest()[:32]

    def as_plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "time": self.time.isoformat()}

    @classmethod
    def of_plain(cls, held: Mapping[str, Any]) -> Draft:
        """From `as_plain`; what else the mapping holds is left."""
        taken = {one.name: held[one.name] for one in fields(cls)}
        return cls(**{**taken, "time": datetime.fromisoformat(held["time"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published version, without its rows."""

    version: int  # of its project, from 1; later ones are greater
    current: bool  # whether it is what readers get
    withdrawn: bool  # whether it was taken back, as its model was revoked: it is current no more, and never again
    tally: Tally
    draft: Draft

    @property
    def rows(self) -> int:
        """How many predictions it has."""
        return self.tally.rows

    @property
    def model_sha256(self) -> str:
        """The digest of the model that made them."""
        return self.draft.model_sha256

    @property
    def log_seq(self) -> int:
        """The entry of the promotion log that it was published under."""
        return self.draft.log_seq

    @property
    def log_sha256(self) -> str:
        """The digest of that entry."""
        return self.draft.log_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One score and where it comes from."""

    key: str
    score: float
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one version: record batches of `key` (string) and `score` (float64), in no order that is promised.

    Scores are those that were staged, to the last bit, but −0 may be 0.
    """

    version: Version
    batches: Iterator[pa.RecordBatch]


class Store(Protocol):
    """Versions of predictions, by project. Readers see one version whole, or the one before it, never a mix.

    A version is made in two steps. Its shards are staged, in any order, by one process or by many, and nobody can read
    them; then it is committed, at once. What was staged and never committed is resumed by whoever makes the same draft
    again, or discarded. Every method raises StoreError, one line, where the store cannot be used.
    """

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        """Write shard `shard` (from 0) of a draft, whole or not at all; where it is staged already, change nothing.

        rows: `key` (string) and `score` (float64), keys unique within the draft; consumed once.
        Raises StoreError for a key that repeats, where the store can tell, or that it cannot hold.
        """

    def staged(self, draft: Draft) -> Mapping[int, Tally]:
        """The shards of a draft that are staged; none for a draft that nobody began."""

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> Version:
        """Make the draft, whose shards are all staged, the next version and the current one; the earlier ones stay.

        Those of `revoked` models (SHA-256) are withdrawn at the same moment: at none is nothing current that was.
        A source that was published before stays the version that it is, current or not, and nothing is withdrawn.
        Raises StoreError where a shard is missing, where a key repeats, or where another draft was published under a
        later head of the log.
        """

    def discard(self, project: str, source: str) -> int:
        """Drop what is staged of a source and was never committed; how many drafts that were."""

    def drafts(self, project: str) -> Sequence[Draft]:
        """What was begun and neither committed nor discarded, the oldest first."""

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        """The prediction of `key` in the current version, or in `version`; None where it has none.

        Raises StoreError where no version is current.
        """

    def read(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> Rows:
        """The rows of `keys` that there are, each once, or all; of the current version or `version`, one throughout.

        Raises StoreError where there is no such version, or none is current.
        """

    def versions(self, project: str) -> list[Version]:
        """Every version kept, latest first; none before anything was published."""

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> Version:
        """Make an earlier version current again: the last before the current one that may be, or `to`.

        One that is withdrawn may not, nor one of `revoked` models (SHA-256). The time it takes does not depend on rows.
        Raises StoreError for what is not there or may not be.
        """

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        """Withdraw the versions of these models (SHA-256) now; the numbers, ascending, of those that were not before.

        Where the current one is among them the last version that is not withdrawn becomes current; where there is none
        there is no current version any more.
        """

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        """Delete versions but the last `keep` and the current one, and drafts that can never be published any more.

        The numbers of the versions deleted, ascending. A draft can not be published whose head of the log is before
        the latest version's. Raises StoreError for a `keep` under 2: who reads the one before must be able to finish.
        """


class Kind(Protocol):
    """One file of this package. Its name in `STORES` is its `kind` in conf/store/."""

    @property
    def Params(self) -> type[BaseModel]:  # noqa: N802 - it is a class
        """Where the store is and how it is used, all required. No secret: those come from the environment."""

    def open_store(self, params: Any, home: Path) -> Store:
        """The store; nothing is asked of it yet. Relative paths start at `home`."""


def check_order(draft: Draft, last: int | None, *, where: str) -> None:
    """Refuse a draft that was admitted before `last`, the latest head of the log that a version was admitted under."""
    if last is not None and draft.log_seq < last:
        raise StoreError(
            f"{draft.source} was admitted under entry {draft.log_seq} of the promotion log, and a version was published"
            f" under entry {last} meanwhile",
            expected=f"entry {last} or a later one",
            where=where,
            hint="nothing was published; run Predict again",
        )


def check_complete(draft: Draft, staged: Mapping[int, Tally], *, where: str) -> None:
    """Refuse a draft that lacks a shard."""
    left = sorted(set(range(draft.shards)) - set(staged))
    if left:
        raise StoreError(
            f"{len(left):,} of the {draft.shards:,} shards of {draft.source} are not staged, first {left[0]}",
            expected="all of them",
            where=where,
            hint="nothing was published, the last version stays; run it again",
        )


def check_keep(keep: int, *, where: str) -> None:
    """Refuse to keep less than two versions."""
    if keep < 2:
        raise StoreError(f"keep is {keep}", expected="at least 2, so that readers of the last can finish", where=where)


class Kept(Protocol):
    """A version, as each store writes it down."""

    @property
    def version(self) -> int: ...
    @property
    def withdrawn(self) -> bool: ...
    @property
    def draft(self) -> Draft: ...


def of_models(versions: Iterable[Kept], models: Collection[str]) -> tuple[int, ...]:
    """The numbers, ascending, of the versions of these models that are not withdrawn."""
    kept = (version for version in versions if not version.withdrawn and version.draft.model_sha256 in models)
    return tuple(sorted(version.version for version in kept))


def chosen(versions: Sequence[Version], to: int | None, *, revoked: Collection[str], where: str) -> Version:
    """Of the versions of a project, latest first, the one that a rollback goes to. StoreError where there is none."""
    current = next((one for one in versions if one.current), None)
    barred = of_models(versions, revoked)
    open_ = [one for one in versions if not one.withdrawn and one.version not in barred]
    expected = f"one of {', '.join(str(one.version) for one in reversed(open_)) or 'none'}"
    if to is None:
        before = [one for one in open_ if current is not None and one.version < current.version]
        if not before:
            raise StoreError("there is no earlier version to go back to", expected=expected, where=where)
        return before[0]
    named = next((one for one in versions if one.version == to), None)
    if named is None:
        raise StoreError("no such version", expected=expected, where=where)
    if named.withdrawn:
        raise StoreError(f"version {to} is withdrawn: its model was revoked", expected=expected, where=where)
    if to in barred:
        raise StoreError(f"the model of version {to} was revoked", expected=expected, where=where)
    return named


def portions(keys: Sequence[str], size: int) -> Iterator[list[str]]:
    """The keys, each once, in lists of at most `size`."""
    each = list(dict.fromkeys(keys))
    return (each[at : at + size] for at in range(0, len(each), size))


def missing(version: int | None, *, where: str) -> StoreError:
    """There is no such version to read."""
    return StoreError(f"there is no version {version}", where=where)


def repeated(draft: Draft, *, where: str) -> StoreError:
    """A key of the draft is there twice."""
    return StoreError(
        f"{draft.source} has a key twice",
        expected="each row under a key of its own (data.key)",
        where=where,
        hint="nothing was published, the last version stays",
    )


def unpublished(*, where: str, withdrawn: bool = False) -> StoreError:
    """Nothing can be read: nothing was published yet, or all of it is withdrawn."""
    if withdrawn:
        return StoreError(
            "no version is current: the models of all that were published are revoked",
            where=where,
            hint="promote another model, then run `lockgate predict`",
        )
    return StoreError("nothing has been published yet", where=where, hint="run `lockgate predict`")
