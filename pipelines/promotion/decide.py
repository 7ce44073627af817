"""From evidence to a decision that is logged and tagged: what `evaluate`, `judge` and Promote share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import LockgateError
from lockgate.pipelines.promotion.actor import actor, clock

if TYPE_CHECKING:
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.lifecycle.tags import TagChange
    from lockgate.gates.log import Log
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.runs import RetagResult
    from lockgate.pipelines.settings.governance import Governance

_LOG_NOT_ASKED = "the evidence has no champion, and no promotion log was asked for one"
_TAG_ORDER = ("deployment_candidate", "champion", "held", "revoked")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDecision:
    """A decision as users see it: sealed if the policy does not disclose it."""

    decision: Decision
    entry: int | None  # of the log; None where nothing was recorded
    note: str  # what was logged and tagged, or why nothing was


def decide_and_log(policy: Policy, evidence: Evidence, log: Log) -> ReportedDecision:
    """Judge against the head of the log, commit the decision, and make the tags of runs follow the log.

    Raises StaleError if another champion reigns by now.
    """
    from lockgate.gates import runs
    from lockgate.gates.lifecycle.commit import commit

    if evidence.witness is not None:
        runs.keep_run(evidence.witness.run)  # an entry must not outlive the run that it refers to
    committed = commit(policy, evidence, log, actor=actor(), clock=clock)
    decision, entry = committed.decision, committed.entry
    promoted = entry is not None and entry.promotes
    if policy.disclose == "promotion_only" and not promoted and not decision.already_champion:
        repair_tags(log)  # of earlier promotions; about this run nothing is disclosed, so neither are its tags
        return ReportedDecision(decision=decision.seal(), entry=None, note="it was not promoted")
    unsigned = "" if log.keyring.requires_signatures else " (unsigned)"
    if entry is None:
        why = "it is the champion already" if decision.already_champion else "it could not be judged"
        note = f"nothing was logged: {why}"
    elif committed.was_recorded:
        note = f"recorded before as entry {entry.seq} of the promotion log{unsigned}"
    else:
        note = f"entry {entry.seq} of the promotion log{unsigned}"
    note += f"; {repair_tags(log, written=entry is not None and not committed.was_recorded)}"
    return ReportedDecision(decision=_disclose(decision, policy), entry=entry.seq if entry else None, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """The reported decision on a finished run, its evidence, and the log that it was judged by."""

    reported: ReportedDecision
    evidence: Evidence
    log: Log


def judge_run(settings: Governance, policy: Policy, run: str) -> JudgedRun:
    """Judge a finished run (a pathspec, or just the id of a run of EvaluateNewModel), and promote it if it passes.

    Raises LockgateError if the run does not exist, is not finished or belongs to another project, or if its model
    cannot be loaded by Predict; StaleError if it was scored beside a champion that no longer reigns.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.promotion.log import open_log

    claim = runs.load_claim(run if "/" in run else f"EvaluateNewModel/{run}")
    claimed, project = claim.evidence.facts.get("project"), settings.project
    if claimed != project:
        raise LockgateError(f"the run belongs to project {claimed!r}", expected=f"project {project!r}", where=claim.run)
    check_run_servable(settings, claim.evidence, claim.run)
    log = open_log(settings, writing=True)
    return JudgedRun(reported=decide_and_log(policy, claim.evidence, log), evidence=claim.evidence, log=log)


def check_run_servable(settings: Governance, evidence: Evidence, run: str) -> None:
    """Raise ModelError if a run's model would be promoted in vain, as `servable.check_servable` says."""
    from lockgate.gates import runs
    from lockgate.pipelines.promotion.servable import check_servable

    check_servable(settings, evidence, lambda: runs.load_model_bytes(run))


def decide_only(policy: Policy, evidence: Evidence, log: Log | None, *, why: str) -> ReportedDecision:
    """Judge without writing anything; `why` says why nothing is logged.

    If the evidence has no champion, comparisons are skipped only if the log shows that there never was one.
    """
    from lockgate.gates.judge.engine import judge

    state = log.state() if log else None
    uncompared = _LOG_NOT_ASKED if state is None else state.vacancy
    decision = judge(policy, evidence, state, now=clock(), uncompared=uncompared)
    note = f"nothing was logged or tagged: {why}"
    if policy.schedule.kind != "open":
        note += "; an answer that is not logged is not covered by the guarantee"
    return ReportedDecision(decision=_disclose(decision, policy), entry=None, note=note)


