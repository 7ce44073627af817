"""A decision with everything that it was made of, so that others judge it again, elsewhere, and get the same bytes.

| file | |
|---|---|
| `decision.json` | the decision as it was told (sealed where the policy says so), canonical JSON and a newline |
| `evidence.arrow` | the evidence file that was judged (`lockgate.gates.evidence.evidence`) |
| `policy.json` | the policy that it was judged by, canonical JSON |
| `context.json` | the rest that judging takes: the state before, the time, what was seen of the run; and the entry |

Judging is a function of these. The entry binds them: its digests name the rows, the scores, the model and the policy,
it carries the digest of the entry before it, whose state is the state before, and where the log is signed it is signed.
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
from lockgate.gates.log import LogEntry
from lockgate.gates.log.events import JudgedEvent, ReverifiedEvent
from lockgate.gates.log.policies import policy_bytes
from lockgate.gates.log.replay import Moment
from lockgate.gates.policy.policy import Policy
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import State

DECISION_FILE, EVIDENCE_FILE, POLICY_FILE, CONTEXT_FILE = (
    "decision.json",
    "evidence.arrow",
    "policy.json",
    "context.json",
)

_RULES = ConfigDict(frozen=True, extra="forbid")
_ABSENT = "nothing"


class WitnessRecord(BaseModel):
    """What the judge saw of the run that the evidence was read from."""

    model_config = _RULES
    run: str
    model_sha256: str | None


class Context(BaseModel):
    """What was judged with, beside evidence and policy, and the entry that records what came of it."""

    model_config = _RULES
    format: Literal[1] = 1
    project: str
    log_id: str
    seq: int
    time: AwareDatetime
    witness: WitnessRecord | None
    state: State  # before the entry
    entry: str  # its bytes, canonical JSON with its signature
    previous: str | None  # the bytes of the entry before it; None for the first

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str) -> Self:
        """The context in `blob`. Raises LogError where it is none, or where its parts contradict each other."""
        expected = "what `lockgate export` writes"
        try:
            documents.parse_json(blob)
            found = cls.model_validate_json(blob)
        except ValidationError as err:
            problem = err.errors(include_url=False)[0]["msg"][:200]
            raise LogError(f"the context cannot be read: {problem}", expected=expected, where=where) from err
        except (ValueError, RecursionError) as err:
            raise LogError(f"the context cannot be read: {str(err)[:200]}", expected=expected, where=where) from err
        entry = found.parse_entry(where)
        before = LogEntry.from_bytes(found.previous.encode(), where=f"{where} previous") if found.previous else None
        told = {
            "project": entry.project,
            "log_id": entry.log_id,
            "seq": entry.seq,
            "time": entry.time,
            "state": before.state if before else State(salt=entry.state.salt),
        }
        if wrong := [name for name, value in told.items() if getattr(found, name) != value]:
            raise LogError(f"the context's {wrong[0]} is not what its entries say", expected="the same", where=where)
        if entry.previous != (before and before.digest) or entry.seq != (before.seq if before else 0) + 1:
            raise LogError("the context's entries do not follow each other", expected="the entry before", where=where)
        return found

    def parse_entry(self, where: str = CONTEXT_FILE) -> LogEntry:
        """The entry."""
        return LogEntry.from_bytes(self.entry.encode(), where=f"{where} entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """The decision made again, as it is told, and every value in which it differs from the one that was recorded."""

    decision: Decision
    differences: tuple[str, ...]


def export_entry(entry: LogEntry, before: LogEntry | None, evidence: Evidence, policy: Policy) -> dict[str, bytes]:
    """The four files, by name. Raises LogError for an entry that records no judgement."""
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
        DECISION_FILE: (recorded_decision(entry).to_json() + "\n").encode(),
        EVIDENCE_FILE: evidence.to_bytes(),
        POLICY_FILE: policy_bytes(policy),
        CONTEXT_FILE: rfc8785.dumps(context.model_dump(mode="json")),
    }


def require_judgement(entry: LogEntry) -> JudgedEvent | ReverifiedEvent:
    """What the entry records, where that is a judgement, of a challenger or of the champion again. LogError if not."""
    if not isinstance(entry.event, JudgedEvent | ReverifiedEvent):
        raise LogError(f"entry {entry.seq} records no judgement", expected="a judgement", where=entry.where)
    return entry.event


def recorded_decision(entry: LogEntry) -> Decision:
    """The decision that an entry records, as it was told. LogError where it records none, or not what it was."""
    event = require_judgement(entry)
    decision = entry.read_decision() if entry.judgement else _read_reverified(event.decision, entry)
    if decision.sha256 != event.decision_sha256:
        raise LogError(
            "the entry's decision is not the one that it names",
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
) -> Reproduced:
    """Judge again as `context` says, and compare with what its entry, and `decision`, record.

    Args:
        decision: `decision.json`. policy_file: `policy.json`; the entry names its digest.

    Raises LockgateError where it cannot be judged at all.
    """
    entry = context.parse_entry()
    recorded = recorded_decision(entry)
    seen = context.witness
    witness = None if seen is None else Witness(run=seen.run, model_sha256=seen.model_sha256)
    made = _again(policy, replace(evidence, witness=witness), context, entry)
    found = list(_differences(_plain(recorded), _plain(made), ""))
    if decision is not None and decision != (recorded.to_json() + "\n").encode():
        found.insert(0, f"{DECISION_FILE}: it is not the decision that the entry records")
    if policy_file is not None:
        digest, named = hashlib.sha256(policy_file).hexdigest(), require_judgement(entry).policy_sha256
        if digest != named:
            found.insert(0, f"{POLICY_FILE}: SHA-256 {digest[:12]}… is not the {named[:12]}… that the entry names")
    return Reproduced(decision=made, differences=tuple(found))


def describe_reproduction(recorded: LogEntry, decision: Decision) -> str:
    """What was shown by reproducing it, in words."""
    sealed = "; its commitment holds" if decision.commitment else ""
    where = f"entry {recorded.seq} of log {recorded.log_id[:12]}"
    return f"reproduced: {where}, decision sha256 {decision.sha256[:12]}{sealed}"


def _again(policy: Policy, evidence: Evidence, context: Context, entry: LogEntry) -> Decision:
    if isinstance(entry.event, ReverifiedEvent):
        return reverify.build_event(policy, evidence, context.state, Moment(seq=entry.seq, time=context.time))[1]
    made = judge(policy, evidence, context.state, now=context.time)
    return made.seal() if policy.disclose == "promotion_only" else made


def _read_reverified(recorded: Mapping[str, Any], entry: LogEntry) -> Decision:
    """The decision of a reverification, with the state after it."""
    try:
        decision = Decision.model_validate_json(json.dumps({**recorded, "state": entry.state.model_dump(mode="json")}))
    except ValidationError as err:
        raise LogError("the entry holds no decision that this version reads", where=entry.where) from err
    return decision.seal() if decision.sealed else decision


def _plain(decision: Decision) -> Mapping[str, Any]:
    held: Mapping[str, Any] = json.loads(decision.to_json())
    return held


def _differences(there: Any, here: Any, path: str) -> Iterator[str]:
    """Every value that differs, with its path, in the order of the recorded decision."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in [*there, *(name for name in here if name not in there)]:
            yield from _differences(there.get(name, _ABSENT), here.get(name, _ABSENT), f"{path}.{name}".lstrip("."))
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for at, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from _differences(old, new, f"{path}[{at}]")
    elif there != here:
        yield f"{path}: {_short(there)} was recorded, {_short(here)} is found"


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"{len(value)} values"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def reproduction_error(differences: tuple[str, ...]) -> LockgateError:
    """The error of a decision that is not reproduced."""
    shown = "; ".join(differences[:3])
    more = f"; and {len(differences) - 3} more" if len(differences) > 3 else ""
    return LockgateError(f"not reproduced: {shown}{more}", expected="the same decision, byte for byte")
