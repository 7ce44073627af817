"""From evidence to a decision that is logged and tagged: what `evaluate`, `judge` and Promote share."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
    from lockgate.pipelines.settings.settings import Settings

_LOG_NOT_ASKED = "the evidence has no champion, and no promotion log was asked whether there is one"
_TAG_ORDER = ("deployment_candidate", "champion", "held", "revoked")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDecision:
    """A decision as it is told: sealed where the policy says so."""

    decision: Decision
    entry: int | None  # of the log; None where nothing was recorded
    note: str  # what became of it, in words


def decide_and_log(policy: Policy, evidence: Evidence, log: Log) -> ReportedDecision:
    """Judge against the log's head, commit, and let the tags follow; those that were behind are repaired.

    Raises StaleError where another champion reigns meanwhile.
    """
    from lockgate.gates.lifecycle.commit import commit

    committed = commit(policy, evidence, log, actor=actor(), clock=clock)
    decision, entry = committed.decision, committed.entry
    promoted = entry is not None and entry.promotes
    if policy.disclose == "promotion_only" and not promoted and not decision.already_champion:
        repair_tags(log)  # of what was promoted before; of this one nobody is told anything
        return ReportedDecision(decision=decision.seal(), entry=None, note="it was not promoted")
    unsigned = "" if log.keyring.signed else " (unsigned)"
    if entry is None:
        note = "nothing was logged: " + ("it reigns already" if decision.already_champion else "it could not be judged")
    elif committed.was_recorded:
        note = f"recorded before as entry {entry.seq} of the promotion log{unsigned}"
    else:
        note = f"entry {entry.seq} of the promotion log{unsigned}"
    note += f"; {repair_tags(log, written=entry is not None and not committed.was_recorded)}"
    return ReportedDecision(decision=_disclose(decision, policy), entry=entry.seq if entry else None, note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """What was told of a finished run, of which evidence, by which log."""

    reported: ReportedDecision
    evidence: Evidence
    log: Log


def judge_run(settings: Settings, policy: Policy, run: str) -> JudgedRun:
    """Judge a finished run (a pathspec, or the id alone of one of EvaluateNewModel), and promote what passes.

    Raises LockgateError for a run that is not there, not finished or of another project; StaleError where another
    champion reigns than the one it was scored beside.
    """
    from lockgate.gates import runs
    from lockgate.pipelines.promotion.log import open_log

    claim = runs.load_claim(run if "/" in run else f"EvaluateNewModel/{run}")
    claimed, project = claim.evidence.facts.get("project"), settings.data.project
    if claimed != project:
        raise LockgateError(f"the run is of project {claimed!r}", expected=f"project {project!r}", where=claim.run)
    log = open_log(settings, writing=True)
    return JudgedRun(reported=decide_and_log(policy, claim.evidence, log), evidence=claim.evidence, log=log)


def decide_only(policy: Policy, evidence: Evidence, log: Log | None, *, why: str) -> ReportedDecision:
    """Judge without writing anything; `why` says in words why nothing is logged.

    Where the evidence has no champion, comparisons are skipped only if the log shows that there never was one.
    """
    from lockgate.gates.judge.engine import judge

    state = log.state() if log else None
    uncompared = _LOG_NOT_ASKED if state is None else state.vacancy
    decision = judge(policy, evidence, state, now=clock(), uncompared=uncompared)
    uncounted = "" if policy.schedule.kind == "open" else "; an answer that is not logged is outside of the guarantee"
    return ReportedDecision(
        decision=_disclose(decision, policy), entry=None, note=f"nothing was logged or tagged: {why}{uncounted}"
    )


def repair_tags(log: Log, *, written: bool = True) -> str:
    """Let the tags of the champion, of the one before it and of the run of the last entry follow the log; in words.

    Of a run that Metaflow says is another project's, none are changed.

    `written`: this command wrote that entry, so that a missing tag is nobody's fault. Tags that cannot be written are
    said and never fail a command: the log is the truth, and the next command tries again. All of them have the time
    of one answer; the first failure ends it.
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
    return "; ".join(repairs) or "no run to tag anew"


def mend_tags(log: Log) -> str:
    """As `repair_tags`, by a command that wrote nothing: only what was put right, in words; empty where nothing was."""
    changed = [repair for repair in _retag_runs(log) if not isinstance(repair, str)]
    return "; ".join(
        _describe_repair(change.run, retagged) for change, retagged in changed if retagged.added or retagged.removed
    )


def _retag_runs(log: Log) -> Iterator[tuple[TagChange, RetagResult] | str]:
    """Each run whose tags the last entry decides, and what was changed; in words, why no more could be."""
    from lockgate.gates import runs
    from lockgate.gates.lifecycle import tags

    try:
        head, until = log.head(), time.monotonic() + runs.metadata_timeout()
        for change in tags.list_tag_changes(head) if head else ():
            try:
                seconds = max(0.0, until - time.monotonic())
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
    return f"the tags of {run} were not what the log says, and were put right: {' '.join(changed)}"


def _disclose(decision: Decision, policy: Policy) -> Decision:
    return decision.seal() if policy.disclose == "promotion_only" else decision
