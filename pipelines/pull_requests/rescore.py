"""A pull request's models, scored again with the rows, the code and the champion of the target branch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.gates.errors import EvidenceError, LockgateError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import read_part
from lockgate.pipelines import data
from lockgate.pipelines.data import EVERY_ROW
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.pull_requests import proposal
from lockgate.pipelines.scoring.champion import check_untrained
from lockgate.pipelines.scoring.distributions import recount
from lockgate.pipelines.scoring.evidence import CandidateModel, holdout_columns, holdout_frame, score_holdout
from lockgate.pipelines.scoring.tables import data_files

if TYPE_CHECKING:
    from lockgate.pipelines.data import Split
    from lockgate.pipelines.scoring.champion import Reigning
    from lockgate.pipelines.scoring.confined import Confinement
    from lockgate.pipelines.settings.settings import Settings

_CLAIMED = ("fit_seconds", "peak_memory_mb", "schema", "scores", "code", "config_sha256", "versions")
"""Facts that only the training run can know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """Evidence to judge, and whose scores are in it."""

    evidence: Evidence
    claimed: str  # why the scores are still the pull request's own; empty if they were made again


@dataclass(frozen=True, kw_only=True)
class Basis:
    """The holdout of this checkout and the reigning champion, read once for all candidates."""

    settings: Settings
    reigning: Reigning | None

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """This checkout's holdout, with every feature: one split, or one for each period of rolling origins.

        Raises SettingsError if the champion was trained on a held-out period.
        """
        data_settings, as_of = self.settings.data, self.settings.as_of
        table = data.load(data_settings, root=data_files(self.settings))
        periods = data.list_periods(table, data_settings, as_of)
        check_untrained(self.reigning, self.settings, periods)
        used = self.reigning.used if self.reigning else None
        return tuple(data.split(table, data_settings, EVERY_ROW, period, used=used) for period in periods)

    @property
    def split(self) -> Split:
        """The holdout or, with rolling origins, its last period."""
        return self.splits[-1]

    @cached_property
    def holdout(self) -> str:
        """The digest of its rows and labels."""
        rows = holdout_columns(self.splits)
        return Evidence.from_arrays(label=rows["label"], challenger=rows["label"], row_id=rows["row_id"]).holdout

    @cached_property
    def rows(self) -> Evidence:
        """The holdout's rows with the champion's scores; the challenger's are all 0."""
        rows, reigning = holdout_columns(self.splits), self.reigning
        return Evidence.from_arrays(
            **rows,
            challenger=rows["label"] * 0.0,
            task=self.settings.data.task,
            champion=reigning and np.concatenate([reigning.score(split.holdout) for split in self.splits]),
        )

    def rescore(self, folder: Path, name: str, *, kind: str, confinement: Confinement) -> Rescored:
        """A candidate's evidence, made again from its model's bytes, which no process but those of `confinement` loads.

        `kind` is what the pull request's conf/ composes.

        If this checkout does not know such models, the claimed scores stay, beside this checkout's rows, labels and
        champion. So they do with rolling origins, where only the last period's model is in the proposal. What the run
        says about its training is a claim in any case.

        Raises:
            LockgateError: files are missing or not evidence; the model is not the one that was scored, has another kind
                or format than expected here, cannot score these rows, or crashes, hangs or takes too much meanwhile; it
                was scored beside a champion, but there is none here.
            EvidenceError: rows or labels are not this checkout's holdout.
        """
        claim = proposal.read_evidence(folder, name)
        if self.reigning is None:
            _refuse_champion(claim, name)
        challenger = read_part(claim.facts, "challenger")
        if claim.holdout != self.holdout:
            raise EvidenceError(
                f"{claim.n:,} other rows or labels were scored",
                expected=f"the holdout of this branch, {self._holdout_words}",
                where=name,
                hint="merge the branch, and evaluate again",
            )
        self._check_shape(claim, name)
        blob = proposal.read_model(folder, name)
        sha256 = hashlib.sha256(blob).hexdigest()
        if challenger.get("sha256") != sha256:
            raise LockgateError("the model is not the one that was scored", expected="its own bytes", where=name)
        format_ = str(challenger.get("format"))
        _check_kind(str(challenger.get("model")), format_, kind, name)
        if unscored := self._explain_unscored(kind):
            return Rescored(
                evidence=replace(
                    self.rows,
                    challenger=claim.challenger,
                    facts=self._facts(claim, challenger, sha256),
                    train_row_hashes=claim.train_row_hashes,
                    later_train_hashes=claim.later_train_hashes,
                ),
                claimed=unscored,
            )
        candidate = CandidateModel(
            name=kind,
            format=format_,
            sha256=sha256,
            blob=blob,
            trained=self._training_facts(claim),
            train_row_hashes=claim.train_row_hashes,
        )
        evaluation = score_holdout(
            self.settings,
            self.split,
            candidate,
            confinement.load(format_, blob, sha256=sha256),
            run=str(challenger.get("run"))[:200],
            reigning=self.reigning,
            confinement=confinement,
        )
        return Rescored(evidence=Evidence.from_bytes(evaluation.evidence), claimed="")

    def _check_shape(self, claim: Evidence, name: str) -> None:
        """Raise EvidenceError if the claimed scores are of another task: rows and labels alone do not tell."""
        task = self.settings.data.task
        if claim.task != task or claim.challenger.shape != self.rows.challenger.shape:
            raise EvidenceError(f"it was scored for task {claim.task}", expected=f"task {task}", where=name)

    def _explain_unscored(self, kind: str) -> str:
        """Why a candidate's scores stay those that it claims; empty if they can be made again."""
        if kind not in MODELS:
            return f"this branch does not know models of the kind {kind[:40]!r}, and cannot score them"
        if len(self.splits) > 1:
            return "the models of the earlier periods are not in the proposal, and cannot be scored again"
        return ""

    def _training_facts(self, claim: Evidence) -> dict[str, Any]:
        return {
            "rows": {"train": read_part(claim.facts, "rows").get("train")},
            **{name: claim.facts[name] for name in _CLAIMED if name in claim.facts},
            "features": recount(claim.facts.get("features"), holdout_frame(self.splits)),
        }

    def _facts(self, claim: Evidence, challenger: Mapping[str, Any], sha256: str) -> dict[str, Any]:
        champion = self.reigning.champion if self.reigning else None
        return {
            **self._training_facts(claim),
            "project": self.settings.data.project,
            **({} if self.split.as_of is None else {"as_of": self.split.as_of}),
            "challenger": {**challenger, "sha256": sha256},
            "champion": champion and {"run": champion.run, "sha256": champion.sha256},
        }

    @property
    def _holdout_words(self) -> str:
        rows = sum(len(split.labels) for split in self.splits)
        period = f"{self.split.as_of} of " if self.split.as_of else ""
        return f"{period}{self.settings.data.project}, {rows:,} rows"


def _check_kind(claimed: str, format_: str, kind: str, name: str) -> None:
    """Raise LockgateError if the model is not of the composed kind, or not in the format that kind has here."""
    if claimed != kind:
        raise LockgateError(
            f"the model is of the kind {claimed[:40]!r}", expected=f"{kind[:40]!r}, as conf/ composes it", where=name
        )
    if kind in MODELS and format_ != MODELS[kind].FORMAT:
        raise LockgateError(
            f"its format is {format_[:40]!r}",
            expected=f"{MODELS[kind].FORMAT!r}, as models of the kind {kind!r} have",
            where=name,
            hint="a new format of a known kind is judged once the branch has it",
        )


def _refuse_champion(claim: Evidence, name: str) -> None:
    """Raise LockgateError if the candidate was scored beside a champion: here, comparisons would be skipped."""
    if claim.champion is None and claim.facts.get("champion") is None:
        return
    run = read_part(claim.facts, "champion").get("run")
    raise LockgateError(
        f"it was scored beside a champion ({str(run)[:200]}), but there is none here to compare with",
        expected="--bundle FILE",
        where=name,
        hint="`lockgate bundle --out champion.tar` writes one; `--published OWNER/NAME` downloads the published one",
    )
