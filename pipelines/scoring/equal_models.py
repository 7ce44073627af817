"""Models that are equal by construction: the configured model with other seeds, and one that saw fewer rows."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.row_ids import hash_row_ids
from lockgate.pipelines import data
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.scoring.distributions import SCORED_ROWS, counted_again, distributions, of_scores, spread
from lockgate.pipelines.scoring.measuring import peak_memory_mb, predict_ms_per_1000
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lockgate.pipelines.data import Split, Table
    from lockgate.pipelines.models import Fitted

KEPT = 2 / 3
"""The share of the training clusters that the model beside it learns from.

Two seeds differ by less than models that a team compares. On flights this share gives paired differences as noisy as
those against a champion of three months ago.
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equals:
    """Evidence of models between which nothing but chance decides.

    pair: a model beside one that learned from two thirds of the training clusters; to be swapped before it is judged.
    seeds: every ordered pair of models that differ in the seed only; to be judged as they are.
    """

    pair: Evidence
    seeds: tuple[Evidence, ...]


def equals(settings: Settings, *, seeds: int, say: Say) -> Equals:
    """Fit the configured model with `seeds` seeds, and once more on fewer rows; score them on the holdout.

    Raises:
        LockgateError: data or a model that are not as they should be; one line each.
    """
    say(f"reading {settings.data.project}")
    table = data.load(settings.data, root=data_files(settings))
    split = data.split(table, settings.data, settings.train, settings.as_of)
    say(f"{len(split.train):,} rows to train on, {len(split.holdout):,} held out")
    some = kept(split, table, lots=np.random.default_rng((settings.seed, seeds)))
    models = [_scored(settings, split, seed=settings.seed + at, say=say) for at in range(seeds)]
    fewer = _scored(settings, split, seed=settings.seed + seeds, say=say, rows=some)
    return Equals(
        pair=_evidence(settings, split, models[0], fewer),
        seeds=tuple(_evidence(settings, split, one, other) for one, other in itertools.permutations(models, 2)),
    )


def kept(split: Split, table: Table, *, lots: np.random.Generator) -> NDArray[np.bool_]:
    """Which training rows are of the two thirds of their clusters that were drawn: bool (n,); rows without clusters."""
    import pandas as pd

    if table.clusters is None:
        code = np.arange(len(split.train))
    else:
        at = pd.Index(table.row_ids).get_indexer(pd.Index(split.train_row_ids))
        code = pd.factorize(pd.Series(table.clusters[at]))[0]
    drawn = lots.permutation(code.max() + 1) < max(1, round(KEPT * (code.max() + 1)))
    held: NDArray[np.bool_] = drawn[code]
    return held


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """A fitted model's scores of the holdout, and what its run would have said about it."""

    scores: NDArray[np.float64]
    sha256: str
    facts: dict[str, Any]


def _scored(settings: Settings, split: Split, *, seed: int, say: Say, rows: NDArray[np.bool_] | None = None) -> _Scored:
    train, labels = split.train, split.train_labels
    if rows is not None:
        train, labels = train[rows].reset_index(drop=True), labels[rows]
    model = MODELS[settings.model.name]
    started = time.perf_counter()
    fitted: Fitted = model.fit(
        train,
        labels,
        params=settings.model.params,
        task=settings.data.task,
        seed=seed,
    )
    seconds = time.perf_counter() - started
    on = "" if rows is None else f" on {len(train):,} of the rows"
    say(f"{settings.model.name} with seed {seed} fitted{on} in {seconds:.1f} s")
    blob = fitted.to_bytes()
    p50, p99 = predict_ms_per_1000(fitted, split.holdout)
    return _Scored(
        scores=fitted.score(split.holdout),
        sha256=hashlib.sha256(blob).hexdigest(),
        facts={
            "fit_seconds": round(seconds, 3),
            "predict_ms_per_1000_p50": p50,
            "predict_ms_per_1000_p99": p99,
            "model_bytes": len(blob),
            "peak_memory_mb": peak_memory_mb(),
            "features": distributions(train, split.holdout),
            "scores": of_scores(fitted.score(train.iloc[spread(len(train), SCORED_ROWS)])),
        },
    )


def _evidence(settings: Settings, split: Split, challenger: _Scored, champion: _Scored) -> Evidence:
    facts = {
        **challenger.facts,
        "project": settings.data.project,
        "as_of": settings.as_of,
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "champion": {
            "run": "selftest",
            "sha256": champion.sha256,
            "features": counted_again(champion.facts["features"], split.holdout),
        },
        "train_row_hashes": hash_row_ids(split.train_row_ids),
    }
    return Evidence.from_arrays(
        label=split.labels,
        challenger=challenger.scores,
        champion=champion.scores,
        row_id=split.row_ids,
        cluster=split.clusters,
        weight=split.weights,
        time=split.times,
        slices=split.slices,
        task=settings.data.task,
        facts=facts,
    )
