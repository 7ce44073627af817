"""Who reigns, ready to score beside a challenger: from the promotion log, or from a bundle of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gates import runs
from gates.errors import EvidenceError
from gates.state import Champion
from pipelines.models import Fitted, load_model
from pipelines.promotion_log import open_log
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Reigning:
    """The champion, its model, and what its run said of the columns that it was trained on; None where that is gone."""

    champion: Champion
    model: Fitted
    features: object


def of_log(settings: Settings) -> Reigning | None:
    """The champion of the promotion log; None where there is none yet."""
    champion = open_log(settings).state().champion
    if champion is None:
        return None
    try:
        features = runs.facts(champion.run or "").get("features")
    except EvidenceError:
        features = None
    return Reigning(champion=champion, model=load_champion(champion), features=features)


def of_bundle(settings: Settings, path: Path) -> Reigning:
    """The champion of a bundle, which is checked by the keys of conf/platform; no log and no datastore is asked."""
    from pipelines import bundle

    return in_bundle(bundle.trusted(path, settings))


def in_bundle(held: Bundle) -> Reigning:
    """The champion of a bundle that was checked."""
    champion = held.admitted.champion
    model = load_model(champion.format or "", held.model, sha256=champion.sha256 or "")
    return Reigning(champion=champion, model=model, features=held.features)


def load_champion(champion: Champion) -> Fitted:
    """The champion's model, from its run; its digest is checked before it is parsed."""
    return load_model(champion.format or "", runs.model_bytes(champion.run or ""), sha256=champion.sha256 or "")
