"""A model's scores of a holdout as evidence, with the facts measured on the way: for evaluating and reverifying."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import lockgate
from lockgate.gates.errors import EvidenceError
from lockgate.gates.evidence.evidence import MAX_EVIDENCE_BYTES, Evidence
from lockgate.gates.runs.artifacts import MAX_FACTS_BYTES
from lockgate.pipelines.scoring import parity
from lockgate.pipelines.scoring.distributions import recount, spread_rows
from lockgate.pipelines.scoring.measuring import code_state, measure_latency, peak_memory_mb
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lockgate.pipelines.data import Split
    from lockgate.pipelines.models import Fitted
    from lockgate.pipelines.scoring.champion import Reigning
    from lockgate.pipelines.scoring.confined import Confinement

FACTS_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The three artifacts of a run: Arrow IPC bytes, JSON text, and the model's bytes."""

    evidence: bytes
    facts: str
    model: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateModel:
    """The model that is judged, as bytes, and the facts of its training."""

    name: str  # in conf/model
    format: str
    sha256: str
    blob: bytes
    trained: Mapping[str, Any]  # facts: `rows` (train), `fit_seconds`, `features`, `schema`, `scores`
    train_row_hashes: NDArray[np.uint64] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPeriod:
    """A period before the last one, scored by a model of its own that was trained before it."""

    split: Split
    scores: NDArray[np.float64]  # (m,) of its holdout
    train_row_hashes: NDArray[np.uint64]
    facts: Mapping[str, Any]  # of the period's model


def holdout_columns(splits: Sequence[Split]) -> dict[str, Any]:
    """The held-out rows of all splits, one after the other, as `Evidence.from_arrays` takes them. No scores."""
    import numpy as np

    last = splits[-1]

    def join(column: Callable[[Split], Any]) -> Any:
        return None if column(last) is None else np.concatenate([column(split) for split in splits])

    periods = [np.full(len(split.labels), split.period, dtype=object) for split in splits if split.period is not None]
    return {
        "label": join(lambda split: split.labels),
        "row_id": join(lambda split: split.row_ids),
        "cluster": join(lambda split: split.clusters),
        "weight": join(lambda split: split.weights),
        # a digit beyond the microsecond would be no time to a gate
        "time": join(lambda split: None if split.times is None else split.times.astype("datetime64[us]")),
        "slices": {name: np.concatenate([split.slices[name] for split in splits]) for name in last.slices},
        "period": np.concatenate(periods) if periods else None,
    }


def holdout_frame(splits: Sequence[Split]) -> pd.DataFrame:
    """The features of the held-out rows of all splits, one after the other: (m, all declared features)."""
    import pandas as pd

    return pd.concat([split.holdout for split in splits], ignore_index=True) if len(splits) > 1 else splits[0].holdout


def score_holdout(
    settings: Settings,
    split: Split,
    candidate: CandidateModel,
    model: Fitted,
    *,
    run: str,
    reigning: Reigning | None,
    confinement: Confinement,
    earlier: Sequence[ScoredPeriod] = (),
) -> Evaluated:
    """Score the holdout of `split` with `model`, loaded from the candidate's bytes, and with the champion beside it.

    Another process, below `confinement`, scores some of the rows once more. The rows of `earlier` periods, oldest
    first, get the champion's scores as well; times and the parity are those of the last period. Raises LockgateError if
    a model cannot score the rows.
    """
    import numpy as np

    splits = [*(period.split for period in earlier), split]
    latency = measure_latency(model, split.holdout)
    rescored_rows = spread_rows(len(split.holdout), parity.PARITY_ROWS)
    again = confinement.score(
        candidate.format, candidate.blob, sha256=candidate.sha256, frame=split.holdout.iloc[rescored_rows]
    )
    scores = model.score(split.holdout)
    champion_scores = reigning and np.concatenate([reigning.score(part.holdout) for part in splits])
    facts: dict[str, Any] = {
        "version": FACTS_VERSION,
        "project": settings.data.project,
        **({} if split.as_of is None else {"as_of": split.as_of}),
        **({} if split.freshness is None else {"fresh": split.freshness.to_fact()}),
        "scored_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "challenger": {
            "run": run,
            "model": candidate.name,
            "format": candidate.format,
            "sha256": candidate.sha256,
        },
        "champion": reigning
        and {
            "run": reigning.champion.run,
            "sha256": reigning.champion.sha256,
            "features": recount(reigning.features, holdout_frame(splits)),
        },
        "config_sha256": settings.digest,
        "code": code_state(ROOT),
        **latency,
        "model_bytes": len(candidate.blob),
        "peak_memory_mb": peak_memory_mb(),
        "versions": {
            "lockgate": lockgate.__version__,
            **{name: version(name) for name in ("numpy", "pandas", "scikit-learn")},
        },
        **candidate.trained,
    }
    facts["rows"] = {"holdout": sum(len(part.holdout) for part in splits), **facts.get("rows", {})}
    if earlier:
        facts["periods"] = [dict(period.facts) for period in earlier]
    evidence = Evidence.from_arrays(
        **holdout_columns(splits),
        challenger=np.concatenate([*(period.scores for period in earlier), scores]),
        champion=champion_scores,
        task=settings.data.task,
        facts={**facts, "train_row_hashes": _hashes_by_period(candidate, split, earlier)},
    )
    facts |= {
        "data": {"holdout_sha256": evidence.holdout, "train_sha256": evidence.train_digest},
        "parity": parity.measure_parity(again, scores[rescored_rows]),
    }
    evaluated = Evaluated(
        evidence=replace(evidence, facts=facts).to_bytes(),
        facts=json.dumps(facts, sort_keys=True),
        model=candidate.blob,
    )
    check_sizes(evaluated)
    return evaluated


def _hashes_by_period(
    candidate: CandidateModel, split: Split, earlier: Sequence[ScoredPeriod]
) -> NDArray[np.uint64] | dict[str, NDArray[np.uint64]] | None:
    """The training rows of the model, or of each period's model where there are several."""
    if not earlier or candidate.train_row_hashes is None:
        return candidate.train_row_hashes
    by_period = {str(period.split.period): period.train_row_hashes for period in earlier}
    return {**by_period, str(split.period): candidate.train_row_hashes}


def check_sizes(evaluated: Evaluated) -> None:
    """Raise EvidenceError for an artifact that is too large to be read back from a run."""
    sizes = {"evidence": len(evaluated.evidence), "facts": len(evaluated.facts.encode()), "model": len(evaluated.model)}
    for name, size in sizes.items():
        max_bytes = MAX_FACTS_BYTES if name == "facts" else MAX_EVIDENCE_BYTES
        if size > max_bytes:
            raise EvidenceError(
                f"the run's {name} would have {size:,} bytes",
                expected=f"at most {max_bytes:,}, the most that can be read back",
                where=f"artifact {name}",
                hint="nothing was stored; use fewer rows, columns or slices, or a smaller model",
            )


def parity_problem(evaluated: Evaluated) -> str:
    """Why the model was not scored again in a fresh process; empty if it was."""
    return str(json.loads(evaluated.facts)["parity"].get("problem") or "")
