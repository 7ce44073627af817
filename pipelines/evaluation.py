"""Train a challenger, score it beside the champion, and put what was seen into evidence. Judges nothing."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gates import runs
from gates.errors import EvidenceError
from gates.evidence import Evidence
from gates.row_ids import hash_row_ids
from gates.state import Champion
from pipelines import data, parity
from pipelines.distributions import SCORED_ROWS, counted_again, distributions, of_scores, spread
from pipelines.measuring import code_state, peak_memory_mb, predict_ms_per_1000
from pipelines.models import MODELS, Fitted, load_model
from pipelines.promotion_log import open_log
from pipelines.settings import ROOT, Settings

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.data import Split

FACTS_VERSION = 2

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The three artifacts of a run: Arrow IPC bytes, JSON text, and the model's bytes."""

    evidence: bytes
    facts: str
    model: bytes


def evaluate(settings: Settings, *, run: str, say: Say) -> Evaluated:
    """Fit the declared model, score it and the reigning champion on the same holdout rows.

    The challenger is scored from its own bytes, loaded again: what is judged is what production will load. A fresh
    process, which imports what it needs while this one reads and fits, scores some of the rows once more.

    Raises:
        LockgateError: data, model, champion or log that are not as they should be; one line each.
    """
    with parity.fresh_process(settings.model.name) as fresh:
        return _evaluate(settings, run=run, say=say, fresh=fresh)


def _evaluate(settings: Settings, *, run: str, say: Say, fresh: parity.FreshProcess) -> Evaluated:
    split = _split(settings, say)
    left_out = split.train_without_outcome + split.holdout_without_outcome
    champion = open_log(settings).state().champion
    fitted, fit_seconds = _fit(settings, split)
    say(f"{settings.model.name} fitted in {fit_seconds:.1f} s")

    blob = fitted.to_bytes()
    sha256 = hashlib.sha256(blob).hexdigest()
    challenger = load_model(fitted.format, blob, sha256=sha256)
    p50, p99 = predict_ms_per_1000(challenger, split.holdout)
    some = spread(len(split.holdout), parity.ROWS)
    again = fresh.score(fitted.format, blob, sha256=sha256, frame=split.holdout.iloc[some])
    scores = challenger.score(split.holdout)
    trained = challenger.score(split.train.iloc[spread(len(split.train), SCORED_ROWS)])
    beside = None if champion is None else load_champion(champion).score(split.holdout)
    facts: dict[str, Any] = {
        "version": FACTS_VERSION,
        "project": settings.data.project,
        "as_of": settings.as_of,
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "challenger": {"run": run, "model": settings.model.name, "format": fitted.format, "sha256": sha256},
        "champion": champion and _champion_facts(champion, split.holdout),
        "config_sha256": settings.digest,
        "code": code_state(ROOT),
        "rows": {"train": len(split.train), "holdout": len(split.holdout), "without_outcome": left_out},
        "fit_seconds": round(fit_seconds, 3),
        "predict_ms_per_1000_p50": p50,
        "predict_ms_per_1000_p99": p99,
        "model_bytes": len(blob),
        "peak_memory_mb": peak_memory_mb(),
        "features": distributions(split.train, split.holdout),
        "scores": of_scores(trained),
        "versions": {name: version(name) for name in ("lockgate", "numpy", "pandas", "scikit-learn")},
    }
    evidence = Evidence.from_arrays(
        label=split.labels,
        challenger=scores,
        champion=beside,
        row_id=split.row_ids,
        cluster=split.clusters,
        weight=split.weights,
        time=split.times,
        slices=split.slices,
        task=settings.data.task,
        facts={**facts, "train_row_hashes": hash_row_ids(split.train_row_ids)},
    )
    facts |= {"data": _digests(evidence), "parity": parity.compared(again, scores[some])}
    if problem := facts["parity"].get("problem"):
        say(f"the model was not scored again: {problem}")
    say(f"scored beside the champion of {champion.run}" if champion else "scored alone: there is no champion yet")
    return Evaluated(
        evidence=replace(evidence, facts=facts).to_bytes(), facts=json.dumps(facts, sort_keys=True), model=blob
    )


def load_champion(champion: Champion) -> Fitted:
    """The champion's model, from its run; its digest is checked before it is parsed."""
    return load_model(champion.format or "", runs.model_bytes(champion.run or ""), sha256=champion.sha256 or "")


def _split(settings: Settings, say: Say) -> Split:
    say(f"reading {settings.data.project}")
    split = data.split(data.load(settings.data, root=ROOT), settings.data, settings.train, settings.as_of)
    left_out = split.train_without_outcome + split.holdout_without_outcome
    say(
        f"{len(split.train):,} rows to train on, {len(split.holdout):,} held out, {left_out:,} without outcome left out"
    )
    return split


def _fit(settings: Settings, split: Split) -> tuple[Fitted, float]:
    """The model, and the seconds that fitting it took."""
    started = time.perf_counter()
    model = MODELS[settings.model.name]
    fitted = model.fit(
        split.train,
        split.train_labels,
        params=model.Params.model_validate(settings.model.model_extra or {}),
        task=settings.data.task,
        seed=settings.seed,
    )
    return fitted, time.perf_counter() - started


def _champion_facts(champion: Champion, holdout: pd.DataFrame) -> dict[str, Any]:
    """Which model reigns, and what it was trained on beside these holdout rows, where its run said so."""
    try:
        told = runs.facts(champion.run or "").get("features")
    except EvidenceError:
        told = None
    return {"run": champion.run, "sha256": champion.sha256, "features": counted_again(told, holdout)}


def _digests(evidence: Evidence) -> Mapping[str, str | None]:
    return {"holdout_sha256": evidence.holdout, "train_sha256": evidence.train_digest}
