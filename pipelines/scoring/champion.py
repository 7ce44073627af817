"""The champion, ready to score beside a challenger: from the promotion log, or from a bundle of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockgate.gates import runs
from lockgate.gates.durations import period_days
from lockgate.gates.errors import EvidenceError, LockgateError, ModelError, SettingsError
from lockgate.gates.records.state import Champion, State
from lockgate.pipelines.data.fresh import UsedRows
from lockgate.pipelines.data.times import Period, parse_period
from lockgate.pipelines.models import Fitted, load_model
from lockgate.pipelines.promotion.actor import clock
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.scoring.used_rows import find_used_rows
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.gates.log import Log, LogEntry
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.promotion.bundle import Bundle


class Loader(Protocol):
    """What makes a model of bytes: `load_model`, in this process, or `Confinement.load`, in others."""

    def __call__(self, format: str, blob: bytes, *, sha256: str) -> Fitted: ...  # noqa: A002


@dataclass(frozen=True, slots=True, kw_only=True)
class Reigning:
    """The champion, its model, and the fact `features` of its run (None if that is gone)."""

    champion: Champion
    model: Fitted
    features: object
    used: UsedRows | None  # rows that are fresh no longer; None unless fresh rows are held out

    def score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """The champion's scores (n,) of these rows. Raises ModelError, which says that it is the champion's."""
        try:
            return self.model.score(frame)
        except ModelError as err:
            raise ModelError(
                f"the champion, {self.champion.run}, cannot score these rows: {err.problem}",
                expected=err.expected,
                where=err.where,
                hint=err.hint,
            ) from err


def check_untrained(reigning: Reigning | None, settings: Settings, periods: Sequence[str]) -> None:
    """Raise SettingsError if the champion was trained on one of the held-out periods, by name, ascending.

    The champion is one model, not a recipe that is fitted again for each origin: it can only be compared on periods
    after those that it learned from, and it learned from those before the last one that it was judged on.
    """
    if reigning is None or settings.data.holdout.kind != "rolling" or not reigning.champion.as_of:
        return
    kind, judged_on = settings.data.period, period_days(reigning.champion.as_of)
    if judged_on is None:
        return
    trained = [period for period in periods if parse_period(period, kind, where="as_of").first_day < judged_on[0]]
    if not trained:
        return
    earliest = Period.of_day(judged_on[0], kind)
    first = earliest.shift(len(periods) - (earliest.first_day == judged_on[0]))
    left = len(periods) - len(trained)
    fewer = f", or data.holdout.periods: {left}" if left > 1 else ""
    raise SettingsError(
        f"the champion, {reigning.champion.run}, was trained on {trained[-1]}: there it cannot be compared",
        expected=f"as_of={first} or later, so that all {len(periods)} {kind}s lie after its training{fewer}",
        where="as_of, data.holdout.periods",
    )


def load_from_log(settings: Settings, policy: Policy, *, load: Loader) -> Reigning | None:
    """The champion of the promotion log; None if there is none yet."""
    log = open_log(settings)
    champion = log.state().champion
    if champion is None:
        return None
    try:
        features = runs.load_facts(champion.run or "").get("features")
    except EvidenceError:
        features = None
    return Reigning(
        champion=champion,
        model=load_champion(champion, load=load),
        features=features,
        used=find_used_rows(log, settings.data, policy),
    )


def load_from_bundle(settings: Settings, path: Path, *, load: Loader) -> Reigning | None:
    """The champion of a bundle, checked with the keys of conf/platform; needs neither the log nor the datastore."""
    from lockgate.pipelines.promotion import bundle

    return load_bundled_champion(bundle.read_trusted_bundle(path, settings), settings, load=load)


def load_bundled_champion(bundled: Bundle, settings: Settings, *, load: Loader) -> Reigning | None:
    """The champion of a checked bundle; None if the bundle shows that there never was one.

    Raises LockgateError if fresh rows are held out and the bundle does not say which are.
    """
    if bundled.admitted is None:
        return None
    champion = bundled.admitted.champion
    model = load(champion.format or "", bundled.model, sha256=champion.sha256 or "")
    used = None if bundled.used is None else UsedRows.parse(bundled.used)
    if used is None and settings.data.holdout.kind == "fresh":
        raise LockgateError(
            "the bundle does not say which rows are fresh",
            expected="one that was made where conf/data has `holdout: {kind: fresh}`",
            hint="`lockgate bundle` makes it again",
        )
    return Reigning(champion=champion, model=model, features=bundled.features, used=used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """The champion that candidates are compared with, if any, and whether the log shows that there never was one."""

    reigning: Reigning | None
    state: State | None  # the state of the log that shows it
    words: str  # the comparison, in words
    uncompared: str  # why nothing can be compared if the log does not show that there never was a champion; else empty


def find_opponent(settings: Settings, path: Path | None, *, load: Loader) -> Opponent:
    """The champion in the bundle at `path`; without a bundle, what the promotion log of conf/platform shows.

    An empty log shows nothing: a machine that cannot reach the log of production sees an empty one, too.

    Raises LockgateError for a bundle that fails its checks, and if the log has a champion but no bundle is given.
    """
    from lockgate.pipelines.promotion import bundle

    if path is None:
        return _without_bundle(settings)
    bundled = bundle.read_trusted_bundle(path, settings)
    refusal = bundled.refusal(clock())
    words = f"{_beside(bundled)}; {refusal}" if refusal else _beside(bundled)
    reigning = load_bundled_champion(bundled, settings, load=load)
    return Opponent(reigning=reigning, state=bundled.head.state, words=words, uncompared="")


def _beside(bundled: Bundle) -> str:
    if bundled.admitted is None:
        return _never(bundled.log, bundled.head)
    return f"beside {bundled.admitted.champion.run}, the champion {_as_of(bundled.log, bundled.head)}"


def _without_bundle(settings: Settings) -> Opponent:
    try:
        log = open_log(settings)
        head = log.head()
    except LockgateError as err:
        return _unknown(f"the promotion log cannot be read: {err}")
    if head is None:
        return _unknown("the promotion log that can be reached from here has no entry, which shows nothing")
    if champion := head.state.champion:
        raise LockgateError(
            f"{champion.run or 'a model'} is the champion, but nothing would be compared with it",
            expected="--bundle FILE",
            where=f"entry {head.seq} of the promotion log",
            hint="`lockgate bundle --out champion.tar` writes it",
        )
    if head.state.vacancy:
        return _unknown(head.state.vacancy)
    return Opponent(reigning=None, state=head.state, words=_never(log, head), uncompared="")


def _unknown(why: str) -> Opponent:
    return Opponent(reigning=None, state=None, words=f"alone, and compared with nothing: {why}", uncompared=why)


def _never(log: Log, head: LogEntry) -> str:
    return f"alone, as there never was a champion {_as_of(log, head)}: comparisons are skipped"


def _as_of(log: Log, head: LogEntry) -> str:
    return f"as of {head.time:%Y-%m-%d} (entry {head.seq}{'' if log.keyring.requires_signatures else ', unsigned'})"


def load_champion(champion: Champion, *, load: Loader = load_model) -> Fitted:
    """The champion's model, from its run. Its digest is checked before it is parsed."""
    return load(champion.format or "", runs.load_model_bytes(champion.run or ""), sha256=champion.sha256 or "")
