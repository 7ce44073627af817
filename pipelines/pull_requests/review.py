"""A pull request's proposal, judged by this checkout: its code, policy and rows, and the champion that it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.judge.comparison import compared
from lockgate.gates.judge.several import best, shared
from lockgate.gates.report.review import Judged, Review
from lockgate.pipelines.promotion.actor import clock
from lockgate.pipelines.pull_requests import proposal
from lockgate.pipelines.pull_requests.candidates import ALONE, Candidate, candidates, training, with_default
from lockgate.pipelines.pull_requests.changes import compared as changed
from lockgate.pipelines.pull_requests.rescore import Basis
from lockgate.pipelines.pull_requests.versions import Version, of_conf, of_folder
from lockgate.pipelines.scoring.champion import opponent
from lockgate.pipelines.settings.files import written
from lockgate.pipelines.settings.groups import ROOT, conf_dir

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.evidence.task import Task
    from lockgate.gates.policy.policy import Policy
    from lockgate.pipelines.pull_requests.proposal import Proposed
    from lockgate.pipelines.scoring.champion import Opponent
    from lockgate.pipelines.settings.settings import Composed


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What is said of a pull request, and what it rests on, by candidate."""

    review: Review
    policy: Policy  # that each was judged by
    evidence: dict[str, Evidence]


def this(name: str) -> Version:
    """This checkout, with the configuration that it composes, which may lie elsewhere."""
    here, conf = of_folder(ROOT, name=name), conf_dir()
    return here if conf == ROOT / "conf" else replace(here, files={**here.code, **of_conf(conf, name=name)})


def reviewed(composed: Composed, folder: Path, *, base: Version, head: Version, bundle: Path | None) -> Reviewed:
    """Judge what the files in `folder` propose for `head`, which is to be merged into `base`, this checkout.

    Everything of the pull request is read as data: its conf/ to see what it proposes and what it changes of the rules,
    its models to score them again. What is wrong with it is said in the review, in one line each.

    Raises:
        LockgateError: what is wrong with this checkout, or with the bundle.
    """
    beside = opponent(composed.settings, bundle)
    problems: list[str] = []
    changes = _said(lambda: changed(base, head), problems)
    proposed = _said(lambda: _proposed(folder, head), problems) or ()
    among = max(1, sum(not one.candidate.refusal for one in proposed))
    policy = shared(composed.policy, among)
    basis = Basis(settings=composed.settings, reigning=beside.reigning)
    found = [_judged(one, folder, basis, policy, beside) for one in proposed]
    judged = tuple(one for one, _ in found)
    review = Review(
        base=base.name,
        candidates=judged,
        champion=beside.words,
        changes=changes,
        among=among,
        chosen=_chosen(judged, composed.settings.data.task),
        problem="; ".join(problems),
        uncompared=beside.uncompared,
        default=next((one.candidate.name for one in proposed if one.merges), None),
    )
    evidence = {one.name: held for one, held in found if held is not None}
    return Reviewed(review=review, policy=policy, evidence=evidence)


def _chosen(judged: tuple[Judged, ...], task: Task) -> str | None:
    """The best of those that were scored again; a claim only where there is none of them."""
    checked, claims = (
        {
            candidate.name: candidate.decision
            for candidate in judged
            if candidate.decision and bool(candidate.claimed) == claimed
        }
        for claimed in (False, True)
    )
    return best(checked, task) or best(claims, task)


def _said(asked: Callable[[], T], problems: list[str]) -> T | None:
    """What is answered; None where the pull request is wrong, and then in words among the problems."""
    try:
        return asked()
    except LockgateError as err:
        problems.append(str(err))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A candidate, and the kind of model that the pull request's conf/ composes for it; empty where it is refused."""

    candidate: Candidate
    kind: str
    merges: bool  # whether it is conf/ as it stands, listed because it is another than the base's


def _proposed(folder: Path, head: Version) -> tuple[Asked, ...]:
    """The candidates that `head` names, and first what merging it would train, where this checkout trains another.

    Those that were not evaluated, do not compose, or are the same as that, are refused, too.
    """
    with TemporaryDirectory(prefix="lockgate-") as scratch:
        conf = written(head.conf, Path(scratch), name=head.name)
        listed, merged = candidates(conf), _composed(conf, ())
        differs = merged != training(conf_dir(), ())
        wanted = with_default(listed) if differs else listed
        handed = _handed(folder, wanted)
        return tuple(
            _asked(candidate, handed.get(candidate.name), conf, merged=merged if differs else None)
            for candidate in wanted
        )


def _handed(folder: Path, wanted: tuple[Candidate, ...]) -> dict[str, Proposed]:
    """What was evaluated, by name. SettingsError for what was not asked; conf/ as it stands may always be there."""
    handed = {one.name: one for one in proposal.read(folder).candidates}
    if unknown := handed.keys() - {ALONE, *(one.name for one in wanted)}:
        raise SettingsError(
            f"{min(unknown)} was evaluated, which the pull request does not name",
            expected=f"{', '.join(one.name for one in wanted)}",
            where="conf/candidates.yaml",
        )
    return handed


def _asked(
    candidate: Candidate, handed: Proposed | None, conf: Path, *, merged: Mapping[str, Any] | str | None
) -> Asked:
    """A candidate, refused where anything is wrong with it. `merged`: what merging would train, where it is listed."""
    merges = merged is not None and candidate.name == ALONE
    refusal = _refusal(candidate, handed)
    composed = refusal or _composed(conf, candidate.overrides)
    if not refusal and not merges and composed == merged:
        composed = f"it is conf/ as it stands, which is judged as {ALONE}"
    if isinstance(composed, str):
        return Asked(candidate=replace(candidate, refusal=composed), kind="", merges=merges)
    return Asked(candidate=candidate, kind=composed["model"]["name"], merges=merges)


def _composed(conf: Path, overrides: tuple[str, ...]) -> Mapping[str, Any] | str:
    """What the pull request's conf/ trains a model by; in words, why that does not compose."""
    try:
        return training(conf, overrides)
    except SettingsError as err:
        return str(err).replace(str(conf), "conf")


def _refusal(one: Candidate, handed: Proposed | None) -> str:
    if one.refusal:
        return one.refusal
    if handed is None:
        return "it was not evaluated"
    if handed.overrides != one.overrides:
        return "it was evaluated with other overrides than the pull request names"
    return handed.error


def _judged(
    asked: Asked, folder: Path, basis: Basis, policy: Policy, beside: Opponent
) -> tuple[Judged, Evidence | None]:
    """What is said of a candidate, and the evidence that it was judged by; None where it was not."""
    from lockgate.gates.judge.engine import judge

    one = asked.candidate
    told = Judged(name=one.name, overrides=one.overrides, decision=None, error=one.refusal)
    if one.refusal:
        return told, None
    try:
        rescored = basis.rescored(folder, one.name, kind=asked.kind)
        decision = judge(
            policy, rescored.evidence, beside.state, now=clock(), uncompared=beside.uncompared, claimed=rescored.claimed
        )
    except LockgateError as err:
        return replace(told, error=str(err)), None
    sealed = policy.disclose == "promotion_only"
    told = replace(
        told,
        decision=decision.seal() if sealed else decision,
        claimed=rescored.claimed,
        compared=() if sealed else compared(policy, rescored.evidence),
    )
    return told, rescored.evidence
