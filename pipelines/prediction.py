"""Which model may serve, and what it publishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from gates import admission, runs
from gates.errors import AdmissionError
from gates.state import Champion
from pipelines import data, stores
from pipelines.evaluation import load_champion
from pipelines.promotion_log import open_log
from pipelines.settings import ROOT, Settings


class Serving(BaseModel):
    """What one run of Predict serves: a model that was admitted, as of a head of the promotion log, and a window.

    `upstream` is the run that was asked for; empty where the champion of the moment was.
    """

    model_config = ConfigDict(frozen=True)
    champion: Champion
    log_seq: int
    log_sha256: str
    window: str
    upstream: str


def resolve(settings: Settings, *, upstream: str, window: str, say: Callable[[str], None]) -> Serving:
    """The champion of the log, or the run `upstream` where that is admissible, and the window.

    Raises AdmissionError where nothing may serve, LogError where the log cannot be read or trusted.
    """
    now = datetime.now(UTC)
    admitted = admission.admit(open_log(settings), now=now, run=upstream, seen=_seen(settings))
    champion = admitted.champion
    period = window or (data.next_period(champion.as_of or settings.as_of) if settings.data.time else "all")
    say(f"champion is {champion.run}, promoted by entry {champion.seq}; predicting {period}")
    return Serving(
        champion=champion, log_seq=admitted.head.seq, log_sha256=admitted.head.digest, window=period, upstream=upstream
    )  # fmt: skip


def _seen(settings: Settings) -> admission.Seen | None:
    """The head of the log under which a version was published last: nothing before it is followed again."""
    versions = stores.open_store(settings.store, home=runs.home()).versions(settings.data.project)
    last = max(versions, key=lambda one: one.log_seq, default=None)
    return None if last is None else admission.Seen(seq=last.log_seq, digest=last.log_sha256)


def publish(settings: Settings, serving: Serving, *, source: str, say: Callable[[str], None]) -> int:
    """Score the window with the admitted model and publish it; the number of the new version.

    The log is asked again right before: hours may lie between, in a queue, in retries, in a resumed run.

    Raises:
        AdmissionError: the model may serve no more, or another one reigns by now.
        LockgateError: a model that is not what was judged, rows that cannot be scored, a batch that must not be
            served. The last version then stays.
    """
    model = load_champion(serving.champion)
    table = data.load(settings.data, root=ROOT)
    rows = data.window(table, serving.window)
    say(f"scoring {len(rows.row_ids):,} rows of {serving.window}")
    scores = model.score(rows.frame)
    head = _still_admitted(settings, serving)
    batch = stores.Batch(
        source=source,
        project=settings.data.project,
        keys=[str(key) for key in rows.row_ids],
        scores=scores,
        window=serving.window,
        champion_run=str(serving.champion.run),
        model_sha256=str(serving.champion.sha256),
        log_seq=head.seq,
        log_sha256=head.digest,
        time=datetime.now(UTC),
    )
    stores.check(batch, expected_rows=len(rows.frame), task=settings.data.task)
    version = stores.open_store(settings.store, home=runs.home()).publish(batch)
    say(f"published {version.rows:,} predictions as version {version.version}")
    return version.version


def _still_admitted(settings: Settings, serving: Serving) -> admission.Seen:
    """The head of the log under which the model may serve now. Raises as `publish` does."""
    seen = admission.Seen(seq=serving.log_seq, digest=serving.log_sha256)
    found = admission.admit(open_log(settings), now=datetime.now(UTC), run=serving.upstream, seen=seen)
    if found.champion.seq != serving.champion.seq:
        raise AdmissionError(
            f"{found.champion.run} reigns by now, promoted by entry {found.champion.seq}",
            expected=f"{serving.champion.run}, as when this run began",
            hint="nothing was published, the last version stays; run Predict again",
        )
    return found.head
