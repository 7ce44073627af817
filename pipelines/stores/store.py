"""The protocol of a prediction store, the records it works with, and the rules that every store follows."""

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

# For the Params of every store: frozen, no unknown keys, no conversion of types, no NaN.
PARAMS_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

NOTHING_PUBLISHED = "nothing was published; the last version stays"
"""The hint of every refusal to publish: readers keep what they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version before it has a number: who produces it, with which model, and in how many shards.

    `source` names the run that produces it; publishing the same source again changes nothing. `log_seq` is the head of
    the promotion log under which the model was admitted.
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

    def __post_init__(self) -> None:
        for name in ("source", "project", "window", "champion_run"):
            try:
                getattr(self, name).encode()
            except UnicodeEncodeError as err:
                raise StoreError(
                    f"the {name} is no text that can be stored: {ascii(getattr(self, name))[:80]}", expected="UTF-8"
                ) from err

    @property
    def identity(self) -> str:
        """32 hexadecimal digits that depend on project, source, window, model and number of shards only.

        An interrupted run therefore resumes with its own staged shards, and never with shards that another model
        scored. Time and log head are left out because they differ when the run is resumed.
        """
        parts = (self.project, self.source, self.window, self.model_sha256, str(self.shards))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def as_plain(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {**asdict(self), "time": self.time.isoformat()}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Draft:
        """The draft that `as_plain` wrote; other keys of the mapping are ignored."""
        values = {field.name: plain[field.name] for field in fields(cls)}
        return cls(**{**values, "time": datetime.fromisoformat(plain["time"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVersion:
    """A published version, without its rows."""

    version: int  # counts from 1 within a project
    current: bool  # whether readers get this version
    withdrawn: bool  # whether its model was revoked: it is not current and never will be again
    tally: Tally
    draft: Draft

    @property
    def rows(self) -> int:
        """The number of predictions."""
        return self.tally.rows

    @property
    def model_sha256(self) -> str:
        """The digest of the model that made the predictions."""
        return self.draft.model_sha256

    @property
    def log_seq(self) -> int:
        """The head of the promotion log when it was published."""
        return self.draft.log_seq

    @property
    def log_sha256(self) -> str:
        """The digest of that head."""
        return self.draft.log_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One score, and the version it comes from."""

    key: str
    score: float
    version: PublishedVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRows:
    """Rows of one version: record batches of `key` (string) and `score` (float64), in any order.

    Scores equal the staged ones bit by bit, except that −0 may come back as 0.
    """

    version: PublishedVersion
    batches: Iterator[pa.RecordBatch]


class Store(Protocol):
    """Versions of predictions, by project. A reader sees one whole version, the new one or the one before, never a mix.

    A version is made in two steps. One or many processes stage its shards, in any order, and nobody can read them yet;
    then it is committed in one step. A draft that was staged and never committed can be resumed by making the same
    draft again, or discarded. Every method raises a StoreError of one line when the store cannot be used.
    """

    def stage(self, draft: Draft, shard: int, rows: pa.RecordBatchReader, tally: Tally) -> None:
        """Write shard `shard` (from 0) of a draft, whole or not at all. A shard that is staged already stays as it is.

        rows: `key` (string) and `score` (float64), keys unique within the draft; consumed once.
        Raises StoreError for a key that the store cannot hold, and for a repeated key if the store notices it here.
        """

    def staged_shards(self, draft: Draft) -> Mapping[int, Tally]:
        """The staged shards of a draft; empty for a draft that nobody has begun."""

    def commit(self, draft: Draft, *, revoked: Collection[str] = ()) -> PublishedVersion:
        """Make the draft, whose shards are all staged, the next version and the current one; earlier versions stay.

        Versions of `revoked` models (SHA-256) are withdrawn at the same moment, so there is always a current version.
        If the source was published before, its version is returned and nothing changes or is withdrawn.
        Raises StoreError if a shard is missing, a key repeats, or another draft was published under a later head of
        the log.
        """

    def discard(self, project: str, source: str) -> int:
        """Delete the uncommitted drafts of a source; returns how many there were."""

    def drafts(self, project: str) -> Sequence[Draft]:
        """The drafts that are neither committed nor discarded, the oldest first."""

    def get(self, project: str, key: str, *, version: int | None) -> Prediction | None:
        """The prediction of `key` in the current version, or in `version`; None if that has no such key.

        Raises StoreError if no version is current.
        """

    def read_rows(self, project: str, *, keys: Sequence[str] | None, version: int | None) -> VersionRows:
        """All rows, or those of `keys` that exist, each once; all from one version: `version`, or the current one.

        Raises StoreError if there is no such version, or no version is current.
        """

    def versions(self, project: str) -> list[PublishedVersion]:
        """Every version that is kept, the latest first."""

    def rollback(self, project: str, *, to: int | None, revoked: Collection[str] = ()) -> PublishedVersion:
        """Make an earlier version current again: `to`, or the last eligible one before the current version.

        A version is not eligible when it is withdrawn or its model is in `revoked` (SHA-256). The time this takes does
        not depend on the number of rows. Raises StoreError if there is no such version or it is not eligible.
        """

    def withdraw(self, project: str, models: Collection[str]) -> tuple[int, ...]:
        """Withdraw the versions of these models (SHA-256) now; returns the numbers, ascending, of newly withdrawn ones.

        If the current version is among them, the last version that is not withdrawn becomes current; if none is left,
        no version is current.
        """

    def prune(self, project: str, *, keep: int) -> tuple[int, ...]:
        """Delete all versions except the last `keep` and the current one, and drafts that can no longer be published.

        Returns the numbers of the deleted versions, ascending. A draft can no longer be published once a version was
        published under a later head of the log. Raises StoreError for a `keep` below 2: somebody may still be reading
        the version before the current one.
        """


