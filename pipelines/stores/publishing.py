"""From scores to a published version: the checks that apply whatever the store is."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.gates.errors import StoreError
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.pipelines.stores.store import NOTHING_PUBLISHED, Draft, PublishedVersion, Store, check_complete
from lockgate.pipelines.stores.tally import Tally

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.gates.evidence.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """The checked rows of one shard, in a temporary file of record batches that lives until the shard is staged."""

    path: Path
    tally: Tally

    @contextmanager
    def rows(self) -> Iterator[pa.RecordBatchReader]:
        """The rows, one batch at a time."""
        import pyarrow as pa

        with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
            yield reader


@contextmanager
def spool_rows(batches: Iterable[pa.RecordBatch], *, task: Task, where: str) -> Iterator[Spool]:
    """Check record batches of `key` and `score` and write them to a file, with one batch in memory at a time.

    The file is there so that no store holds a transaction open while a model scores, and so that nothing of a bad shard
    is staged. Raises StoreError for scores that are not finite or, for a binary task, outside 0 … 1.
    """
    import pyarrow as pa

    schema = pa.schema([("key", pa.string()), ("score", pa.float64())])
    with tempfile.TemporaryDirectory(prefix="lockgate-shard-") as folder:
        path = Path(folder) / "rows.arrows"
        tallies = []
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for batch in batches:
                tallies.append(_check_scores(batch, task=task, where=where))
                writer.write_batch(batch)
        yield Spool(path=path, tally=Tally.total(tallies))


def _check_scores(batch: pa.RecordBatch, *, task: Task, where: str) -> Tally:
    import numpy as np

    scores = batch.column("score").to_numpy(zero_copy_only=False)
    good = (scores >= 0) & (scores <= 1) if task == "binary" else np.isfinite(scores)
    if batch.column("key").null_count or not good.all():
        raise StoreError(
            f"{scores.size - int(good.sum()):,} of {scores.size:,} scores are missing or out of range",
            expected="0 … 1" if task == "binary" else "finite numbers",
            where=where,
            hint=NOTHING_PUBLISHED,
        )
    return Tally.of(scores)


def publish_draft(
    store: Store,
    draft: Draft,
    *,
    expected_rows: int,
    max_drift: float | None,
    keep: int,
    revoked: Collection[str] = (),
) -> PublishedVersion:
    """Commit a staged draft if it may be served, then delete all versions but the last `keep`.

    Versions of `revoked` models (SHA-256) are withdrawn with the commit, and drift is not measured from them: the
    scores are compared with the current version or, if its model was revoked, the last one whose model was not.

    Raises:
        StoreError: a shard is missing, the number of rows is 0 or not that of the window, the scores are farther than
            `max_drift` from those of the reference (largest difference of the two distribution functions, 0 … 1;
            None: any distance), or `Store.commit` refuses. The last version then stays.
    """
    where = f"predictions of {draft.window}"
    versions = store.versions(draft.project)
    published = next((version for version in versions if version.draft.source == draft.source), None)
    if published is None:
        staged = store.staged_shards(draft)
        check_complete(draft, staged, where=where)
        tally = Tally.total(staged.values())
        if not tally.rows or tally.rows != expected_rows:
            raise StoreError(
                f"{tally.rows:,} predictions are staged",
                expected=f"{expected_rows:,}, and at least one",
                where=where,
                hint=NOTHING_PUBLISHED,
            )
        measure = _drift_reference(versions, revoked)
        if measure is not None and max_drift is not None:
            _check_drift(tally, measure, max_drift, where=where)
        report_step(Step.COMMITTING)
        published = store.commit(draft, revoked=revoked)
        report_step(Step.PUBLISHED)
    store.prune(draft.project, keep=keep)
    return published


def _drift_reference(versions: Sequence[PublishedVersion], revoked: Collection[str]) -> PublishedVersion | None:
    """The version that drift is measured from; None if no version may be served."""
    fit = [version for version in versions if not version.withdrawn and version.model_sha256 not in revoked]
    return next((version for version in fit if version.current), fit[0] if fit else None)


def _check_drift(tally: Tally, current: PublishedVersion, max_drift: float, *, where: str) -> None:
    if (moved := tally.distance(current.tally)) > max_drift:
        raise StoreError(
            f"the scores are {moved:.3f} away from those of version {current.version} ({current.draft.window})",
            expected=f"at most {max_drift:g} (store.max_drift, Kolmogorov–Smirnov distance)",
            where=where,
            hint=f"{NOTHING_PUBLISHED}; find out what changed, and raise store.max_drift if the change is right",
        )
