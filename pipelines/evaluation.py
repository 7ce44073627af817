"""Train a challenger, score it beside the champion, and put what was seen into evidence. Judges nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gates import runs
from gates.evidence import Evidence
from gates.log import Log
from gates.row_ids import hash_row_ids
from gates.state import Champion
from pipelines import data
from pipelines.models import MODELS, Fitted, load_model
from pipelines.settings import ROOT, Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

FACTS_VERSION = 1
LATENCY_BATCHES = 30
LATENCY_ROWS = 1000
TOP_VALUES = 20

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The three artifacts of a run: Arrow IPC bytes, JSON text, and the model's bytes."""

    evidence: bytes
    facts: str
    model: bytes


def evaluate(settings: Settings, *, run: str, say: Say) -> Evaluated:
    """Fit the declared model, score it and the reigning champion on the same holdout rows.

    The challenger is scored from its own bytes, loaded again: what is judged is what production will load.

    Raises:
        LockgateError: data, model, champion or log that are not as they should be; one line each.
    """
    say(f"reading {settings.data.project}")
    split = data.split(data.load(settings.data, root=ROOT), settings.data, settings.train, settings.as_of)
    left_out = split.train_without_outcome + split.holdout_without_outcome
    say(
        f"{len(split.train):,} rows to train on, {len(split.holdout):,} held out, {left_out:,} without outcome left out"
    )

    champion = Log(runs.log_store(settings.data.project), project=settings.data.project).state().champion
    started = time.perf_counter()
    model = MODELS[settings.model.name]
    fitted = model.fit(
        split.train,
        split.train_labels,
        params=model.Params.model_validate(settings.model.model_extra or {}),
        task=settings.data.task,
        seed=settings.seed,
    )
    fit_seconds = time.perf_counter() - started
    say(f"{settings.model.name} fitted in {fit_seconds:.1f} s")

    blob = fitted.to_bytes()
    sha256 = hashlib.sha256(blob).hexdigest()
    challenger = load_model(fitted.format, blob, sha256=sha256)
    latency = predict_ms_per_1000(challenger, split.holdout)
    facts: dict[str, Any] = {
        "version": FACTS_VERSION,
        "project": settings.data.project,
        "as_of": settings.as_of,
        "challenger": {"run": run, "model": settings.model.name, "format": fitted.format, "sha256": sha256},
        "champion": champion and {"run": champion.run, "sha256": champion.sha256},
        "config_sha256": settings.digest,
        "code": code_state(ROOT),
        "rows": {"train": len(split.train), "holdout": len(split.holdout), "without_outcome": left_out},
        "fit_seconds": round(fit_seconds, 3),
        "predict_ms_per_1000_p50": latency[0],
        "predict_ms_per_1000_p99": latency[1],
        "model_bytes": len(blob),
        "peak_memory_mb": peak_memory_mb(),
        "features": {str(name): distribution(split.train[name]) for name in split.train.columns},
        "versions": {name: version(name) for name in ("lockgate", "numpy", "pandas", "scikit-learn")},
    }
    evidence = Evidence.from_arrays(
        label=split.labels,
        challenger=challenger.score(split.holdout),
        champion=None if champion is None else load_champion(champion).score(split.holdout),
        row_id=split.row_ids,
        cluster=split.clusters,
        weight=split.weights,
        time=split.times,
        slices=split.slices,
        task=settings.data.task,
        facts={**facts, "train_row_hashes": hash_row_ids(split.train_row_ids)},
    )
    beside = f"beside the champion of {champion.run}" if champion else "alone: there is no champion yet"
    say(f"scored {beside}")
    return Evaluated(evidence=evidence.to_bytes(), facts=json.dumps(facts, sort_keys=True), model=blob)


def load_champion(champion: Champion) -> Fitted:
    """The champion's model, from its run; its digest is checked before it is parsed."""
    return load_model(champion.format or "", runs.model_bytes(champion.run or ""), sha256=champion.sha256 or "")


def predict_ms_per_1000(model: Fitted, frame: pd.DataFrame) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds that scoring 1,000 rows takes, over 30 batches."""
    import numpy as np

    seconds: list[float] = []
    for batch in range(LATENCY_BATCHES):
        first = batch * LATENCY_ROWS % max(1, len(frame) - LATENCY_ROWS)
        rows = frame.iloc[first : first + LATENCY_ROWS]
        started = time.perf_counter()
        model.score(rows)
        seconds.append((time.perf_counter() - started) * LATENCY_ROWS / len(rows))
    p50, p99 = np.quantile(seconds, [0.5, 0.99]) * 1000
    return round(float(p50), 3), round(float(p99), 3)


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


def distribution(column: pd.Series) -> Mapping[str, Any]:
    """What the training rows held: deciles of numbers, the commonest values of names, and the share missing."""
    import numpy as np
    import pandas as pd

    missing = round(float(column.isna().mean()), 6)
    if pd.api.types.is_numeric_dtype(column):
        values: NDArray[np.float64] = column.dropna().to_numpy(dtype=np.float64)
        deciles = np.quantile(values, np.linspace(0, 1, 11)).tolist() if values.size else []
        return {"kind": "number", "missing": missing, "deciles": deciles}
    counts = column.value_counts(normalize=True)
    top = {str(name): round(float(share), 6) for name, share in counts.head(TOP_VALUES).items()}
    return {"kind": "name", "missing": missing, "distinct": int(counts.size), "shares": top}


def code_state(root: Path) -> dict[str, Any]:
    """The commit of the code and whether nothing beside it is changed; None for both outside a checkout."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": commit, "clean": None if commit is None or changes is None else changes == ""}
