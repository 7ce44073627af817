"""The events that an entry of the promotion log can record, one class each, and the roles that may sign them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Discriminator, Field, ValidationError

from lockgate.gates.durations import Duration
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.log.signing import Role
from lockgate.gates.log.unreadable import unreadable_error
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.state import Holdout, Reason, State, Waiver

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    signed_by: ClassVar[tuple[Role, ...]]

    @property
    def run(self) -> str | None:
        """The run that the event is about; None if it is about no run."""
        return None

    @property
    def verdict(self) -> str:
        """What happened, in one word, for people."""
        return str(self.kind).upper()  # type: ignore[attr-defined]

    @property
    def summary(self) -> str:
        """The reason or the details, in one sentence, for people."""
        raise NotImplementedError


class JudgedEvent(_Event):
    """A challenger was judged. With the verdict PROMOTE this is its promotion."""

    signed_by = ("judge",)
    kind: Literal["judged"] = "judged"
    decision: Mapping[str, Any]  # as JSON, without its state; sealed if the policy says so
    decision_sha256: Sha256  # of the decision as reports show it, so nothing sealed goes into the digest
    policy_sha256: Sha256  # of the policy as it is stored beside the log, under policies/
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
        """The recorded decision with `state`, sealed if it was recorded so. Raises LogError if it cannot be read."""
        return _parse_decision(self.decision, state, where=where)


class RevokedEvent(_Event):
    """A model never serves again. If it was champion, the last predecessor that may serve succeeds it."""

    signed_by = ("judge", "approver")
    kind: Literal["revoked"] = "revoked"
    of: str  # Metaflow pathspec
    model: str
    reason: Reason
    successor: int | None  # the entry that promoted the champion from now on; None: there is no champion

    @property
    def run(self) -> str | None:
        return self.of

    @property
    def summary(self) -> str:
        return self.reason


class RolledBackEvent(_Event):
    """A former champion is champion again. The model it replaces becomes a predecessor."""

    signed_by = ("judge", "approver")
    kind: Literal["rolled_back"] = "rolled_back"
    to: str  # Metaflow pathspec
    promoted_by: int  # the entry that promoted the model
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
    """Rows, a metric or an entry turned out to be wrong. Champions whose promotion rests on it become suspect."""

    signed_by = ("judge", "approver")
    kind: Literal["retracted"] = "retracted"
    what: Literal["data", "metric", "entry"]
    value: str  # a digest of rows, a metric's name, an entry's number
    reason: Reason
    suspects: tuple[int, ...]  # all promotions that rest on it, including those of models that cannot serve any more
    barred: tuple[Sha256, ...] = ()  # digests of rows or scores that are never judged on again

    @property
    def summary(self) -> str:
        count = len(self.suspects)
        verb_phrase = "1 promotion rests" if count == 1 else f"{count or 'no'} promotions rest"
        return f"{self.what} {self.value[:64]}: {self.reason}; {verb_phrase} on it"


class ReverifiedEvent(_Event):
    """The champion was judged again, by today's policy and on fresh rows."""

    signed_by = ("judge",)
    kind: Literal["reverified"] = "reverified"
    of: str  # Metaflow pathspec
    promoted_by: int  # the entry that promoted the champion
    evidence_run: str  # the run that scored the champion
    decision: Mapping[str, Any]
    decision_sha256: Sha256
    policy_sha256: Sha256
    valid_until: AwareDatetime | None  # how long the champion may serve from now on; None: no limit

    @property
    def run(self) -> str | None:
        return self.of

    def read_decision(self, state: State, *, where: str) -> Decision:
        """The recorded decision, as in `JudgedEvent`."""
        return _parse_decision(self.decision, state, where=where)

    @property
    def has_passed(self) -> bool:
        """Whether the gates passed once more."""
        return bool(self.decision.get("verdict") == "PROMOTE")

    @property
    def summary(self) -> str:
        until = f"{self.valid_until:%Y-%m-%d %H:%M}" if self.valid_until else "further notice"
        return f"{self.decision.get('verdict')}: {self.decision.get('reason')}; it may be served until {until}"


class RegisteredEvent(_Event):
    """A holdout was made known before anything was judged on it."""

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
        raise unreadable_error(err, what="a decision", where=where) from err
    return decision.seal() if decision.sealed else decision


# A new kind of event goes into the union (which is what parses), into the tuple (which filters and docs read), and into
# `replay._APPLY`. The discriminator `kind` and all field names are written into logs: they never change.
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
