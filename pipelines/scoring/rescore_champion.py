"""Score the reigning champion, alone, on rows that are fresh to it. Trains nothing, judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from lockgate.gates import runs
from lockgate.gates.durations import period_days
from lockgate.gates.errors import AdmissionError, EvidenceError, SettingsError
from lockgate.gates.evidence.facts import read_part
from lockgate.pipelines import data
from lockgate.pipelines.data import EVERY_ROW
from lockgate.pipelines.data.times import LATEST
from lockgate.pipelines.promotion.events import Reporter
from lockgate.pipelines.promotion.log import open_log
from lockgate.pipelines.scoring.confined import open_confinement
from lockgate.pipelines.scoring.distributions import recount
from lockgate.pipelines.scoring.evidence import CandidateModel, Evaluated, parity_problem, score_holdout
from lockgate.pipelines.scoring.tables import data_files
from lockgate.pipelines.scoring.used_rows import find_rows_of_champion
from lockgate.pipelines.settings.settings import Settings

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.log import Log
    from lockgate.gates.records.state import Champion

_CARRIED_FACTS = ("fit_seconds", "peak_memory_mb", "schema", "scores")
"""The facts that only the run that trained the champion could measure."""


def score_champion_again(settings: Settings, *, run: str, as_of: str, report: Reporter) -> Evaluated:
    """Evidence of the champion's scores on the holdout of `as_of`; by default the period after that of its judgement.

    With rolling origins that is the period alone: those before it are not fresh to the champion. Where fresh rows are
    held out, they are the share of the rows that the champion's run did not have.

    The challenger of that evidence is the champion's model, from the bytes that were promoted, and it has no
    champion. The training rows are those that the champion's own evidence names, as the promotion bound them.

    Raises:
        AdmissionError: no model reigns. SettingsError: a period that the champion was judged on, or one before it.
        EvidenceError: the champion's evidence is gone, or is not what the promotion was about.
        LockgateError: data, model or log are not as they should be.
    """
    log = open_log(settings)
    champion, wanted_period = resolve_period(settings, log, as_of)
    before = _own_evidence(champion, log)
    name = str(read_part(before.facts, "challenger").get("model") or "")
    report(f"champion is {champion.run}, promoted by entry {champion.seq}")
    with open_confinement(champion.format or "") as confinement:
        table = data.load(settings.data, root=data_files(settings), report=report)
        period = fresh_period(settings, champion.as_of, data.resolve_as_of(table, settings.data, wanted_period))
        used = find_rows_of_champion(champion, settings.data)
        split = data.split(table, settings.data, EVERY_ROW, period, used=used)
        report(f"{len(split.holdout):,} rows of {split.as_of or 'the share that is held out'}")
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
        evaluated = score_holdout(settings, split, candidate, model, run=run, reigning=None, confinement=confinement)
    if problem := parity_problem(evaluated):
        report(f"the model was not scored again: {problem}")
    report("scored alone")
    return evaluated


def resolve_period(settings: Settings, log: Log, as_of: str) -> tuple[Champion, str]:
    """The champion, and the period that it is judged on, or `latest`. Raises as `score_champion_again` does."""
    champion = log.state().champion
    if champion is None:
        raise AdmissionError("no model reigns", hint="`make evaluate model=xgb` trains and judges one")
    return champion, fresh_period(settings, champion.as_of, as_of)


def fresh_period(settings: Settings, judged_on: str | None, as_of: str) -> str:
    """The period to judge on: `as_of`, or the one after the champion's. Raises SettingsError if it is not fresh.

    Where no periods are held out there is none, and the rows are as fresh as the table.
    """
    if not settings.data.holds_out_periods:
        return settings.as_of
    if not as_of:
        return settings.as_of if judged_on is None else data.next_period(judged_on, settings.data.period)
    if judged_on is not None and as_of != LATEST and _ends(as_of) <= _ends(judged_on):
        raise SettingsError(
            f"the champion was judged on {judged_on}: {as_of[:40]} shows nothing new",
            expected=f"a {settings.data.period} after {judged_on}",
            where="as_of",
        )
    return as_of


def _ends(period: str) -> date:
    days = period_days(period)
    return date.min if days is None else days[1]


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