def repair_tags(log: Log, *, written: bool = True) -> str:
    """Make the tags of the champion, of its predecessor and of the last entry's run follow the log; says what changed.

    Tags of a run that Metaflow says belongs to another project are left alone. Tags that cannot be written are
    reported but never fail a command: the log is the truth, and the next command tries again. All runs share one
    timeout, and the first failure ends the repair.

    written: whether this command wrote the last entry. A tag that is missing then is not reported as a repair.
    """
    from lockgate.gates.lifecycle import tags

    repairs: list[str] = []
    for followed in _retag_runs(log):
        if isinstance(followed, str):
            repairs.append(followed)
            continue
        change, retagged = followed
        if (retagged.added or retagged.removed) and not written:
            repairs.append(_describe_repair(change.run, retagged))
        elif retagged.added or (tags.CHAMPION in change.add and not written):
            repairs.append(f"{change.run} is tagged {', '.join(sorted(change.add, key=_TAG_ORDER.index))}")
        if retagged.stuck:
            repairs.append(
                f"{change.run} has {', '.join(sorted(retagged.stuck))} as a system tag, which cannot be removed"
            )
    try:
        repairs += filter(None, [_follow_in_mlflow(log)])
    except LockgateError as err:
        repairs.append(f"the alias in MLflow is not written ({err}); the next command repairs it")
    return "; ".join(repairs) or "no tags had to change"


def mend_tags(log: Log) -> str:
    """As `repair_tags`, by a command that wrote nothing: only what was put right, or empty."""
    changed = [repair for repair in _retag_runs(log) if not isinstance(repair, str)]
    mended = [_describe_repair(change.run, tags) for change, tags in changed if tags.added or tags.removed]
    with suppress(LockgateError):
        mended += filter(None, [_follow_in_mlflow(log)])
    return "; ".join(mended)


def _follow_in_mlflow(log: Log) -> str:
    """What was changed in MLflow's registry, where `lockgate.yaml` declares one. Raises LockgateError."""
    from lockgate.pipelines.promotion import mlflow_index
    from lockgate.pipelines.settings.governance import load_registry

    registry = load_registry(log.project)
    if registry is None:
        return ""
    try:
        return mlflow_index.follow_log(log, registry)
    except ModuleNotFoundError as err:
        raise LockgateError(f"{err.name} is not installed", hint="pip install 'lockgate[mlflow]'") from err


def _retag_runs(log: Log) -> Iterator[tuple[TagChange, RetagResult] | str]:
    """Each run whose tags the last entry decides, with what was changed; a sentence where nothing could be."""
    from lockgate.gates import runs
    from lockgate.gates.lifecycle import tags

    try:
        head, deadline = log.head(), time.monotonic() + runs.metadata_timeout()
        for change in tags.list_tag_changes(head) if head else ():
            try:
                seconds = max(0.0, deadline - time.monotonic())
                yield (
                    change,
                    runs.retag(change.run, project=log.project, add=change.add, remove=change.remove, seconds=seconds),
                )
            except runs.ForeignRunError as err:
                yield f"the tags of {change.run} are left as they are: {err.problem}"
            except LockgateError as err:
                yield f"the tags of {change.run} are not written ({err}); the next command repairs them"
                break
    except LockgateError as err:
        yield f"the tags are not written ({err}); the next command repairs them"


def _describe_repair(run: str, retagged: RetagResult) -> str:
    changed = [f"+{tag}" for tag in sorted(retagged.added)] + [f"-{tag}" for tag in sorted(retagged.removed)]
    return f"the tags of {run} differed from the log and were put right: {' '.join(changed)}"


def _disclose(decision: Decision, policy: Policy) -> Decision:
    return decision.seal() if policy.disclose == "promotion_only" else decision
