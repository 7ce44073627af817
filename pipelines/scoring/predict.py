"""Which model may serve, what it predicts in which shard, and how that becomes a version."""

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
from lockgate.pipelines.promotion.events import Say
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.scoring import withdrawal
from lockgate.pipelines.scoring.champion import load_champion
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from lockgate.pipelines.models import Fitted


class Serving(BaseModel):
    """What one run of Predict serves: a model that was admitted as of a head of the promotion log, on which rows.

    `upstream` is the run that was asked for; empty where the champion of the moment was. `replaces` is the version that
    was served when this began although its model was revoked; it stays until this one is published.
    """

    model_config = ConfigDict(frozen=True)
    champion: Champion
    log_seq: int
    log_sha256: str
    upstream: str
    source: str  # the run that predicts
    window: str
    rows: int  # in the window
    shards: tuple[tuple[data.Piece, ...], ...]  # the pieces of the table that each shard scores
    time: datetime
    replaces: int | None = None

    def draft(self, settings: Settings) -> stores.Draft:
        """The version that this becomes."""
        return stores.Draft(
            source=self.source,
            project=settings.data.project,
            window=self.window,
            champion_run=str(self.champion.run),
            model_sha256=str(self.champion.sha256),
            log_seq=self.log_seq,
            log_sha256=self.log_sha256,
            time=self.time,
            shards=len(self.shards),
        )


def resolve(settings: Settings, *, source: str, upstream: str, window: str, say: Say) -> Serving:
    """The champion of the log, or the run `upstream` where that is admissible, and the window in shards.

    Versions of models that were revoked since stay, until this one takes their place.

    Raises:
        AdmissionError: nothing may serve.
        LogError: the log cannot be read or trusted; nothing is changed.
        DataError: the window has no rows, or the table cannot be read.
        StoreError: the store cannot be used.
    """
    log, store, now = open_log(settings), withdrawal.open_store(settings), datetime.now(UTC)
    versions = store.versions(settings.data.project)
    seen = withdrawal.last_seen(versions)
    served = withdrawal.served_though_revoked(versions, admission.load_revoked_models(log, trusted_head=seen))
    if served is not None:
        say(
            f"version {served.version} is served although its model was revoked: it stays until this run has published"
            f" its successor, or until {withdrawal.NOW}",
            event="revoked_served",
            version=served.version,
            run=served.draft.champion_run,
        )
    replaces = None if served is None else served.version
    with withdrawal.naming_what_is_served(replaces, store, settings.data.project):
        admitted = admission.admit(log, now=now, run=upstream, trusted_head=seen)
        serving = _planned(settings, admitted, source=source, upstream=upstream, window=window, now=now, say=say)
    return serving.model_copy(update={"replaces": replaces})


def _planned(
    settings: Settings,
    admitted: admission.Admission,
    *,
    source: str,
    upstream: str,
    window: str,
    now: datetime,
    say: Say,
) -> Serving:
    champion = admitted.champion
    period = window or (data.next_period(champion.as_of or settings.as_of) if settings.data.time else "all")
    plan = data.planned(settings.data, period, root=data_files(settings), batch_rows=settings.platform.batch_rows)
    pieces, size = plan.pieces, -(-len(plan.pieces) // settings.platform.shards)
    say(
        f"champion is {champion.run}, promoted by entry {champion.seq}; predicting {plan.rows:,} rows of {period}",
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
        shards=tuple(pieces[at : at + size] for at in range(0, len(pieces), size)),
    )


def score(settings: Settings, serving: Serving, shard: int, *, say: Say) -> None:
    """Score one shard and stage it: batch by batch, whole or not at all; where it is staged already, do nothing.

    Raises LockgateError for a model that is not what was judged, rows that cannot be scored, scores that must not be
    served. The last version then stays.
    """
    store, draft = withdrawal.open_store(settings), serving.draft(settings)
    if shard in store.staged(draft):
        say(f"shard {shard} is staged already", event="shard_resumed", shard=shard)
        return
    with withdrawal.naming_what_is_served(serving.replaces, store, draft.project):
        _stage(settings, serving, shard, store, say=say)


def _stage(settings: Settings, serving: Serving, shard: int, store: stores.Store, *, say: Say) -> None:
    model = load_champion(serving.champion)
    where = f"shard {shard} of {serving.window}"
    with stores.spooled(_scored(settings, serving, shard, model), task=settings.data.task, where=where) as spool:
        with spool.rows() as rows:
            store.stage(serving.draft(settings), shard, rows, spool.tally)
        say(
            f"scored {spool.tally.rows:,} rows in shard {shard}",
            event="shard_staged",
            shard=shard,
            rows=spool.tally.rows,
        )


def _scored(settings: Settings, serving: Serving, shard: int, model: Fitted) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for rows in data.windows(
        settings.data,
        serving.window,
        serving.shards[shard],
        root=data_files(settings),
        batch_rows=settings.platform.batch_rows,
    ):
        yield pa.record_batch({"key": rows.row_ids, "score": model.score(rows.frame)})


def publish(settings: Settings, serving: Serving, *, say: Say) -> int:
    """Make the staged shards the current version; its number. At the same moment those of revoked models are withdrawn.

    The log is asked again right before: hours may lie between, in a queue, in retries, in a resumed run.

    Raises:
        AdmissionError: the model may serve no more, or another one reigns by now.
        StoreError: shards that are missing, or that must not be served. The last version then stays.
    """
    log, store, project = open_log(settings), withdrawal.open_store(settings), settings.data.project
    seen = admission.TrustedHead(seq=serving.log_seq, digest=serving.log_sha256)
    before, revoked = store.versions(project), admission.load_revoked_models(log, trusted_head=seen)
    served = withdrawal.served_though_revoked(before, revoked)
    with withdrawal.naming_what_is_served(None if served is None else served.version, store, project):
        admitted = _still_admitted(log, serving, seen)
        serving = serving.model_copy(update={"log_seq": admitted.head.seq, "log_sha256": admitted.head.digest})
        version = stores.publish(
            store,
            serving.draft(settings),
            expected_rows=serving.rows,
            max_drift=settings.store.max_drift,
            keep=settings.store.keep,
            revoked=admitted.revoked,
        )
    say(
        f"published {version.rows:,} predictions as version {version.version}",
        event="published",
        version=version.version,
        rows=version.rows,
        run=version.draft.champion_run,
    )
    if due := stores.of_models(before, revoked):
        remaining = stores.of_models(store.versions(project), revoked)
        if withdrawn := [number for number in due if number not in remaining]:
            numbers = ", ".join(map(str, withdrawn))
            say(f"withdrew version {numbers} with it: the model was revoked", event="withdrawn", versions=withdrawn)
    return version.version


def _still_admitted(log: Log, serving: Serving, seen: admission.TrustedHead) -> admission.Admission:
    """The model, which may serve now as of a head of the log. Raises as `publish` does."""
    found = admission.admit(log, now=datetime.now(UTC), run=serving.upstream, trusted_head=seen)
    if found.champion.seq != serving.champion.seq:
        raise AdmissionError(
            f"{found.champion.run} reigns by now, promoted by entry {found.champion.seq}",
            expected=f"{serving.champion.run}, as when this run began",
            hint="nothing was published, the last version stays; run Predict again",
        )
    return found
