"""A pull request's proposal, judged with the code, policy, rows and champion of this checkout."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.judge.comparison import compare_metrics
from lockgate.gates.judge.several import choose_best, share_error_rate
from lockgate.gates.report.review import CandidateReview, Review
from lockgate.pipelines.models import MODELS
from lockgate.pipelines.promotion.actor import clock
from lockgate.pipelines.pull_requests import proposal
from lockgate.pipelines.pull_requests.candidates import (
    DEFAULT_NAME,
    ListedCandidate,
    compose_training,
    load_candidates,
    with_default,
)
from lockgate.pipelines.pull_requests.changes import compare_versions as changed
from lockgate.pipelines.pull_requests.rescore import Basis
from lockgate.pipelines.pull_requests.versions import RepositoryVersion, load_conf, load_folder
from lockgate.pipelines.scoring.champion import find_opponent
from lockgate.pipelines.scoring.confined import open_confinement
from lockgate.pipelines.settings.files import write_conf
from lockgate.pipelines.settings.groups import CONF_VARIABLE, ROOT
from lockgate.pipelines.settings.scope import find_conf, is_conf

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.evidence.task import Task
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.pull_requests.proposal import ProposedCandidate
    from lockgate.pipelines.scoring.champion import Opponent
    from lockgate.pipelines.scoring.confined import Confinement
    from lockgate.pipelines.settings.settings import Composed, Settings


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedProposal:
    """The review of a pull request, and the evidence for it by candidate."""

    review: Review
    policy: Policy  # each candidate was judged by it
    evidence: dict[str, Evidence]


def this_version(name: str) -> RepositoryVersion:
    """This checkout, with the configuration it composes, which LOCKGATE_CONF may have elsewhere.

    Raises SettingsError where the command runs in another checkout, whose configuration would judge instead.
    """
    conf = find_conf()
    if not os.environ.get(CONF_VARIABLE) and is_conf(ROOT / "conf") and conf != ROOT / "conf":
        raise SettingsError(
            "another checkout's configuration would judge",
            expected=f"to be run in {ROOT}, whose code this is",
            where=str(conf),
            hint="what a pull request proposes must not decide on itself",
        )
    checkout = load_folder(ROOT, name=name)
    return (
        checkout if conf == ROOT / "conf" else replace(checkout, files={**checkout.code, **load_conf(conf, name=name)})
    )


def review_proposal(
    composed: Composed, folder: Path, *, base: RepositoryVersion, head: RepositoryVersion, bundle: Path | None
) -> ReviewedProposal:
    """Judge what the files in `folder` propose for `head`, which would be merged into `base`, this checkout.

    Everything from the pull request is read as data: its conf/ to see what it proposes and which rules it changes, its
    models to score them again. Problems of the pull request become lines of the review.

    Raises:
        LockgateError: a problem of this checkout, or of the bundle.
    """
    with open_confinement(*_guess_formats(composed.settings)) as confinement:
        return _review(composed, folder, base=base, head=head, bundle=bundle, confinement=confinement)


def _guess_formats(settings: Settings) -> tuple[str, ...]:
    """The format of what this checkout trains, which most candidates and champions have, too."""
    name = settings.model.name
    return (MODELS[name].FORMAT,) if name in MODELS else ()


def _review(
    composed: Composed,
    folder: Path,
    *,
    base: RepositoryVersion,
    head: RepositoryVersion,
    bundle: Path | None,
    confinement: Confinement,
) -> ReviewedProposal:
    composed.check_fit()
    rival = find_opponent(composed.settings, bundle, load=confinement.load)
    problems: list[str] = []
    changes = _collect_problem(lambda: changed(base, head), problems)
    proposed = _collect_problem(lambda: _list_candidates(folder, head), problems) or ()
    among = max(1, sum(not entry.candidate.refusal for entry in proposed))
    policy = share_error_rate(composed.policy, among)
    basis = Basis(settings=composed.settings, reigning=rival.reigning)
    judgements = [_judge_candidate(entry, folder, basis, policy, rival, confinement) for entry in proposed]
    judged = tuple(candidate for candidate, _ in judgements)
    review = Review(
        base=base.name,
        candidates=judged,
        champion=rival.words,
        changes=changes,
        among=among,
        chosen=_choose(judged, composed.settings.data.task),
        problem="; ".join(problems),
        uncompared=rival.uncompared,
        default=next((entry.candidate.name for entry in proposed if entry.merges), None),
    )
    evidence = {candidate.name: scored for candidate, scored in judgements if scored is not None}
    return ReviewedProposal(review=review, policy=policy, evidence=evidence)


def _choose(judged: tuple[CandidateReview, ...], task: Task) -> str | None:
    """The best candidate that was scored again; a claim is chosen only if there is none."""
    checked, claims = (
        {
            candidate.name: candidate.decision
            for candidate in judged
            if candidate.decision and bool(candidate.claimed) == claimed
        }
        for claimed in (False, True)
    )
    return choose_best(checked, task) or choose_best(claims, task)


def _collect_problem(action: Callable[[], T], problems: list[str]) -> T | None:
    """The result of `action`; None if the pull request is wrong, and the reason is added to the problems."""
    try:
        return action()
    except LockgateError as err:
        problems.append(str(err))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCandidate:
    """A candidate, and the kind of model that the pull request's conf/ composes for it (empty if refused)."""

    candidate: ListedCandidate
    kind: str
    merges: bool  # whether it is conf/ as it stands, listed because the base would train another model


