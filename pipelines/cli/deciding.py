"""What `evaluate` and `judge` share: from evidence to a decision that is logged, tagged, shown and written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gates.errors import LockgateError
from pipelines.cli.printing import append, console, print_json, write_whole
from pipelines.cli.project import actor, clock

if TYPE_CHECKING:
    from gates.decision import Decision
    from gates.evidence import Evidence
    from gates.log import Log
    from gates.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A decision as it is told: sealed where the policy says so."""

    decision: Decision
    entry: int | None  # of the log; None where nothing was recorded
    note: str  # what became of it, in words


def decide_and_log(policy: Policy, evidence: Evidence, log: Log) -> Reported:
    """Judge against the log's head, commit, and tag the run where that promoted it. Missing tags are repaired.

    Raises StaleError where another champion reigns meanwhile.
    """
    from gates.promotion import commit

    done = commit(policy, evidence, log, actor=actor(), clock=clock)
    decision, entry = done.decision, done.entry
    promoted = entry is not None and entry.promotes
    if policy.disclose == "promotion_only" and not promoted and not decision.already_champion:
        return Reported(decision=decision.seal(), entry=None, note="it was not promoted")
    unsigned = "" if log.keyring.signed else " (unsigned)"
    if entry is None:
        note = "nothing was logged: " + ("it reigns already" if decision.already_champion else "it could not be judged")
    elif done.before:
        note = f"recorded before as entry {entry.seq} of the promotion log{unsigned}"
    else:
        note = f"entry {entry.seq} of the promotion log{unsigned}"
    if decision.already_champion or promoted:
        note += f"; {repair_tag(log)}"
    return Reported(decision=_told(decision, policy), entry=entry.seq if entry else None, note=note)


def decide_only(policy: Policy, evidence: Evidence, log: Log | None, *, why: str) -> Reported:
    """Judge without writing anything; `why` says in words why nothing is logged."""
    from gates.engine import judge

    decision = judge(policy, evidence, log.state() if log else None, now=clock())
    uncounted = "" if policy.schedule.kind == "open" else "; an answer that is not logged is outside of the guarantee"
    return Reported(
        decision=_told(decision, policy), entry=None, note=f"nothing was logged or tagged: {why}{uncounted}"
    )


def repair_tag(log: Log) -> str:
    """Put the candidate's tag on the champion's run where it is missing; what became of it, in words."""
    from gates import runs

    champion = log.state().champion
    if champion is None or champion.run is None:
        return "no run to tag"
    try:
        kept = runs.tag_candidate(champion.run)
    except LockgateError as err:
        return f"the tag is missing ({err}); the next command repairs it"
    return f"{champion.run} is tagged {runs.CANDIDATE}" if kept else "the tag was not kept; the next command repairs it"


def report(told: Reported, *, as_json: bool, decision_file: Path | None, report_file: Path | None) -> int:
    """Show the decision, write the files asked for, and give the exit code."""
    if decision_file:
        write_whole(decision_file, told.decision.to_json() + "\n")
    if report_file:
        from gates.report import markdown

        append(report_file, markdown.render(told.decision) + f"\n{markdown.safe(told.note)}\n")
    if as_json:
        import json

        print_json({"decision": json.loads(told.decision.to_json()), "entry": told.entry, "note": told.note})
    else:
        from gates.report import terminal

        out = console()
        out.print(terminal.render(told.decision))
        out.print(f"  {told.note}", markup=False)
    return told.decision.exit_code


def _told(decision: Decision, policy: Policy) -> Decision:
    return decision.seal() if policy.disclose == "promotion_only" else decision
