"""The state in the head of the promotion log: the champion, its predecessors, waivers, and the ledger of holdouts."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lockgate.gates.documents import decode_base64
from lockgate.gates.errors import LogError
from lockgate.gates.foreign import convert_foreign

MAX_PREDECESSORS = 32
"""How many former champions the state keeps. Older ones are only in the log's entries."""

MAX_OPEN_HOLDOUTS = 24
"""How many holdouts, those looked at last, may have more looks. Older ones are retired and shortened."""

MAX_HOLDOUTS = 1024
"""How many holdouts, those looked at last, are recognised when their rows come back."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
"""Why somebody did something, in their own words."""

_HASH_BYTES = 4
_SHORT_BYTES = 32 * _HASH_BYTES


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Champion(_Record):
    """A model that was promoted: where its bytes are, their digest, and until when it may be served."""

    sha256: str | None  # of the model's bytes; None if the evidence did not name it
    format: str | None = None  # a name in pipelines/models
    run: str | None = None  # Metaflow pathspec of the run that holds the artifact `model`
    as_of: str | None = None  # the holdout period it was judged on
    seq: int  # the log entry that promoted it
    valid_until: AwareDatetime | None = None
    suspect: int | None = None  # the entry of the retraction that put it in doubt, if any

    def refusal(self, now: datetime, *, revoked: Mapping[str, int]) -> str:
        """Why this model may not be served at `now`, in words; empty if it may."""
        if self.run is None or self.sha256 is None:
            return f"entry {self.seq} promoted scores alone: it names no run and no model that could be loaded"
        if self.sha256 in revoked:
            return f"{self.run} was revoked by entry {revoked[self.sha256]}"
        if self.suspect is not None:
            return f"{self.run} is suspect since entry {self.suspect} retracted what it rests on"
        if self.valid_until is not None and now > self.valid_until:
            return f"the promotion of {self.run} expired at {self.valid_until.isoformat(timespec='minutes')}"
        return ""


class Waiver(_Record):
    """One gate lifted for one candidate by an approver, until a time. The gate keeps its verdict."""

    gate: str
    run: str  # Metaflow pathspec of the candidate
    model: str  # SHA-256 of its bytes
    policy: str  # digest of the policy whose gate it is
    reason: Reason
    until: AwareDatetime
    approver: str  # the key's name in conf/platform at that time; the log refuses any other
    key: str  # fingerprint of the key that signed it
    seq: int  # the entry that granted it


def _check_hashes(text: str) -> str:
    try:
        packed = decode_base64(text)
    except ValueError as err:
        raise ValueError("the hashes of a holdout are not base64") from err
    if not packed or len(packed) % _HASH_BYTES:
        raise ValueError("the hashes of a holdout are truncated")
    return text


class Holdout(_Record):
    """Rows that were looked at: how to recognise them (gates/judge/holdouts.py), and the looks they have had."""

    rows: Annotated[int, Field(ge=1)]
    hashes: Annotated[str, AfterValidator(_check_hashes)]  # base64: ascending uint32, the smallest of the row ids'
    numbered: bool  # the row ids are 0 … n − 1
    since: int  # the entry that registered it
    looks: Mapping[str, int] = {}  # a look's key → the entry that recorded it
    spent: Annotated[float, Field(ge=0)] = 0.0  # the error rate that its looks have used up
    retired: bool = False

    @property
    def last(self) -> int:
        """The entry of its last look."""
        return max(self.looks.values(), default=self.since)

    @property
    def short_record(self) -> Holdout:
        """A shorter record for an old holdout: retired, with its 32 smallest hashes and without looks."""
        short = base64.b64encode(base64.b64decode(self.hashes)[:_SHORT_BYTES]).decode()
        return self.model_copy(update={"hashes": short, "since": self.last, "looks": {}, "retired": True})


def _parse_error(err: Exception) -> LogError:
    first = err.errors(include_url=False, include_input=False)[0] if isinstance(err, ValidationError) else None
    problem = first["msg"] if first else f"it holds what JSON cannot ({type(err).__name__})"
    path = ".".join(["state", *map(str, first["loc"] if first else ())])
    return LogError(f"this is not a state of the promotion log: {problem[:200]}", where=path[:200])


class State(_Record):
    """The state after entry `seq`; 0 is the empty log."""

    seq: int = 0
    salt: str = ""  # drawn at random for the first entry; the key of the hashes of row ids
    champion: Champion | None = None
    predecessors: tuple[Champion, ...] = ()  # former champions that may reign again, the latest first
    revoked: Mapping[str, int] = {}  # SHA-256 of models that may never be served again → the entry that revoked them
    retracted: Mapping[str, int] = {}  # digests of rows and scores that nothing may be judged on again → the entry
    waivers: tuple[Waiver, ...] = ()  # in the order they were granted; expired ones are dropped if there are many
    holdouts: Mapping[str, Holdout] = {}  # by the digest of their rows and labels

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """The state in a mapping of JSON values, such as `state` of a log entry.

        Raises:
            LogError: what is wrong first, and where.
        """
        if not isinstance(mapping, Mapping):
            raise LogError(f"{type(mapping).__name__} is no state", expected="a mapping", where="state")
        return convert_foreign(lambda: cls.model_validate_json(json.dumps(dict(mapping))), _parse_error)

    @property
    def never_promoted(self) -> bool:
        """Whether no model ever reigned. A revoked model counts as one that may have."""
        return self.champion is None and not self.predecessors and not self.revoked

    @property
    def vacancy(self) -> str:
        """Why there is no champion to compare with, in words; empty if there is one, or there never was one."""
        absent = self.champion is None and not self.never_promoted
        return "no model reigns since one was revoked, so that nothing could be compared" if absent else ""

    def with_champion(self, champion: Champion) -> State:
        """The state with `champion` reigning and the present champion first among the predecessors.

        A model that is promoted again keeps its later promotion only.
        """
        others = tuple(
            former
            for former in self._champions
            if former.seq != champion.seq and (former.sha256 is None or former.sha256 != champion.sha256)
        )
        return self.model_copy(update={"champion": champion, "predecessors": others[:MAX_PREDECESSORS]})

    def find_champion(self, run: str) -> Champion | None:
        """The champion or predecessor of `run`, which is a pathspec or its id alone; None if there is none."""
        return next(
            (model for model in self._champions if model.run and run in (model.run, model.run.rpartition("/")[2])), None
        )

    def find_unsuspected(self, promotions: Iterable[int]) -> list[Champion]:
        """The champion and predecessors from these promotions that no retraction has put in doubt."""
        return [model for model in self._champions if model.seq in set(promotions) and model.suspect is None]

    @property
    def _champions(self) -> tuple[Champion, ...]:
        """The champion, if there is one, and its predecessors."""
        return (self.champion, *self.predecessors) if self.champion else self.predecessors

    def find_successor(self, now: datetime) -> Champion | None:
        """Who reigns if the champion no longer may: of those promoted before it, the last that may be served."""
        if self.champion is None:
            return None
        earlier = [
            model
            for model in self.predecessors
            if model.seq < self.champion.seq and not model.refusal(now, revoked=self.revoked)
        ]
        return max(earlier, key=lambda model: model.seq, default=None)

    def find_look(self, key: str) -> int | None:
        """The entry that recorded a look; None if the look is new."""
        return next((holdout.looks[key] for holdout in self.holdouts.values() if key in holdout.looks), None)

    def register_holdout(self, digest: str, holdout: Holdout) -> State:
        """The state with one holdout more. The oldest beyond `MAX_OPEN_HOLDOUTS` are retired and shortened."""
        if digest in self.holdouts:
            return self
        newest_first = dict(sorted(self.holdouts.items(), key=lambda item: (-item[1].last, item[0])))
        ledger = {
            name: entry if place < MAX_OPEN_HOLDOUTS else entry.short_record
            for place, (name, entry) in enumerate({digest: holdout, **newest_first}.items())
            if place < MAX_HOLDOUTS
        }
        return self.model_copy(update={"holdouts": ledger})

    def record_look(self, holdouts: Iterable[str], key: str, *, seq: int, error: float) -> State:
        """The state with one more look at these holdouts, by entry `seq`, which uses up `error` of each one's rate."""
        return self._with_holdouts(
            {
                name: {"looks": {**holdout.looks, key: seq}, "spent": float(f"{holdout.spent + error:.12g}")}
                for name, holdout in self.holdouts.items()
                if name in set(holdouts)
            }
        )

    def retire_holdouts(self, holdouts: Iterable[str]) -> State:
        """The state in which no further scheduled comparison on these holdouts can pass."""
        return self._with_holdouts({name: {"retired": True} for name in holdouts})

    def _with_holdouts(self, changes: Mapping[str, Mapping[str, object]]) -> State:
        changed = {name: self.holdouts[name].model_copy(update=change) for name, change in changes.items()}
        return self.model_copy(update={"holdouts": {**self.holdouts, **changed}})
