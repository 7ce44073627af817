"""Models that are equal by construction: the configured model with other seeds, and one fitted on fewer rows."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.pipelines import data
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.scoring.distributions import (
    SCORED_ROWS,
    count_distributions,
    count_scores,
    recount,
    spread_rows,
)
from lockgate.pipelines.scoring.evidence import holdout_columns, holdout_frame
from lockgate.pipelines.scoring.measuring import measure_latency, peak_memory_mb
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lockgate.pipelines.data import Split, Table
    from lockgate.pipelines.models import Fitted

TRAINING_SHARE = 2 / 3
"""The share of the training clusters that the second model of the pair learns from.

Two seeds differ less than two models that a team would compare. On flights this share gives paired differences as
noisy as those against a champion of three months ago.
"""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualModels:
    """Evidence of models whose differences are due to chance alone.

    pair: a model and one that learned from two thirds of the training clusters; swap them before judging.
    seeds: every ordered pair of models that differ only in the seed; judge them as they are.
    """

    pair: Evidence
    seeds: tuple[Evidence, ...]


def fit_equal_models(settings: Settings, *, seeds: int, report: Report) -> EqualModels:
    """Fit the configured model with `seeds` seeds, and once more on fewer rows; score them on the holdout.

    With rolling origins each of these models is fitted once for each held-out period, on the rows before it.

    Raises:
        LockgateError: the data or the model is not as it should be; one line each.
    """
    report(f"reading {settings.data.project}")
    table = data.load(settings.data, root=data_files(settings), report=report)
    periods = data.list_periods(table, settings.data, settings.as_of)
    splits = [data.split(table, settings.data, settings.train, period) for period in periods]
    for split in splits:
        report(f"{len(split.train):,} rows to train on, {len(split.holdout):,} held out")
    lots = np.random.default_rng((settings.seed, seeds))
    drawn_rows = [draw_training_rows(split, table, lots=lots) for split in splits]
    models = [_fit_and_score(settings, splits, seed=settings.seed + offset, report=report) for offset in range(seeds)]
    fewer = _fit_and_score(settings, splits, seed=settings.seed + seeds, report=report, rows=drawn_rows)
    return EqualModels(
        pair=_evidence(settings, splits, models[0], fewer),
        seeds=tuple(_evidence(settings, splits, model, other) for model, other in itertools.permutations(models, 2)),
    )


def draw_training_rows(split: Split, table: Table, *, lots: np.random.Generator) -> NDArray[np.bool_]:
    """Draw two thirds of the training clusters (of the rows if there are none): bool (n,), whether a row is drawn."""
    import pandas as pd

    if table.clusters is None:
        code = np.arange(len(split.train))
    else:
        positions = pd.Index(table.row_ids).get_indexer(pd.Index(split.train_row_ids))
        code = pd.factorize(pd.Series(table.clusters[positions]))[0]
    is_drawn = lots.permutation(code.max() + 1) < max(1, round(TRAINING_SHARE * (code.max() + 1)))
    rows: NDArray[np.bool_] = is_drawn[code]
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _ScoredModel:
    """A fitted model's scores of the holdout, and the facts that a run of it would have recorded."""

    scores: NDArray[np.float64]
    sha256: str
    facts: dict[str, Any]


def _fit_and_score(
    settings: Settings,
    splits: Sequence[Split],
    *,
    seed: int,
    report: Report,
    rows: Sequence[NDArray[np.bool_]] | None = None,
) -> _ScoredModel:
    """The model, fitted on the training rows of each split (those in `rows`, if given) and scored on its holdout.

    Times and the training columns are those of the last one.
    """
    scores = []
    for number, split in enumerate(splits):
        train, labels = split.train, split.train_labels
        if rows is not None:
            train, labels = train[rows[number]].reset_index(drop=True), labels[rows[number]]
        started = time.perf_counter()
        fitted: Fitted = MODELS[settings.model.name].fit(
            train,
            labels,
            params=settings.model.params,
            task=settings.data.task,
            seed=seed,
        )
        seconds = time.perf_counter() - started
        on = "" if rows is None else f" on {len(train):,} of the rows"
        report(f"{settings.model.name} with seed {seed} fitted{on} in {seconds:.1f} s")
        scores.append(fitted.score(split.holdout))
    blob = fitted.to_bytes()
    return _ScoredModel(
        scores=np.concatenate(scores),
        sha256=hashlib.sha256(blob).hexdigest(),
        facts={
            "fit_seconds": round(seconds, 3),
            **measure_latency(fitted, split.holdout),
            "model_bytes": len(blob),
            "peak_memory_mb": peak_memory_mb(),
            "features": count_distributions(train, holdout_frame(splits)),
            "scores": count_scores(fitted.score(train.iloc[spread_rows(len(train), SCORED_ROWS)])),
        },
    )


def _evidence(
    settings: Settings, splits: Sequence[Split], challenger: _ScoredModel, champion: _ScoredModel
) -> Evidence:
    hashes = [hash_row_ids(split.train_row_ids) for split in splits]
    facts = {
        **challenger.facts,
        "project": settings.data.project,
        **({} if splits[-1].as_of is None else {"as_of": splits[-1].as_of}),
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "champion": {
            "run": "selftest",
            "sha256": champion.sha256,
            "features": recount(champion.facts["features"], holdout_frame(splits)),
        },
        "train_row_hashes": hashes[0]
        if len(splits) == 1
        else {split.period: of_split for split, of_split in zip(splits, hashes, strict=True)},
    }
    return Evidence.from_arrays(
        **holdout_columns(splits),
        challenger=challenger.scores,
        champion=champion.scores,
        task=settings.data.task,
        facts=facts,
    )
