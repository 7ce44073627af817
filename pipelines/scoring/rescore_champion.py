"""Score the reigning champion, alone, on rows that are fresh to it. Trains nothing, judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lockgate.gates import runs
from lockgate.gates.errors import AdmissionError, EvidenceError, SettingsError
from lockgate.gates.evidence.facts import read_part
from lockgate.pipelines import data
from lockgate.pipelines.data import EVERY_ROW
from lockgate.pipelines.promotion.events import Reporter
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.scoring.confined import open_confinement
from lockgate.pipelines.scoring.distributions import recount
from lockgate.pipelines.scoring.evidence import CandidateModel, Evaluated, parity_problem, score_holdout
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.gates.records.state import Champion

_CARRIED_FACTS = ("fit_seconds", "peak_memory_mb", "schema", "scores")
"""The facts that only the run that trained the champion could measure."""


def score_champion_again(settings: Settings, *, run: str, as_of: str, report: Reporter) -> Evaluated:
    """Evidence of the champion's scores on the holdout of `as_of`; by default the month after the one it was judged on.

    With rolling origins that is the month alone: the months before it are not fresh to the champion.

    The challenger of that evidence is the champion's model, from the bytes that were promoted, and it has no
    champion. The training rows are those that the champion's own evidence names, as the promotion bound them.

    Raises:
        AdmissionError: no model reigns. SettingsError: a month that the champion was judged on, or one before it.
        EvidenceError: the champion's evidence is gone, or is not what the promotion was about.
        LockgateError: data, model or log are not as they should be.
    """
    log = open_log(settings)
    champion, month = resolve_month(settings, log, as_of)
    fresh = settings.model_copy(update={"as_of": month})
    before = _own_evidence(champion, log)
    name = str(read_part(before.facts, "challenger").get("model") or "")
    report(f"champion is {champion.run}, promoted by entry {champion.seq}")
    with open_confinement(champion.format or "") as confinement:
        split = data.split(
            data.load(settings.data, root=data_files(settings), report=report),
            settings.data,
            EVERY_ROW,
            fresh.as_of,
        )
        report(f"{len(split.holdout):,} rows of {_held_out(fresh)}")
        candidate = CandidateModel(
            name=name,
            format=champion.format or "",
            sha256=champion.sha256 or "",
            blob=runs.load_model_bytes(champion.run or ""),
            trained=_training_facts(before.facts, left_out=split.holdout_without_outcome)
            | {"features": recount(before.facts.get("features"), split.holdout)},
            train_row_hashes=before.all_train_hashes,
        )
        model = confinement.load(candidate.format, candidate.blob, sha256=candidate.sha256)
        evaluated = score_holdout(fresh, split, candidate, model, run=run, reigning=None, confinement=confinement)
    if problem := parity_problem(evaluated):
        report(f"the model was not scored again: {problem}")
    report("scored alone")
    return evaluated


def resolve_month(settings: Settings, log: Log, as_of: str) -> tuple[Champion, str]:
    """The champion, and the month that it is judged on. Raises as `score_champion_again` does."""
    champion = log.state().champion
    if champion is None:
        raise AdmissionError("no model reigns", hint="`make evaluate model=xgb` trains and judges one")
    return champion, fresh_period(settings, champion.as_of, as_of)


def fresh_period(settings: Settings, judged_on: str | None, as_of: str) -> str:
    """The month to judge on: `as_of`, or the month after the champion's. Raises SettingsError if it is not fresh.

    If a fraction of the rows is held out there is no month, and the rows are as fresh as the table.
    """
    if not settings.data.holds_out_months:
        return settings.as_of
    if not as_of:
        return data.next_period(judged_on or settings.as_of)
    if judged_on is not None and as_of <= judged_on:
        raise SettingsError(
            f"the champion was judged on {judged_on}: {as_of[:40]} shows nothing new",
            expected=f"a month after {judged_on}",
            where="as_of",
        )
    return as_of


def _own_evidence(champion: Champion, log: Log) -> Evidence:
    """The evidence that the champion was promoted on, compared with its promotion."""
    evidence = runs.load_claim(champion.run or "").evidence
    bound = log.entry(champion.seq).read_decision().binding
    digests = (evidence.holdout, evidence.scores_digest(evidence.challenger), evidence.train_digest)
    if (bound.model, bound.run) != (champion.sha256, champion.run) or digests != (
        bound.holdout,
        bound.scores,
        bound.train,
    ):
        raise EvidenceError(
            f"the evidence of {champion.run} is not what entry {champion.seq} promoted",
            expected=f"holdout {bound.holdout[:12]}…, training rows {(bound.train or 'none')[:12]}…",
            where=champion.run or "",
            hint="somebody changed it after it was judged; evaluate again",
        )
    return evidence


def _training_facts(facts: Mapping[str, Any], *, left_out: int) -> dict[str, Any]:
    """The training facts that the champion's run recorded."""
    return {
        "rows": {"train": read_part(facts, "rows").get("train"), "without_outcome": left_out},
        **{name: facts[name] for name in _CARRIED_FACTS if name in facts},
    }


def _held_out(settings: Settings) -> str:
    return settings.as_of if settings.data.holds_out_months else "the share that is held out"
