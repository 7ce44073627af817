"""Export a decision with everything that it was made of, so that others can judge again and get the same bytes.

| file | content |
|---|---|
| `decision.json` | the decision as it was disclosed (sealed if the policy says so), canonical JSON and a newline |
| `evidence.arrow` | the evidence file that was judged (`lockgate.gates.evidence.evidence`) |
| `policy.json` | the policy that it was judged by, canonical JSON |
| `context.json` | the other inputs: the state before, the time, and what the judge saw of the run; and the entry |

The decision is a function of the last three. The entry binds them: its digests name the rows, the scores, the model
and the policy, and it carries the digest of the entry before it, whose state is the state before. In a signed log the
entry is signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from lockgate.gates import documents
from lockgate.gates.errors import LockgateError, LogError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.facts import Witness
from lockgate.gates.judge.engine import judge
from lockgate.gates.lifecycle import reverify
from lockgate.gates.lifecycle.commit import apply_disclosure
from lockgate.gates.log import LogEntry
from lockgate.gates.log.events import JudgedEvent, ReverifiedEvent
from lockgate.gates.log.policies import policy_bytes
from lockgate.gates.log.replay import Moment
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import State

DECISION_FILE = "decision.json"
EVIDENCE_FILE = "evidence.arrow"
POLICY_FILE = "policy.json"
CONTEXT_FILE = "context.json"

_RULES = ConfigDict(frozen=True, extra="forbid")
_ABSENT = "nothing"


class WitnessRecord(BaseModel):
    """What the judge saw of the run that the evidence was read from, as context.json holds it."""

    model_config = _RULES
    run: str
    model_sha256: str | None


class Context(BaseModel):
    """The inputs of a judgement other than evidence and policy, and the entry that records its outcome."""

    model_config = _RULES
    format: Literal[1] = 1
    project: str
    log_id: str
    seq: int
    time: AwareDatetime
    witness: WitnessRecord | None
    state: State  # before the entry
    entry: str  # the bytes of the entry: canonical JSON, signature included
    previous: str | None  # the bytes of the entry before it; None for the first

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str) -> Self:
        """The context in `blob`. Raises LogError if it is none, or if its parts contradict each other."""
        expected = "what `lockgate export` writes"
        try:
            documents.parse_json(blob)
            context = cls.model_validate_json(blob)
        except ValidationError as err:
            problem = err.errors(include_url=False)[0]["msg"][:200]
            raise LogError(f"the context cannot be read: {problem}", expected=expected, where=where) from err
        except (ValueError, RecursionError) as err:
            raise LogError(f"the context cannot be read: {str(err)[:200]}", expected=expected, where=where) from err
        entry = context.parse_entry(where)
        before = LogEntry.from_bytes(context.previous.encode(), where=f"{where} previous") if context.previous else None
        expected_fields = {
            "project": entry.project,
            "log_id": entry.log_id,
            "seq": entry.seq,
            "time": entry.time,
            "state": before.state if before else State(salt=entry.state.salt),
        }
        if wrong := [name for name, value in expected_fields.items() if getattr(context, name) != value]:
            raise LogError(f"the context's {wrong[0]} is not what its entries say", expected="the same", where=where)
        if entry.previous != (before and before.digest) or entry.seq != (before.seq if before else 0) + 1:
            raise LogError("the context's entries do not follow each other", expected="the entry before", where=where)
        return context

    def parse_entry(self, where: str = CONTEXT_FILE) -> LogEntry:
        """The entry that records the outcome."""
        return LogEntry.from_bytes(self.entry.encode(), where=f"{where} entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """The decision made again, as it would be disclosed, and every value that differs from the recorded decision."""

    decision: Decision
    differences: tuple[str, ...]


def export_entry(entry: LogEntry, before: LogEntry | None, evidence: Evidence, policy: Policy) -> dict[str, bytes]:
    """The four files of an export, by name. Raises LogError if the entry records no judgement."""
    witness = evidence.witness
    context = Context(
        project=entry.project,
        log_id=entry.log_id,
        seq=entry.seq,
        time=entry.time,
        witness=witness and WitnessRecord(run=witness.run, model_sha256=witness.model_sha256),
        state=before.state if before else State(salt=entry.state.salt),
        entry=entry.to_bytes().decode(),
        previous=before and before.to_bytes().decode(),
    )
    return {
        DECISION_FILE: (read_recorded_decision(entry).to_json() + "\n").encode(),
        EVIDENCE_FILE: evidence.to_bytes(),
        POLICY_FILE: policy_bytes(policy),
        CONTEXT_FILE: rfc8785.dumps(context.model_dump(mode="json")),
    }


def require_judgement(entry: LogEntry) -> JudgedEvent | ReverifiedEvent:
    """The judgement that the entry records, of a challenger or of the champion. Raises LogError for other events."""
    if not isinstance(entry.event, JudgedEvent | ReverifiedEvent):
        raise LogError(f"entry {entry.seq} records no judgement", expected="a judgement", where=entry.where)
    return entry.event


def read_recorded_decision(entry: LogEntry) -> Decision:
    """The recorded decision, as it was disclosed. Raises LogError if there is none, or if its digest differs."""
    event = require_judgement(entry)
    decision = event.read_decision(entry.state, where=entry.where)
    if decision.sha256 != event.decision_sha256:
        raise LogError(
            "the entry's decision is not the one that the entry names",
            expected=f"SHA-256 {event.decision_sha256}",
            where=entry.where,
        )
    return decision


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
        decision: the content of `decision.json`, to be compared with the entry.
        policy_file: the content of `policy.json`, whose digest the entry names.

    Raises LockgateError if judging fails altogether.
    """
    entry = context.parse_entry()
    recorded = read_recorded_decision(entry)
    record = context.witness
    witness = None if record is None else Witness(run=record.run, model_sha256=record.model_sha256)
    repeated = _judge_again(policy, replace(evidence, witness=witness), context, entry)
    differences = list(_list_differences(_to_plain(recorded), _to_plain(repeated), ""))
    if decision is not None and decision != (recorded.to_json() + "\n").encode():
        differences.insert(0, f"{DECISION_FILE}: it is not the decision that the entry records")
    if policy_file is not None:
        digest, expected = hashlib.sha256(policy_file).hexdigest(), require_judgement(entry).policy_sha256
        if digest != expected:
            problem = f"SHA-256 {digest[:12]}… is not the {expected[:12]}… that the entry names"
            differences.insert(0, f"{POLICY_FILE}: {problem}")
    return Reproduction(decision=repeated, differences=tuple(differences))


def describe_reproduction(recorded: LogEntry, decision: Decision) -> str:
    """What a successful reproduction has shown, in words."""
    sealed = "; its commitment holds" if decision.commitment else ""
    where = f"entry {recorded.seq} of log {recorded.log_id[:12]}"
    return f"reproduced: {where}, decision sha256 {decision.sha256[:12]}{sealed}"


def _judge_again(policy: Policy, evidence: Evidence, context: Context, entry: LogEntry) -> Decision:
    if isinstance(entry.event, ReverifiedEvent):
        return reverify.build_event(policy, evidence, context.state, Moment(seq=entry.seq, time=context.time))[1]
    return apply_disclosure(policy, judge(policy, evidence, context.state, now=context.time))


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


def reproduction_error(differences: tuple[str, ...]) -> LockgateError:
    """The error for a decision that was not reproduced."""
    examples = "; ".join(differences[:3])
    more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
    return LockgateError(f"not reproduced: {examples}{more}", expected="the same decision, byte for byte")
