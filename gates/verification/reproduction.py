"""Judge an exported decision again, and say what that shows.

What is compared depends on who judges. By the engine that judged then, the same inputs give the same bytes: whatever
differs is a difference. Another engine may rightly find other bounds, choose other words, and even come to another
verdict, as its statistics are better; that its verdict is another is a remark and never a difference. What no engine
may change is what was judged: rows, scores, models, training rows and policy, as the decision binds them.

| compared | same engine | another engine |
|---|---|---|
| `decision.json` and `policy.json` with the entry | a difference | a difference |
| what the decision binds, but for the engine | a difference | a difference |
| ruling, verdict by gate, and whether it was waived | a difference | a remark |
| numbers, sentences, looks, the state after | a difference | not compared |

Under a policy that discloses promotions only the recorded verdicts are sealed, so that another engine can be compared
by the ruling alone. The commitment covers every number, so that only the engine that made it can check it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lockgate.gates.errors import LockgateError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import Witness
from lockgate.gates.judge.engine import judge
from lockgate.gates.lifecycle import reverify
from lockgate.gates.lifecycle.commit import apply_disclosure
from lockgate.gates.log import LogEntry
from lockgate.gates.log.events import ReverifiedEvent
from lockgate.gates.log.replay import Moment
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Outcome
from lockgate.gates.verification.export import (
    DECISION_FILE,
    POLICY_FILE,
    Context,
    read_recorded_decision,
    require_judgement,
)

_ABSENT = "nothing"
_SHOWN_DIFFERENCES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The decision made again, as it would be disclosed, and how it compares with the recorded one."""

    decision: Decision
    recorded_engine: str  # the version that judged then; `decision.binding.engine` judges now
    differences: tuple[str, ...]  # what is not as it must be, whoever judges
    remarks: tuple[str, ...]  # verdicts that another engine comes to; empty for the same engine

    @property
    def same_engine(self) -> bool:
        """Whether the engine that judged then judges now, so that every byte has to be the same."""
        return self.recorded_engine == self.decision.binding.engine


def reproduce(
    evidence: Evidence,
    policy: Policy,
    context: Context,
    *,
    decision: bytes | None = None,
    policy_file: bytes | None = None,
) -> Reproduction:
    """Judge again as `context` says, and compare the outcome with the recorded decision.

    Args:
        policy: as `lockgate.gates.policy.archive.read_archived` reads it.
        decision: the content of `decision.json`, to be compared with the entry.
        policy_file: the content of `policy.json`, whose digest the entry names.

    Raises LockgateError if judging fails altogether.
    """
    entry = context.parse_entry()
    recorded = read_recorded_decision(entry)
    record = context.witness
    witness = None if record is None else Witness(run=record.run, model_sha256=record.model_sha256)
    repeated = _judge_again(policy, replace(evidence, witness=witness), context, entry)
    differences = [*_list_changed_files(entry, recorded, decision, policy_file)]
    remarks: tuple[str, ...] = ()
    if recorded.binding.engine == repeated.binding.engine:
        differences += _list_differences(_to_plain(recorded), _to_plain(repeated), "")
    else:
        differences += _list_differences(_bound_inputs(recorded), _bound_inputs(repeated), "binding")
        remarks = tuple(_list_other_verdicts(recorded, repeated))
    return Reproduction(
        decision=repeated,
        recorded_engine=recorded.binding.engine,
        differences=tuple(differences),
        remarks=remarks,
    )


def describe_reproduction(recorded: LogEntry, reproduction: Reproduction) -> str:
    """What a reproduction without differences has shown, in words."""
    decision = reproduction.decision
    where = f"entry {recorded.seq} of log {recorded.log_id[:12]}"
    if reproduction.same_engine:
        sealed = "; its commitment holds" if decision.commitment else ""
        return f"reproduced: {where}, decision sha256 {decision.sha256[:12]}{sealed}"
    engines = f"judged by engine {reproduction.recorded_engine}; this engine, {decision.binding.engine},"
    inputs = f"the inputs of {where} are those that were judged"
    if reproduction.remarks:
        return f"{inputs}; {engines} says otherwise: {'; '.join(reproduction.remarks)}"
    compared = "the same ruling" if decision.sealed else "the same ruling, and the same verdict of every gate"
    return f"{inputs}; {engines} comes to {compared}; numbers and sentences are compared by the same engine only"


def reproduction_error(differences: tuple[str, ...]) -> LockgateError:
    """The error for a decision that was not reproduced."""
    examples = "; ".join(differences[:_SHOWN_DIFFERENCES])
    more = f"; and {len(differences) - _SHOWN_DIFFERENCES} more" if len(differences) > _SHOWN_DIFFERENCES else ""
    return LockgateError(f"not reproduced: {examples}{more}", expected="the same decision, byte for byte")


def _judge_again(policy: Policy, evidence: Evidence, context: Context, entry: LogEntry) -> Decision:
    if isinstance(entry.event, ReverifiedEvent):
        return reverify.build_event(policy, evidence, context.state, Moment(seq=entry.seq, time=context.time))[1]
    return apply_disclosure(policy, judge(policy, evidence, context.state, now=context.time))


def _list_changed_files(
    entry: LogEntry, recorded: Decision, decision: bytes | None, policy_file: bytes | None
) -> Iterator[str]:
    if policy_file is not None:
        digest, expected = hashlib.sha256(policy_file).hexdigest(), require_judgement(entry).policy_sha256
        if digest != expected:
            yield f"{POLICY_FILE}: SHA-256 {digest[:12]}… is not the {expected[:12]}… that the entry names"
    if decision is not None and decision != (recorded.to_json() + "\n").encode():
        yield f"{DECISION_FILE}: it is not the decision that the entry records"


def _bound_inputs(decision: Decision) -> Mapping[str, Any]:
    """What the decision is about, without the engine that made it."""
    return decision.binding.model_dump(mode="json", exclude={"engine"})


def _list_other_verdicts(recorded: Decision, repeated: Decision) -> Iterator[str]:
    """The ruling and the verdicts of gates that differ, the ruling first."""
    if recorded.verdict is not repeated.verdict:
        yield f"{recorded.verdict} was recorded, and it rules {repeated.verdict}"
    before, after = (_describe_verdicts(decision.outcomes) for decision in (recorded, repeated))
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old != new:
            yield f"{name} was {old}, and is {new}"


def _describe_verdicts(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {outcome.name: f"{outcome.verdict}{', waived' if outcome.waived else ''}" for outcome in outcomes}


def _to_plain(decision: Decision) -> Mapping[str, Any]:
    values: Mapping[str, Any] = json.loads(decision.to_json())
    return values


def _list_differences(recorded: Any, repeated: Any, path: str) -> Iterator[str]:
    """Every value that differs, with its path, in the order of the recorded decision."""
    if isinstance(recorded, dict) and isinstance(repeated, dict):
        for name in [*recorded, *(name for name in repeated if name not in recorded)]:
            old, new = recorded.get(name, _ABSENT), repeated.get(name, _ABSENT)
            yield from _list_differences(old, new, f"{path}.{name}".lstrip("."))
    elif isinstance(recorded, list) and isinstance(repeated, list) and len(recorded) == len(repeated):
        for index, (old, new) in enumerate(zip(recorded, repeated, strict=True)):
            yield from _list_differences(old, new, f"{path}[{index}]")
    elif recorded != repeated:
        yield f"{path}: {_shorten(recorded)} was recorded, {_shorten(repeated)} is found"


def _shorten(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{len(value)} values"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:12]}…"
