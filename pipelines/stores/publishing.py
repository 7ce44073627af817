"""From scores to a version: what is checked on the way, whatever the store."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import StoreError
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.pipelines.stores.store import Draft, Store, Version, check_complete
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.gates.evidence.task import Task

_STAYS = "nothing was published; the last version stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """The checked rows of one shard, in a file of record batches that is gone when the shard is staged."""

    path: Path
    tally: Tally

    @contextmanager
    def rows(self) -> Iterator[pa.RecordBatchReader]:
        """The rows, read batch by batch."""
        import pyarrow as pa

        with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
            yield reader


@contextmanager
def spooled(batches: Iterable[pa.RecordBatch], *, task: Task, where: str) -> Iterator[Spool]:
    """Record batches of `key` and `score`, checked and written to a file, one in memory at a time.

    So no store is kept waiting, with a transaction open, while a model scores, and nothing is staged of a shard that
    turns out to be bad. Raises StoreError for scores that are not finite or, for binary, outside 0 … 1.
    """
    import pyarrow as pa

    schema = pa.schema([("key", pa.string()), ("score", pa.float64())])
    with tempfile.TemporaryDirectory(prefix="lockgate-shard-") as folder:
        path = Path(folder) / "rows.arrows"
        tallies = []
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for batch in batches:
                tallies.append(_checked(batch, task=task, where=where))
                writer.write_batch(batch)
        yield Spool(path=path, tally=Tally.total(tallies))


def _checked(batch: pa.RecordBatch, *, task: Task, where: str) -> Tally:
    import numpy as np

    scores = batch.column("score").to_numpy(zero_copy_only=False)
    good = (scores >= 0) & (scores <= 1) if task == "binary" else np.isfinite(scores)
    if batch.column("key").null_count or not good.all():
        raise StoreError(
            f"{scores.size - int(good.sum()):,} of {scores.size:,} scores are missing or out of range",
            expected="0 … 1" if task == "binary" else "finite numbers",
            where=where,
            hint=_STAYS,
        )
    return Tally.of(scores)


def publish(
    store: Store,
    draft: Draft,
    *,
    expected_rows: int,
    max_drift: float | None,
    keep: int,
    revoked: Collection[str] = (),
) -> Version:
    """Commit a draft whose shards are staged, where it may be served, and delete what is older than the last `keep`.

    Versions of `revoked` models (SHA-256) are withdrawn with the commit, and are no measure of drift: the scores are
    held against those of the current version, or, where its model was revoked, of the last one whose model was not.

    Raises:
        StoreError: a shard is missing, no rows or another count than the window has, scores that are farther than
            `max_drift` from those (the largest difference of the two distribution functions, 0 … 1; None: however
            far), or what `Store.commit` refuses. The last version then stays.
    """
    where = f"predictions of {draft.window}"
    versions = store.versions(draft.project)
    published = next((one for one in versions if one.draft.source == draft.source), None)
    if published is None:
        staged = store.staged(draft)
        check_complete(draft, staged, where=where)
        tally = Tally.total(staged.values())
        if not tally.rows or tally.rows != expected_rows:
            raise StoreError(
                f"{tally.rows:,} predictions are staged",
                expected=f"{expected_rows:,}, and at least one",
                where=where,
                hint=_STAYS,
            )
        measure = _measure(versions, revoked)
        if measure is not None and max_drift is not None:
            _check_drift(tally, measure, max_drift, where=where)
        report_step(Step.COMMITTING)
        published = store.commit(draft, revoked=revoked)
        report_step(Step.PUBLISHED)
    store.prune(draft.project, keep=keep)
    return published


def _measure(versions: Sequence[Version], revoked: Collection[str]) -> Version | None:
    """What drift is measured from; None where no version is left that may be served."""
    fit = [version for version in versions if not version.withdrawn and version.model_sha256 not in revoked]
    return next((version for version in fit if version.current), fit[0] if fit else None)


def _check_drift(tally: Tally, current: Version, most: float, *, where: str) -> None:
    if (moved := tally.distance(current.tally)) > most:
        raise StoreError(
            f"the scores are {moved:.3f} away from those of version {current.version} ({current.draft.window})",
            expected=f"at most {most:g} (store.max_drift, Kolmogorov–Smirnov distance)",
            where=where,
            hint=f"{_STAYS}; look at what changed, then publish with a higher max_drift if it is right",
        )
