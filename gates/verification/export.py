"""Export a decision with everything that it was made of, so that others can judge again (`reproduction.py`).

| file | content |
|---|---|
| `decision.json` | the decision as it was disclosed (sealed if the policy says so), canonical JSON and a newline |
| `evidence.arrow` | the evidence file that was judged (`lockgate.gates.evidence.evidence`) |
| `policy.json` | the policy that it was judged by, as it is kept beside the log, byte for byte |
| `context.json` | the other inputs: the state before, the time, and what the judge saw of the run; and the entry |

The decision is a function of the last three. The entry binds them: its digests name the rows, the scores, the model
and the policy, and it carries the digest of the entry before it, whose state is the state before. In a signed log the
entry is signed.
"""

from __future__ import annotations

from typing import Literal, Self

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from lockgate.gates import documents
from lockgate.gates.errors import LogError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.log import LogEntry
from lockgate.gates.log.events import JudgedEvent, ReverifiedEvent
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import State

DECISION_FILE = "decision.json"
EVIDENCE_FILE = "evidence.arrow"
POLICY_FILE = "policy.json"
CONTEXT_FILE = "context.json"

_RULES = ConfigDict(frozen=True, extra="forbid")


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


def export_entry(entry: LogEntry, before: LogEntry | None, evidence: Evidence, policy_file: bytes) -> dict[str, bytes]:
    """The four files of an export, by name; `policy_file` is the policy as it is kept beside the log, byte for byte.

    Raises LogError if the entry records no judgement.
    """
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
        POLICY_FILE: policy_file,
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
