"""Which model may serve, and what it publishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from gates import runs
from gates.errors import AdmissionError
from gates.log import Log
from gates.state import Champion, State
from pipelines import data, stores
from pipelines.evaluation import load_champion
from pipelines.settings import ROOT, Settings

SKEW = timedelta(minutes=5)
"""How far the clocks of the judge and of this machine may lie apart."""


class Admitted(BaseModel):
    """A model that may serve, as of an entry of the promotion log, and the window it is to predict."""

    model_config = ConfigDict(frozen=True)
    champion: Champion
    log_seq: int
    window: str


def admit(settings: Settings, *, upstream: str, window: str, say: Callable[[str], None]) -> Admitted:
    """The champion of the log, or the run `upstream` where that is admissible, and the window.

    Raises:
        AdmissionError: there is no champion, `upstream` was never promoted, or the promotion has expired.
        LogError: the log cannot be read.
    """
    project = settings.data.project
    state = Log(runs.log_store(project), project=project).state()
    champion = admissible(state, upstream=upstream, now=datetime.now(UTC))
    period = window or (data.next_period(champion.as_of or settings.as_of) if settings.data.time else "all")
    say(f"champion is {champion.run}, promoted by entry {champion.seq}; predicting {period}")
    return Admitted(champion=champion, log_seq=state.seq, window=period)


def admissible(state: State, *, upstream: str, now: datetime) -> Champion:
    """The model that may serve under `state` at `now`: the champion, or a former one that `upstream` names."""
    hint = "the last good predictions stay"
    if state.champion is None:
        raise AdmissionError("no model has been promoted yet", hint="`make evaluate model=xgb` trains and judges one")
    champion = state.champion
    if upstream:
        promoted = {str(one.run): one for one in (state.champion, *state.predecessors)}
        names = {name.rpartition("/")[2]: name for name in promoted}
        found = promoted.get(upstream) or promoted.get(names.get(upstream, ""))
        if found is None:
            raise AdmissionError(
                f"run {upstream[:80]!r} was never promoted", expected=f"one of {', '.join(promoted)}", hint=hint
            )
        champion = found
    if champion.valid_until is not None and now > champion.valid_until + SKEW:
        raise AdmissionError(
            f"the promotion of {champion.run} expired at {champion.valid_until.isoformat(timespec='minutes')}",
            expected="a promotion that is still valid",
            hint=f"evaluate again; {hint}",
        )
    return champion


def publish(settings: Settings, admitted: Admitted, *, source: str, say: Callable[[str], None]) -> int:
    """Score the window with the admitted model and publish it; the number of the new version.

    Raises:
        LockgateError: a model that is not what was judged, rows that cannot be scored, a batch that must not be
            served. The last version then stays.
    """
    model = load_champion(admitted.champion)
    table = data.load(settings.data, root=ROOT)
    rows = data.window(table, admitted.window)
    say(f"scoring {len(rows.row_ids):,} rows of {admitted.window}")
    batch = stores.Batch(
        source=source,
        project=settings.data.project,
        keys=[str(key) for key in rows.row_ids],
        scores=model.score(rows.frame),
        window=admitted.window,
        champion_run=str(admitted.champion.run),
        model_sha256=str(admitted.champion.sha256),
        log_seq=admitted.log_seq,
        time=datetime.now(UTC),
    )
    stores.check(batch, expected_rows=len(rows.frame), task=settings.data.task)
    version = stores.open_store(settings.store, home=runs.home()).publish(batch)
    say(f"published {version.rows:,} predictions as version {version.version}")
    return version.version
