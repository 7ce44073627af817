"""The champion, ready to score beside a challenger: from the promotion log, or from a bundle of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockgate.gates import runs
from lockgate.gates.errors import EvidenceError, LockgateError, ModelError, SettingsError
from lockgate.gates.records.state import Champion, State
from lockgate.pipelines.data.settings import parse_month
from lockgate.pipelines.models import Fitted, load_model
from lockgate.pipelines.promotion.actor import clock
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.gates.log import Log, LogEntry
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
    """Raise SettingsError if the champion was trained on one of the held-out months, ascending and each YYYY-MM.

    The champion is one model, not a recipe that is fitted again for each origin: it can only be compared on months
    after those that it learned from, and it learned from the months before the last one that it was judged on.
    """
    if reigning is None or settings.data.holdout.kind != "rolling" or not reigning.champion.as_of:
        return
    since = reigning.champion.as_of
    trained = [period for period in periods if period < since]
    if not trained:
        return
    first = str(parse_month(since, where="as_of") + len(periods) - 1)
    left = len(periods) - len(trained)
    fewer = f", or data.holdout.months: {left}" if left > 1 else ""
    raise SettingsError(
        f"the champion, {reigning.champion.run}, was trained on {trained[-1]}: there it cannot be compared",
        expected=f"as_of={first} or later, so that all {len(periods)} months lie after its training{fewer}",
        where="as_of, data.holdout.months",
    )


def load_from_log(settings: Settings, *, load: Loader) -> Reigning | None:
    """The champion of the promotion log; None if there is none yet."""
    champion = open_log(settings).state().champion
    if champion is None:
        return None
    try:
        features = runs.load_facts(champion.run or "").get("features")
    except EvidenceError:
        features = None
    return Reigning(champion=champion, model=load_champion(champion, load=load), features=features)


def load_from_bundle(settings: Settings, path: Path, *, load: Loader) -> Reigning | None:
    """The champion of a bundle, checked with the keys of conf/platform; needs neither the log nor the datastore."""
    from lockgate.pipelines.promotion import bundle

    return load_bundled_champion(bundle.read_trusted_bundle(path, settings), load=load)


def load_bundled_champion(bundled: Bundle, *, load: Loader) -> Reigning | None:
    """The champion of a checked bundle; None if the bundle shows that there never was one."""
    if bundled.admitted is None:
        return None
    champion = bundled.admitted.champion
    model = load(champion.format or "", bundled.model, sha256=champion.sha256 or "")
    return Reigning(champion=champion, model=model, features=bundled.features)


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
    reigning = load_bundled_champion(bundled, load=load)
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