def _list_candidates(folder: Path, head: RepositoryVersion) -> tuple[ReviewCandidate, ...]:
    """The candidates of `head`; before them what merging would train, if this checkout would train another model.

    Candidates that were not evaluated, do not compose, or equal what merging would train, are marked as refused.
    """
    with TemporaryDirectory(prefix="lockgate-") as scratch:
        conf = write_conf(head.conf, Path(scratch), name=head.name)
        listed, merged = load_candidates(conf), _try_training(conf, ())
        differs = merged != compose_training(find_conf(), ())
        expected = with_default(listed) if differs else listed
        handed = _read_handed(folder, expected)
        return tuple(
            _check_candidate(candidate, handed.get(candidate.name), conf, merged=merged if differs else None)
            for candidate in expected
        )


def _read_handed(folder: Path, expected: tuple[ListedCandidate, ...]) -> dict[str, ProposedCandidate]:
    """What was evaluated, by name. Raises SettingsError for unlisted names other than conf/ as it stands."""
    handed = {candidate.name: candidate for candidate in proposal.read_proposal(folder).candidates}
    if unknown := handed.keys() - {DEFAULT_NAME, *(candidate.name for candidate in expected)}:
        raise SettingsError(
            f"{min(unknown)} was evaluated, but the pull request does not list it",
            expected=f"{', '.join(candidate.name for candidate in expected)}",
            where="conf/candidates.yaml",
        )
    return handed


def _check_candidate(
    candidate: ListedCandidate, handed: ProposedCandidate | None, conf: Path, *, merged: Mapping[str, Any] | str | None
) -> ReviewCandidate:
    """The candidate, marked as refused if anything is wrong. `merged`: what merging would train, if listed."""
    merges = merged is not None and candidate.name == DEFAULT_NAME
    refusal = _find_refusal(candidate, handed)
    composed = refusal or _try_training(conf, candidate.overrides)
    if not refusal and not merges and composed == merged:
        composed = f"it is conf/ as it stands, which is judged as {DEFAULT_NAME}"
    if isinstance(composed, str):
        return ReviewCandidate(candidate=replace(candidate, refusal=composed), kind="", merges=merges)
    return ReviewCandidate(candidate=candidate, kind=composed["model"]["name"], merges=merges)


def _try_training(conf: Path, overrides: tuple[str, ...]) -> Mapping[str, Any] | str:
    """What the pull request's conf/ trains a model by, or a sentence why it does not compose."""
    try:
        return compose_training(conf, overrides)
    except SettingsError as err:
        return str(err).replace(str(conf), "conf")


def _find_refusal(candidate: ListedCandidate, handed: ProposedCandidate | None) -> str:
    if candidate.refusal:
        return candidate.refusal
    if handed is None:
        return "it was not evaluated"
    if handed.overrides != candidate.overrides:
        return "it was evaluated with other overrides than the pull request lists"
    return handed.error


def _judge_candidate(
    entry: ReviewCandidate, folder: Path, basis: Basis, policy: Policy, rival: Opponent, confinement: Confinement
) -> tuple[CandidateReview, Evidence | None]:
    """The review of a candidate, and the evidence it was judged on (None if it was not judged)."""
    from lockgate.gates.judge.engine import judge

    candidate = entry.candidate
    candidate_review = CandidateReview(
        name=candidate.name, overrides=candidate.overrides, decision=None, error=candidate.refusal
    )
    if candidate.refusal:
        return candidate_review, None
    try:
        rescored = basis.rescore(folder, candidate.name, kind=entry.kind, confinement=confinement)
        decision = judge(
            policy, rescored.evidence, rival.state, now=clock(), uncompared=rival.uncompared, claimed=rescored.claimed
        )
        sealed = policy.disclose == "promotion_only"
        comparisons = () if sealed else compare_metrics(policy, rescored.evidence)
    except LockgateError as err:
        return replace(candidate_review, error=str(err)), None
    candidate_review = replace(
        candidate_review,
        decision=decision.seal() if sealed else decision,
        claimed=rescored.claimed,
        comparisons=comparisons,
    )
    return candidate_review, rescored.evidence
