"""One entry of the promotion log: one commit."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from lockgate.gates.errors import LogError
from lockgate.gates.log.events import AnyEvent, JudgedEvent
from lockgate.gates.log.signing import Signature
from lockgate.gates.log.unreadable import unreadable_error
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import State

ENTRY_FORMAT: Literal[2] = 2
"""Raised only where entries can no longer be read as before. A field that is added keeps it: see `docs/exchange.md`."""


class LogEntry(BaseModel):
    """An event, the entry that it follows, and the state after it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = ENTRY_FORMAT
    log_id: str  # drawn when the log began; every entry carries it
    project: str
    seq: int  # 1 for the first
    previous: str | None  # SHA-256 of the previous entry's bytes; None for the first
    time: AwareDatetime
    actor: str  # who says to have written it; only the signature proves it
    event: AnyEvent
    state: State
    signature: Signature | None = None

    @property
    def judgement(self) -> JudgedEvent | None:
        """The judgement that the entry records; None for any other event."""
        return self.event if isinstance(self.event, JudgedEvent) else None

    @property
    def promotes(self) -> bool:
        """Whether the entry is a promotion."""
        return self.judgement is not None and self.event.verdict == "PROMOTE"

    def read_decision(self) -> Decision:
        """The recorded decision, with the state after it. Raises LogError if there is none, or it cannot be read."""
        if self.judgement is None:
            raise LogError(
                f"entry {self.seq} of the promotion log records no judgement", expected="a judgement", where=self.where
            )
        return self.judgement.read_decision(self.state, where=self.where)

    @property
    def where(self) -> str:
        """The path of its object in the store."""
        return entry_path(self.seq)

    def payload(self) -> bytes:
        """What is signed: the entry without its signature, as canonical JSON (RFC 8785)."""
        return rfc8785.dumps(self.model_dump(mode="json", exclude={"signature"}))

    def to_bytes(self) -> bytes:
        """Canonical JSON (RFC 8785)."""
        return rfc8785.dumps(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, signature included; the next entry carries it as `previous`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str) -> LogEntry:
        """The entry in `blob`. Raises LogError if the bytes are no entry, or not in canonical form."""
        try:
            entry = cls.model_validate_json(blob)
        except ValidationError as err:
            if not blob.endswith(b"}"):
                raise _torn_error(len(blob), where) from err
            raise unreadable_error(
                err, what="an entry of the promotion log", where=where, newest_format=ENTRY_FORMAT
            ) from err
        try:
            canonical = entry.to_bytes() == blob
        except rfc8785.CanonicalizationError:  # canonical JSON cannot represent a number or a text in it
            canonical = False
        if not canonical:
            raise LogError("the entry is not in canonical form", expected="the bytes that lockgate wrote", where=where)
        return entry

    def as_json(self) -> dict[str, object]:
        """The fields as plain JSON values, as `lockgate history --json` prints them."""
        fields: dict[str, object] = json.loads(self.to_bytes())
        return fields


def _torn_error(size: int, where: str) -> LogError:
    return LogError(
        f"this is not an entry of the promotion log: it is torn, {size:,} bytes without an end",
        expected="the bytes that lockgate wrote",
        where=where,
        hint="a power cut leaves that where an entry was not synced; if no entry comes after it, it was never in "
        "force, so delete it and run the command again",
    )


def entry_path(seq: int) -> str:
    """The path of entry `seq` in the store."""
    return f"log/{seq:08d}.json"