class StoreKind(Protocol):
    """A module of this package. Its name in `STORES` is the `kind` in conf/store/."""

    @property
    def Params(self) -> type[BaseModel]:  # noqa: N802 - it is a class
        """Where the store is and how it is used, all required. Never secrets: those come from the environment."""

    def open_store(self, params: Any, home: Path) -> Store:
        """The store, which is not contacted yet. Relative paths start at `home`."""


def check_order(draft: Draft, last: int | None, *, where: str) -> None:
    """Refuse a draft admitted under a log head before `last`, the latest head that any version was admitted under."""
    if last is not None and draft.log_seq < last:
        raise StoreError(
            f"{draft.source} was admitted under entry {draft.log_seq} of the promotion log, but a version was published"
            f" under entry {last} since then",
            expected=f"entry {last} or a later one",
            where=where,
            hint=f"{NOTHING_PUBLISHED}; run Predict again",
        )


def check_complete(draft: Draft, staged: Mapping[int, Tally], *, where: str) -> None:
    """Refuse a draft of which a shard is not staged."""
    missing_shards = sorted(set(range(draft.shards)) - set(staged))
    if missing_shards:
        raise StoreError(
            f"{len(missing_shards):,} of the {draft.shards:,} shards of {draft.source} are not staged, beginning"
            f" with shard {missing_shards[0]}",
            expected="all shards",
            where=where,
            hint=f"{NOTHING_PUBLISHED}; run Predict again",
        )


def check_keep(keep: int, *, where: str) -> None:
    """Refuse to keep fewer than two versions."""
    if keep < 2:
        raise StoreError(
            f"keep is {keep}", expected="at least 2, so that readers of the version before can finish", where=where
        )


class RecordedVersion(Protocol):
    """What every store records of a version, whatever its own record looks like."""

    @property
    def version(self) -> int: ...
    @property
    def withdrawn(self) -> bool: ...
    @property
    def draft(self) -> Draft: ...


def find_model_versions(versions: Iterable[RecordedVersion], models: Collection[str]) -> tuple[int, ...]:
    """The numbers, ascending, of the versions of these models that are not withdrawn yet."""
    affected = (version for version in versions if not version.withdrawn and version.draft.model_sha256 in models)
    return tuple(sorted(version.version for version in affected))


def choose_rollback(
    versions: Sequence[PublishedVersion], to: int | None, *, revoked: Collection[str], where: str
) -> PublishedVersion:
    """The version that a rollback goes to, out of a project's versions, latest first. StoreError if there is none."""
    current = next((version for version in versions if version.current), None)
    barred = find_model_versions(versions, revoked)
    open_ = [version for version in versions if not version.withdrawn and version.version not in barred]
    expected = f"one of {', '.join(str(version.version) for version in reversed(open_)) or 'none'}"
    if to is None:
        before = [version for version in open_ if current is not None and version.version < current.version]
        if not before:
            raise StoreError("there is no earlier version to go back to", expected=expected, where=where)
        return before[0]
    target = next((version for version in versions if version.version == to), None)
    if target is None:
        raise StoreError(f"there is no version {to}", expected=expected, where=where)
    if target.withdrawn:
        raise StoreError(f"version {to} is withdrawn: its model was revoked", expected=expected, where=where)
    if to in barred:
        raise StoreError(f"the model of version {to} was revoked", expected=expected, where=where)
    return target


def split_keys(keys: Sequence[str], size: int) -> Iterator[list[str]]:
    """The distinct keys in lists of at most `size`."""
    each = list(dict.fromkeys(keys))
    return (each[start : start + size] for start in range(0, len(each), size))


def missing_version_error(version: int | None, *, where: str) -> StoreError:
    """The error for a version that does not exist."""
    return StoreError(f"there is no version {version}", where=where)


def repeated_key_error(draft: Draft, *, where: str) -> StoreError:
    """The error for a draft with a repeated key."""
    return StoreError(
        f"{draft.source} has two rows with the same key",
        expected="a different key for every row (data.key)",
        where=where,
        hint=NOTHING_PUBLISHED,
    )


def no_current_version_error(*, where: str, withdrawn: bool = False) -> StoreError:
    """The error for reading while no version is current: nothing was published yet, or all versions are withdrawn."""
    if withdrawn:
        return StoreError(
            "no version is current: the model of every published version was revoked",
            where=where,
            hint="promote another model, then run `lockgate predict`",
        )
    return StoreError("nothing has been published yet", where=where, hint="run `lockgate predict`")
