"""Train a challenger, score it beside the champion, and put the scores into evidence. Judges nothing."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path

from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines import data
from lockgate.pipelines.data import Split, Table
from lockgate.pipelines.models import MODELS, Fitted, load_model
from lockgate.pipelines.promotion.events import Reporter
from lockgate.pipelines.scoring import champion
from lockgate.pipelines.scoring.champion import load_champion
from lockgate.pipelines.scoring.confined import Confinement, open_confinement
from lockgate.pipelines.scoring.distributions import SCORED_ROWS, count_distributions, count_scores, spread_rows
from lockgate.pipelines.scoring.evidence import (
    CandidateModel,
    Evaluated,
    ScoredPeriod,
    holdout_frame,
    parity_problem,
    score_holdout,
)
from lockgate.pipelines.scoring.holdout_size import check_size
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

__all__ = ["Evaluated", "load_champion", "score_period", "train_and_score"]


def train_and_score(settings: Settings, policy: Policy, *, run: str, report: Reporter, bundle: str = "") -> Evaluated:
    """Fit the configured model, and score it and the champion on the same holdout rows.

    With rolling origins the model is fitted once for each held-out period, on the rows before it, and that of the last
    one is the challenger. The champion's own model scores every period: see `champion.check_untrained`.

    `policy` judges nothing here. It says how many looks a holdout has, for the choice of fresh rows, and which holdout
    is too small to train for.

    The challenger is scored from its own bytes, loaded again, so that the model that is judged is the one production
    will load. Another process scores some of the rows once more: it imports libraries while this one reads and fits.
    The champion, which is scored in a process of its own as well, comes from the promotion log, or from the file or
    folder `bundle` without reading the log.

    Raises:
        TooFewRowsError: the holdout is too small for the policy; nothing was trained.
        LockgateError: data, model, champion, log or bundle are not as they should be; one line each.
    """
    with open_confinement(MODELS[settings.model.name].FORMAT) as confinement:
        return _evaluate(settings, policy, run=run, report=report, bundle=bundle, confinement=confinement)


def _evaluate(
    settings: Settings, policy: Policy, *, run: str, report: Reporter, bundle: str, confinement: Confinement
) -> Evaluated:
    report(f"reading {settings.data.project}")
    table = data.load(settings.data, root=data_files(settings), report=report)
    *before, last = data.list_periods(table, settings.data, settings.as_of)
    load = confinement.load
    reigning = (
        champion.load_from_bundle(settings, Path(bundle), load=load)
        if bundle
        else champion.load_from_log(settings, policy, load=load)
    )
    champion.check_untrained(reigning, settings, (*before, last))
    split = data.split(table, settings.data, settings.train, last, used=reigning.used if reigning else None)
    rows = [*(_drop_training(data.split(table, settings.data, settings.train, period)) for period in before), split]
    check_size(rows, settings.data, policy, compared=reigning is not None)
    earlier = [score_period(settings, table, period, report=report) for period in before]
    _describe(split, report)
    fitted, fit_seconds = _fit(settings, split, report)
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
            "features": count_distributions(split.train, holdout_frame([*(period.split for period in earlier), split])),
            "schema": {name: table.types[name] for name in split.train.columns},
            "scores": count_scores(challenger.score(split.train.iloc[spread_rows(len(split.train), SCORED_ROWS)])),
        },
        train_row_hashes=hash_row_ids(split.train_row_ids),
    )
    evaluated = score_holdout(
        settings, split, candidate, challenger, run=run, reigning=reigning, confinement=confinement, earlier=earlier
    )
    if problem := parity_problem(evaluated):
        report(f"the model was not scored again: {problem}")
    report(
        f"scored beside the champion of {reigning.champion.run}"
        if reigning
        else "scored alone: there is no champion yet"
    )
    return evaluated


def score_period(settings: Settings, table: Table, period: str, *, report: Reporter) -> ScoredPeriod:
    """A held-out period before the last, scored by the configured model that is fitted on the rows before it.

    The model is scored from its own bytes, as the challenger is; only their digest is kept.
    """
    split = data.split(table, settings.data, settings.train, period)
    _describe(split, report)
    fitted, fit_seconds = _fit(settings, split, report)
    blob = fitted.to_bytes()
    sha256 = hashlib.sha256(blob).hexdigest()
    return ScoredPeriod(
        split=_drop_training(split),
        scores=load_model(fitted.format, blob, sha256=sha256).score(split.holdout),
        train_row_hashes=hash_row_ids(split.train_row_ids),
        facts={
            "period": period,
            "sha256": sha256,
            "rows": {"train": len(split.train), "holdout": len(split.holdout)},
            "fit_seconds": round(fit_seconds, 3),
        },
    )


def _drop_training(split: Split) -> Split:
    """The split without its rows to train on, which are many, once they are no longer needed."""
    return replace(split, train=split.train.iloc[:0].copy(), train_labels=split.train_labels[:0].copy())


def _describe(split: Split, report: Reporter) -> None:
    fresh = f" of {split.freshness.rows:,} fresh ones" if split.freshness else ""
    report(
        f"{_prefix(split)}{len(split.train):,} rows to train on, {len(split.holdout):,}{fresh} held out,"
        f" {_left_out(split):,} without outcome left out"
    )


def _prefix(split: Split) -> str:
    """Names the held-out period in messages where there are several."""
    return f"{split.period}: " if split.period else ""


def _left_out(split: Split) -> int:
    return split.train_without_outcome + split.holdout_without_outcome


def _fit(settings: Settings, split: Split, report: Reporter) -> tuple[Fitted, float]:
    """The model, and the seconds it took to fit, which are reported."""
    started = time.perf_counter()
    model = MODELS[settings.model.name]
    fitted = model.fit(
        split.train,
        split.train_labels,
        params=settings.model.params,
        task=settings.data.task,
        seed=settings.seed,
    )
    seconds = time.perf_counter() - started
    message = f"{_prefix(split)}{settings.model.name} fitted in {seconds:.1f} s"
    report(message, event="fitted", seconds=round(seconds, 3))
    return fitted, seconds
