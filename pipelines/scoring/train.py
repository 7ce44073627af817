"""Train a challenger, score it beside the champion, and put the scores into evidence. Judges nothing."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.pipelines import data
from lockgate.pipelines.data import Split
from lockgate.pipelines.models import MODELS, Fitted, load_model
from lockgate.pipelines.promotion.events import Reporter
from lockgate.pipelines.scoring import champion, parity
from lockgate.pipelines.scoring.champion import load_champion
from lockgate.pipelines.scoring.distributions import SCORED_ROWS, count_distributions, count_scores, spread_rows
from lockgate.pipelines.scoring.evidence import CandidateModel, Evaluated, parity_problem, score_holdout
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

__all__ = ["Evaluated", "load_champion", "train_and_score"]


def train_and_score(settings: Settings, *, run: str, report: Reporter, bundle: str = "") -> Evaluated:
    """Fit the configured model, and score it and the champion on the same holdout rows.

    The challenger is scored from its own bytes, loaded again, so that the model that is judged is the one production
    will load. A fresh process, which imports what it needs while this one reads and fits, scores some of the rows once
    more. The champion comes from the promotion log, or from the file or folder `bundle` without reading the log.

    Raises:
        LockgateError: data, model, champion, log or bundle are not as they should be; one line each.
    """
    with parity.fresh_process(settings.model.name, declared=settings.platform.environment) as fresh:
        return _evaluate(settings, run=run, report=report, bundle=bundle, fresh=fresh)


def _evaluate(settings: Settings, *, run: str, report: Reporter, bundle: str, fresh: parity.FreshProcess) -> Evaluated:
    split = _split(settings, report)
    reigning = champion.load_from_bundle(settings, Path(bundle)) if bundle else champion.load_from_log(settings)
    fitted, fit_seconds = _fit(settings, split)
    report(f"{settings.model.name} fitted in {fit_seconds:.1f} s", event="fitted", seconds=round(fit_seconds, 3))
    blob = fitted.to_bytes()
    sha256 = hashlib.sha256(blob).hexdigest()
    challenger = load_model(fitted.format, blob, sha256=sha256)
    candidate = CandidateModel(
        name=settings.model.name,
        format=fitted.format,
        sha256=sha256,
        blob=blob,
        trained={
            "rows": {"train": len(split.train), "without_outcome": _left_out(split)},
            "fit_seconds": round(fit_seconds, 3),
            "features": count_distributions(split.train, split.holdout),
            "scores": count_scores(challenger.score(split.train.iloc[spread_rows(len(split.train), SCORED_ROWS)])),
        },
        train_row_hashes=hash_row_ids(split.train_row_ids),
    )
    evaluated = score_holdout(settings, split, candidate, challenger, run=run, reigning=reigning, fresh=fresh)
    if problem := parity_problem(evaluated):
        report(f"the model was not scored again: {problem}")
    report(
        f"scored beside the champion of {reigning.champion.run}"
        if reigning
        else "scored alone: there is no champion yet"
    )
    return evaluated


def _split(settings: Settings, report: Reporter) -> Split:
    report(f"reading {settings.data.project}")
    split = data.split(
        data.load(settings.data, root=data_files(settings)), settings.data, settings.train, settings.as_of
    )
    report(
        f"{len(split.train):,} rows to train on, {len(split.holdout):,} held out,"
        f" {_left_out(split):,} without outcome left out"
    )
    return split


def _left_out(split: Split) -> int:
    return split.train_without_outcome + split.holdout_without_outcome


def _fit(settings: Settings, split: Split) -> tuple[Fitted, float]:
    """The model, and the seconds it took to fit."""
    started = time.perf_counter()
    model = MODELS[settings.model.name]
    fitted = model.fit(
        split.train,
        split.train_labels,
        params=settings.model.params,
        task=settings.data.task,
        seed=settings.seed,
    )
    return fitted, time.perf_counter() - started
