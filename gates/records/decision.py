"""The decision: the outcome of every gate, the ruling, what the decision is about, and the state after it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from lockgate.gates.records.added import ADDED_LATER
from lockgate.gates.records.outcome import EXIT_CODE, Number, Outcome, Ruling
from lockgate.gates.records.state import State

_SEALED = "the policy discloses promotions only"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Binding(_Record):
    """What the decision is about, by digest (SHA-256). It is valid for nothing else."""

    run: str | None  # Metaflow pathspec
    model: str | None  # of the challenger's bytes
    holdout: str  # of the rows and labels
    scores: str  # of the challenger's scores
    champion_scores: str | None
    champion_run: str | None
    champion_model: str | None
    train: str | None  # of the training rows' ids
    policy: str
    engine: str  # version of lockgate
    commit: str | None  # of the code that trained and scored
    clean: bool | None  # whether that code had no uncommitted changes


class Look(_Record):
    """This judgement as a look at its holdout (gates/judge/looks.py)."""

    key: str  # equal for the same question about the same rows
    scheduled: bool  # whether a gate that asks for a gain was judged, and the policy counts such looks
    number: int | None  # looks so far, this one included; None if it does not count
    of: int | None
    repeated: bool  # whether the log has this look already, so that it costs nothing
    holdouts: tuple[str, ...]  # digests (rows and labels, as first registered) of the holdouts that it is a look at
    message: str  # all this in a sentence, and which holdout the rows belong to by their ids

    def hide_result(self) -> Look:
        """The look without anything that depends on its result."""
        return self.model_copy(
            update={"scheduled": False, "number": None, "repeated": False, "holdouts": (), "message": _SEALED}
        )


class WaiverUse(_Record):
    """What a waiver for this candidate did in this decision."""

    gate: str
    entry: int  # of the log, which granted it
    key: str  # fingerprint of the approver's key
    status: Literal["used", "unused", "expired", "unmatched"]
    message: str


class Decision(_Record):
    """What the gates say together. `to_json` returns the same bytes for the same rows in any order."""

    verdict: Ruling
    reason: str
    guarantee: str  # what the schedule promises, in words
    conditions: str | None = ADDED_LATER  # what that rests on, and which of it was checked
    outcomes: tuple[Outcome, ...]
    waivers: tuple[WaiverUse, ...]  # for this candidate, including those that lifted nothing
    commitment: str | None  # if outcomes are sealed: what they can be checked against later (gates/judge/sealing.py)
    confidence: Number
    look: Look
    binding: Binding
    already_champion: bool
    sealed: bool = False
    state: Annotated[State, Field(repr=False)]

    @property
    def exit_code(self) -> int:
        """0 PROMOTE or already champion, 1 HOLD, 2 ERROR, 3 INCONCLUSIVE; for a sealed decision 0 or 1 only."""
        if self.already_champion:
            return 0
        return min(EXIT_CODE[self.verdict], 1) if self.sealed else EXIT_CODE[self.verdict]

    def seal(self) -> Decision:
        """What outsiders learn under `disclose: promotion_only`: promoted or not, and nothing that depends on how.

        It has no outcome, number, name of a gate or reason. HOLD, INCONCLUSIVE and ERROR all become HOLD. Neither the
        look nor the ledger tells whether the look was counted. Sealing twice changes nothing.
        """
        ruling = Ruling.PROMOTE if self.verdict is Ruling.PROMOTE else Ruling.HOLD
        return self.model_copy(
            update={
                "verdict": ruling,
                "outcomes": (),
                "waivers": (),
                "sealed": True,
                "conditions": None,
                "reason": _SEALED,
                "look": self.look.hide_result(),
                "state": self.state.model_copy(update={"holdouts": {}}),
            }
        )

    @property
    def sha256(self) -> str:
        """SHA-256 of `to_json`."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON (RFC 8785); numbers have 12 significant digits."""
        return rfc8785.dumps(self.model_dump(mode="json")).decode()
