"""One entry of the promotion log: one commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gates.decision import Decision
from gates.errors import LogError
from gates.state import State


class Entry(BaseModel):
    """What was decided, after what, and the state after it. `verdict` PROMOTE is the promotion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    log_id: str  # drawn when the log began; every entry carries it
    project: str
    seq: int  # 1 for the first
    previous: str | None  # SHA-256 of the previous entry's bytes; None for the first
    time: AwareDatetime
    actor: str
    event: Literal["judged"]
    verdict: Literal["PROMOTE", "HOLD", "INCONCLUSIVE"]
    run: str | None
    decision: Mapping[str, Any]  # the decision as JSON, without its state; sealed where the policy says so
    decision_sha256: str  # of the decision as it was told, as reports show it; nothing sealed goes into it
    state: State

    def decided(self) -> Decision:
        """The decision that was recorded, with the state after it; sealed again where it is. LogError for none."""
        recorded = {**self.decision, "state": self.state.model_dump(mode="json")}
        try:
            decision = Decision.model_validate_json(json.dumps(recorded))
            return decision.seal() if decision.sealed else decision
        except ValidationError as err:
            raise LogError(
                f"entry {self.seq} of the promotion log holds no decision that this version reads",
                hint="it was written by hand, or by another version of lockgate",
            ) from err

    def to_bytes(self) -> bytes:
        """Canonical JSON (RFC 8785)."""
        return rfc8785.dumps(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes; the next entry carries it."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, blob: bytes, *, where: str) -> Entry:
        """The entry in `blob`. Raises LogError where it is none, or not in canonical form."""
        try:
            entry = cls.model_validate_json(blob)
        except ValidationError as err:
            raise LogError(
                f"not an entry of the promotion log: {err.errors(include_url=False)[0]['msg']}",
                where=where,
                hint="somebody wrote there by hand; nothing is promoted until it is put right",
            ) from err
        try:
            canonical = entry.to_bytes() == blob
        except rfc8785.CanonicalizationError:  # a number or a text that canonical JSON has no form for
            canonical = False
        if not canonical:
            raise LogError("the entry is not in canonical form", expected="the bytes that lockgate wrote", where=where)
        return entry
