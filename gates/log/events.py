"""What an entry of the promotion log can record: one record a kind of event, and who may sign it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Discriminator, Field, ValidationError

from lockgate.gates.durations import Duration
from lockgate.gates.errors import LogError
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.log.signing import Role
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import Holdout, Reason, State, Waiver

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    signed_by: ClassVar[tuple[Role, ...]]

    @property
    def run(self) -> str | None:
        """The run that it is about; None where it is about none."""
        return None

    @property
    def verdict(self) -> str:
        """What was decided, in a word."""
        return str(self.kind).upper()  # type: ignore[attr-defined]

    @property
    def summary(self) -> str:
        """Why, or what about, in a sentence."""
        raise NotImplementedError


class JudgedEvent(_Event):
    """A challenger was judged. Verdict PROMOTE is the promotion."""

    signed_by = ("judge",)
    kind: Literal["judged"] = "judged"
    decision: Mapping[str, Any]  # as JSON, without its state; sealed where the policy says so
    decision_sha256: Sha256  # of the decision as it was told, as reports show it; nothing sealed goes into it
    policy_sha256: Sha256  # of the policy as it is kept beside the log, under policies/
    valid_for: Duration  # how long a promotion by this policy may be served

    @property
    def run(self) -> str | None:
        run: str | None = read_part(self.decision, "binding").get("run")
        return run

    @property
    def verdict(self) -> str:
        return str(self.decision.get("verdict"))

    @property
    def summary(self) -> str:
        return str(self.decision.get("reason", ""))

    def read_decision(self, state: State, *, where: str) -> Decision:
        """The decision that was recorded, with the state after it; sealed again where it is. LogError for none."""
        return _parse_decision(self.decision, state, where=where)


class RevokedEvent(_Event):
    """A model never serves again. Where it reigned, the last that may be served does."""

    signed_by = ("judge", "approver")
    kind: Literal["revoked"] = "revoked"
    of: str  # Metaflow pathspec
    model: str
    reason: Reason
    successor: int | None  # the entry that promoted who reigns now; None: nobody does

    @property
    def run(self) -> str | None:
        return self.of

    @property
    def summary(self) -> str:
        return self.reason


class RolledBackEvent(_Event):
    """A model that reigned before reigns again; the one that did may still be chosen."""

    signed_by = ("judge", "approver")
    kind: Literal["rolled_back"] = "rolled_back"
    to: str  # Metaflow pathspec
    promoted_by: int  # the entry that promoted it
    reason: Reason

    @property
    def run(self) -> str | None:
        return self.to

    @property
    def summary(self) -> str:
        return self.reason


class WaivedEvent(_Event):
    """An approver lifts one gate for one candidate."""

    signed_by = ("approver",)
    kind: Literal["waived"] = "waived"
    waiver: Waiver

    @property
    def run(self) -> str | None:
        return self.waiver.run

    @property
    def summary(self) -> str:
        waiver = self.waiver
        return f"{waiver.gate} until {waiver.until:%Y-%m-%d %H:%M} by {waiver.approver}: {waiver.reason}"


class RetractedEvent(_Event):
    """Rows, a metric or an entry turned out to be wrong: champions that rested on it are suspect."""

    signed_by = ("judge", "approver")
    kind: Literal["retracted"] = "retracted"
    what: Literal["data", "metric", "entry"]
    value: str  # a digest of rows, a metric's name, an entry's number
    reason: Reason
    suspects: tuple[int, ...]  # the promotions that rest on it, those of models that no longer count too
    barred: tuple[Sha256, ...] = ()  # digests of rows, or of scores, that nothing is judged on again

    @property
    def summary(self) -> str:
        count = len(self.suspects)
        verb_phrase = "1 promotion rests" if count == 1 else f"{count or 'no'} promotions rest"
        return f"{self.what} {self.value[:64]}: {self.reason}; {verb_phrase} on it"


class ReverifiedEvent(_Event):
    """The champion was judged under the policy of the day, on fresh rows."""

    signed_by = ("judge",)
    kind: Literal["reverified"] = "reverified"
    of: str  # Metaflow pathspec
    promoted_by: int
    evidence_run: str  # the run that scored the champion
    decision: Mapping[str, Any]
    decision_sha256: Sha256
    policy_sha256: Sha256
    valid_until: AwareDatetime | None  # until when it may be served now

    @property
    def run(self) -> str | None:
        return self.of

    def read_decision(self, state: State, *, where: str) -> Decision:
        """The decision that was recorded, as `JudgedEvent` has it."""
        return _parse_decision(self.decision, state, where=where)

    @property
    def has_passed(self) -> bool:
        """Whether the gates passed again."""
        return bool(self.decision.get("verdict") == "PROMOTE")

    @property
    def summary(self) -> str:
        until = f"{self.valid_until:%Y-%m-%d %H:%M}" if self.valid_until else "further notice"
        return f"{self.decision.get('verdict')}: {self.decision.get('reason')}; it may be served until {until}"


class RegisteredEvent(_Event):
    """A holdout is known before anything was judged on it."""

    signed_by = ("judge",)
    kind: Literal["registered"] = "registered"
    digest: Sha256
    holdout: Holdout
    note: Annotated[str, Field(max_length=2000)]

    @property
    def summary(self) -> str:
        return f"holdout {self.digest[:12]}, {self.holdout.rows:,} rows" + (f": {self.note}" if self.note else "")


def _parse_decision(recorded: Mapping[str, Any], state: State, *, where: str) -> Decision:
    fields = {**recorded, "state": state.model_dump(mode="json")}
    try:
        decision = Decision.model_validate_json(json.dumps(fields))
    except ValidationError as err:
        raise LogError(
            "the entry holds no decision that this version reads",
            where=where,
            hint="it was written by hand, or by another version of lockgate",
        ) from err
    return decision.seal() if decision.sealed else decision


Event = JudgedEvent | RevokedEvent | RolledBackEvent | WaivedEvent | RetractedEvent | ReverifiedEvent | RegisteredEvent
EVENT_TYPES: tuple[type[_Event], ...] = (
    JudgedEvent,
    RevokedEvent,
    RolledBackEvent,
    WaivedEvent,
    RetractedEvent,
    ReverifiedEvent,
    RegisteredEvent,
)
AnyEvent = Annotated[Event, Discriminator("kind")]
