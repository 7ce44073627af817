"""The work of the flow Predict: which model may serve, what each shard predicts, and how shards become a version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lockgate.gates.errors import AdmissionError
from lockgate.gates.lifecycle import admission
from lockgate.gates.log import Log
from lockgate.gates.records.state import Champion
from lockgate.pipelines import data, stores
from lockgate.pipelines.promotion.events import Reporter
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.scoring import withdrawal
from lockgate.pipelines.scoring.champion import load_champion
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.models import Fitted


class Serving(BaseModel):
    """What one run of Predict serves: a model that was admitted under a head of the promotion log, and the rows.

    `upstream` is the run that was asked for, empty for the present champion. `replaces` is the version that was served
    when this run began although its model was revoked; it stays until this run publishes its own.
    """

    model_config = ConfigDict(frozen=True)
    champion: Champion
    log_seq: int
    log_sha256: str
    upstream: str
    source: str  # the run that predicts
    window: str
    rows: int  # in the window
    shards: tuple[tuple[data.Piece, ...], ...]  # for each shard, the pieces of the table that it scores
    time: datetime
    replaces: int | None = None

    def draft(self, settings: Settings) -> stores.Draft:
        """The draft of the version that this run publishes."""
        return stores.Draft(
            source=self.source,
            project=settings.data.project,
            window=self.window if settings.data.score is None else f"{self.window} of {settings.data.score.path}",
            champion_run=str(self.champion.run),
            model_sha256=str(self.champion.sha256),
            log_seq=self.log_seq,
            log_sha256=self.log_sha256,
            time=self.time,
            shards=len(self.shards),
        )


def resolve_serving(settings: Settings, *, source: str, upstream: str, window: str, report: Reporter) -> Serving:
    """Admit the champion of the log, or the run `upstream` if it may serve, and divide the window into shards.

    A served version whose model has been revoked stays until this run replaces it.

    Raises:
        AdmissionError: no model may serve.
        LogError: the log cannot be read or trusted; nothing was changed.
        DataError: the window has no rows, or the table cannot be read.
        StoreError: the store cannot be used.
    """
    log, store, now = open_log(settings), withdrawal.open_prediction_store(settings), datetime.now(UTC)
    versions = store.versions(settings.data.project)
    trusted_head = withdrawal.last_published_head(versions)
    served = withdrawal.find_served_revoked(versions, admission.load_revoked_models(log, trusted_head=trusted_head))
    if served is not None:
        report(
            f"version {served.version} is served although its model was revoked: it stays until this run has published"
            f" its successor, or until {withdrawal.WITHDRAW_COMMAND}",
            event="revoked_served",
            version=served.version,
            run=served.draft.champion_run,
        )
    replaces = None if served is None else served.version
    with withdrawal.mention_revoked_version(replaces, store, settings.data.project):
        admitted = admission.admit(log, now=now, run=upstream, trusted_head=trusted_head)
        serving = _plan(settings, admitted, source=source, upstream=upstream, window=window, now=now, report=report)
    return serving.model_copy(update={"replaces": replaces})


def _plan(
    settings: Settings,
    admitted: admission.Admission,
    *,
    source: str,
    upstream: str,
    window: str,
    now: datetime,
    report: Reporter,
) -> Serving:
    champion = admitted.champion
    period = _resolve_window(settings, champion, window)
    plan = data.plan_window(settings.data, period, root=data_files(settings), batch_rows=settings.platform.batch_rows)
    table = f" of {settings.data.score.path}" if settings.data.score else ""
    pieces, size = plan.pieces, -(-len(plan.pieces) // settings.platform.shards)
    report(
        f"champion is {champion.run}, promoted by entry {champion.seq}; predicting {plan.rows:,} rows of"
        f" {period}{table}",
        event="admitted",
        run=champion.run,
        entry=champion.seq,
        head=admitted.head.seq,
        window=period,
        rows=plan.rows,
    )
    return Serving(
        champion=champion,
        log_seq=admitted.head.seq,
        log_sha256=admitted.head.digest,
        upstream=upstream,
        source=source,
        window=period,
        rows=plan.rows,
        time=now,
        shards=tuple(pieces[start : start + size] for start in range(0, len(pieces), size)),
    )


def _resolve_window(settings: Settings, champion: Champion, window: str) -> str:
    """The window to predict: as asked for, else the period after the one that the champion was judged on.

    A champion that was judged on no period predicts the newest one of the table, and without a column of time all rows.
    """
    if window:
        return window
    if settings.data.time is None or champion.as_of is None:
        return data.newest_window(settings.data, root=data_files(settings), batch_rows=settings.platform.batch_rows)
    return data.next_period(champion.as_of, settings.data.period)


def stage_shard(settings: Settings, serving: Serving, shard: int, *, report: Reporter) -> None:
    """Score one shard batch by batch and stage it, whole or not at all. A shard that is staged already is skipped.

    Raises LockgateError if the model is not the one that was judged, if rows cannot be scored, or if scores must not be
    served. The last version then stays.
    """
    store, draft = withdrawal.open_prediction_store(settings), serving.draft(settings)
    if shard in store.staged_shards(draft):
        report(f"shard {shard} is staged already", event="shard_resumed", shard=shard)
        return
    with withdrawal.mention_revoked_version(serving.replaces, store, draft.project):
        _stage(settings, serving, shard, store, report=report)


def _stage(settings: Settings, serving: Serving, shard: int, store: stores.Store, *, report: Reporter) -> None:
    model = load_champion(serving.champion)
    where = f"shard {shard} of {serving.window}"
    with stores.spool_rows(
        _score_batches(settings, serving, shard, model), task=settings.data.task, where=where
    ) as spool:
        with spool.rows() as rows:
            store.stage(serving.draft(settings), shard, rows, spool.tally)
        report(
            f"scored {spool.tally.rows:,} rows in shard {shard}",
            event="shard_staged",
            shard=shard,
            rows=spool.tally.rows,
        )


def _score_batches(settings: Settings, serving: Serving, shard: int, model: Fitted) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for rows in data.read_window(
        settings.data,
        serving.window,
        serving.shards[shard],
        root=data_files(settings),
        batch_rows=settings.platform.batch_rows,
    ):
        yield pa.record_batch({"key": rows.row_ids, "score": model.score(rows.frame)})


def publish_version(settings: Settings, serving: Serving, *, report: Reporter) -> int:
    """Make the staged shards the current version, withdraw those of revoked models with it, and return its number.

    The log is read again right before, because hours may have passed in a queue, in retries or until a run was resumed.

    Raises:
        AdmissionError: the model may no longer serve, or another model is champion by now.
        StoreError: shards are missing or must not be served. The last version then stays.
    """
    log, store, project = open_log(settings), withdrawal.open_prediction_store(settings), settings.data.project
    trusted_head = admission.TrustedHead(seq=serving.log_seq, digest=serving.log_sha256)
    before, revoked = store.versions(project), admission.load_revoked_models(log, trusted_head=trusted_head)
    served = withdrawal.find_served_revoked(before, revoked)
    with withdrawal.mention_revoked_version(None if served is None else served.version, store, project):
        admitted = _still_admitted(log, serving, trusted_head)
        serving = serving.model_copy(update={"log_seq": admitted.head.seq, "log_sha256": admitted.head.digest})
        version = stores.publish_draft(
            store,
            serving.draft(settings),
            expected_rows=serving.rows,
            max_drift=settings.store.max_drift,
            keep=settings.store.keep,
            revoked=admitted.revoked,
        )
    report(
        f"published {version.rows:,} predictions as version {version.version}",
        event="published",
        version=version.version,
        rows=version.rows,
        run=version.draft.champion_run,
    )
    if due := stores.find_model_versions(before, revoked):
        remaining = stores.find_model_versions(store.versions(project), revoked)
        if withdrawn := [number for number in due if number not in remaining]:
            numbers = ", ".join(map(str, withdrawn))
            report(
                f"withdrew version {numbers} at the same time: its model was revoked",
                event="withdrawn",
                versions=withdrawn,
            )
    return version.version


def _still_admitted(log: Log, serving: Serving, trusted_head: admission.TrustedHead) -> admission.Admission:
    """The admission of the same model under the present head of the log. Raises as `publish_version` does."""
    admitted = admission.admit(log, now=datetime.now(UTC), run=serving.upstream, trusted_head=trusted_head)
    if admitted.champion.seq != serving.champion.seq:
        raise AdmissionError(
            f"{admitted.champion.run} reigns by now, promoted by entry {admitted.champion.seq}",
            expected=f"{serving.champion.run}, the champion when this run began",
            hint="nothing was published; the last version stays; run Predict again",
        )
    return admitted
