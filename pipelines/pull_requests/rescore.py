"""A pull request's models, scored again with the rows, the code and the champion of the target branch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import EvidenceError, LockgateError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import read_part
from lockgate.pipelines import data
from lockgate.pipelines.data import EVERY_ROW
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.pull_requests import proposal
from lockgate.pipelines.scoring import parity
from lockgate.pipelines.scoring.distributions import recount
from lockgate.pipelines.scoring.evidence import CandidateModel, score_holdout
from lockgate.pipelines.scoring.tables import data_files

if TYPE_CHECKING:
    from lockgate.pipelines.data import Split
    from lockgate.pipelines.scoring.champion import Reigning
    from lockgate.pipelines.settings.settings import Settings

_CLAIMED = ("fit_seconds", "peak_memory_mb", "scores", "code", "config_sha256", "versions")
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
    def split(self) -> Split:
        """This checkout's holdout, with every feature."""
        data_settings = self.settings.data
        return data.split(
            data.load(data_settings, root=data_files(self.settings)), data_settings, EVERY_ROW, self.settings.as_of
        )

    @cached_property
    def holdout(self) -> str:
        """The digest of its rows and labels."""
        split = self.split
        return Evidence.from_arrays(label=split.labels, challenger=split.labels, row_id=split.row_ids).holdout

    @cached_property
    def rows(self) -> Evidence:
        """The holdout's rows with the champion's scores; the challenger's are all 0."""
        split = self.split
        return Evidence.from_arrays(
            label=split.labels,
            challenger=split.labels * 0.0,
            row_id=split.row_ids,
            cluster=split.clusters,
            weight=split.weights,
            time=split.times,
            slices=split.slices,
            task=self.settings.data.task,
            champion=None if self.reigning is None else self.reigning.model.score(split.holdout),
        )

    def rescore(self, folder: Path, name: str, *, kind: str) -> Rescored:
        """A candidate's evidence, made again from its model's bytes. `kind` is what the pull request's conf/ composes.

        If this checkout does not know such models, the claimed scores stay, beside this checkout's rows, labels and
        champion. What the run says about its training is a claim in either case.

        Raises:
            LockgateError: files are missing or not evidence; the model is not the one that was scored, has another kind
                or format than expected here, or cannot score these rows; it was scored beside a champion, but there is
                none here.
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
        blob = proposal.read_model(folder, name)
        sha256 = hashlib.sha256(blob).hexdigest()
        if challenger.get("sha256") != sha256:
            raise LockgateError("the model is not the one that was scored", expected="its own bytes", where=name)
        format_ = str(challenger.get("format"))
        _check_kind(str(challenger.get("model")), format_, kind, name)
        if kind not in MODELS:
            facts = self._facts(claim, challenger, sha256)
            return Rescored(
                evidence=replace(
                    self.rows, challenger=claim.challenger, facts=facts, train_row_hashes=claim.train_row_hashes
                ),
                claimed=f"this branch does not know models of the kind {kind[:40]!r}, and cannot score them",
            )
        candidate = CandidateModel(
            name=kind,
            format=format_,
            sha256=sha256,
            blob=blob,
            trained=self._training_facts(claim),
            train_row_hashes=claim.train_row_hashes,
        )
        with parity.fresh_process(kind, declared=self.settings.platform.environment) as fresh:
            evaluation = score_holdout(
                self.settings,
                self.split,
                candidate,
                candidate.load(),
                run=str(challenger.get("run"))[:200],
                reigning=self.reigning,
                fresh=fresh,
            )
        return Rescored(evidence=Evidence.from_bytes(evaluation.evidence), claimed="")

    def _training_facts(self, claim: Evidence) -> dict[str, Any]:
        return {
            "rows": {"train": read_part(claim.facts, "rows").get("train")},
            **{name: claim.facts[name] for name in _CLAIMED if name in claim.facts},
            "features": recount(claim.facts.get("features"), self.split.holdout),
        }

    def _facts(self, claim: Evidence, challenger: Mapping[str, Any], sha256: str) -> dict[str, Any]:
        champion = self.reigning.champion if self.reigning else None
        return {
            **self._training_facts(claim),
            "project": self.settings.data.project,
            "as_of": self.settings.as_of,
            "challenger": {**challenger, "sha256": sha256},
            "champion": champion and {"run": champion.run, "sha256": champion.sha256},
        }

    @property
    def _holdout_words(self) -> str:
        return f"{self.settings.as_of} of {self.settings.data.project}, {len(self.split.labels):,} rows"


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
