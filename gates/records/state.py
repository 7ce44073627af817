"""What the head of the promotion log carries: the champion, those that were, waivers, and the ledger of holdouts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

KEPT_PREDECESSORS = 32
"""How many former champions the state remembers; older ones are found by reading the log."""

OPEN_HOLDOUTS = 24
"""How many holdouts may be looked at further: those looked at last. Older ones are retired, and kept in short."""

KNOWN_HOLDOUTS = 1024
"""How many holdouts are recognised when they come back: those looked at last."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
"""Why somebody did something, in their words."""

_HASH_BYTES = 4
_SHORT_BYTES = 32 * _HASH_BYTES


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Champion(_Record):
    """A model that was promoted: where its bytes are, what they must hash to, and until when it may be served."""

    sha256: str | None  # of the model's bytes; None where the evidence did not say
    format: str | None = None  # a name in pipelines/models
    run: str | None = None  # Metaflow pathspec of the run that holds the artifact `model`
    as_of: str | None = None  # the holdout period it was judged on
    seq: int  # the log entry that promoted it
    valid_until: AwareDatetime | None = None
    suspect: int | None = None  # the retraction that put it in doubt; None: nothing did

    def refusal(self, now: datetime, *, revoked: Mapping[str, int]) -> str:
        """Why this model may not be served at `now`, in words; empty where it may."""
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
    """One gate lifted for one candidate, by an approver, until a time. The gate's verdict stays what it is."""

    gate: str
    run: str  # Metaflow pathspec of the candidate
    model: str  # SHA-256 of its bytes
    policy: str  # digest of the policy whose gate it is
    reason: Reason
    until: AwareDatetime
    approver: str  # the name that conf/platform gave the key then; the log refuses any other
    key: str  # fingerprint of the key that signed it
    seq: int  # the entry that granted it


def _are_hashes(text: str) -> str:
    try:
        held = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise ValueError("the hashes of a holdout are not base64") from err
    if not held or len(held) % _HASH_BYTES:
        raise ValueError("the hashes of a holdout are cut short")
    return text


class Holdout(_Record):
    """Rows that were looked at: how they are recognised (gates/judge/holdouts.py), and the looks that they had."""

    rows: Annotated[int, Field(ge=1)]
    hashes: Annotated[str, AfterValidator(_are_hashes)]  # base64: ascending uint32, the smallest of the row ids'
    numbered: bool  # the row ids are 0 … n − 1
    since: int  # the entry that registered it
    looks: Mapping[str, int] = {}  # a look's key → the entry that recorded it
    spent: Annotated[float, Field(ge=0)] = 0.0  # error rate that its looks have used
    retired: bool = False

    @property
    def last(self) -> int:
        """The entry of its last look."""
        return max(self.looks.values(), default=self.since)

    @property
    def in_short(self) -> Holdout:
        """What is kept of an old one: retired, with the 32 smallest hashes, and without looks."""
        short = base64.b64encode(base64.b64decode(self.hashes)[:_SHORT_BYTES]).decode()
        return self.model_copy(update={"hashes": short, "since": self.last, "looks": {}, "retired": True})


class State(_Record):
    """The state after entry `seq`; 0 is the empty log."""

    seq: int = 0
    salt: str = ""  # drawn when the log begins; keys the hashes of row ids
    champion: Champion | None = None
    predecessors: tuple[Champion, ...] = ()  # those that reigned and may again, the last to reign first
    revoked: Mapping[str, int] = {}  # models, by the SHA-256 of their bytes, that never serve again → the entry
    retracted: Mapping[str, int] = {}  # rows and scores, by digest, that nothing is judged on again → the entry
    waivers: tuple[Waiver, ...] = ()  # in the order they were granted; those that ran out go when there are many
    holdouts: Mapping[str, Holdout] = {}  # by the digest of their rows and labels

    @property
    def never_promoted(self) -> bool:
        """Whether no model ever reigned. One that was revoked counts as one that may have."""
        return self.champion is None and not self.predecessors and not self.revoked

    @property
    def vacancy(self) -> str:
        """Why nothing can be compared with a champion, in words; empty where one reigns, or none ever did."""
        absent = self.champion is None and not self.never_promoted
        return "no model reigns since one was revoked, so that nothing could be compared" if absent else ""

    def promoted(self, champion: Champion) -> State:
        """The state with `champion` reigning and the present one first among the predecessors.

        Who is promoted again is known by the later promotion only.
        """
        former = (self.champion, *self.predecessors) if self.champion else self.predecessors
        others = tuple(
            one for one in former if one.seq != champion.seq and (one.sha256 is None or one.sha256 != champion.sha256)
        )
        return self.model_copy(update={"champion": champion, "predecessors": others[:KEPT_PREDECESSORS]})

    def named(self, run: str) -> Champion | None:
        """The model of `run` (a pathspec, or the id alone) among those that reign or did; None where it is none."""
        known = (self.champion, *self.predecessors) if self.champion else self.predecessors
        return next((one for one in known if one.run and run in (one.run, one.run.rpartition("/")[2])), None)

    def clear_of_doubt(self, promotions: Iterable[int]) -> list[Champion]:
        """Of these promotions, the models that reign or may again and that no retraction has put in doubt."""
        known = (self.champion, *self.predecessors) if self.champion else self.predecessors
        return [one for one in known if one.seq in set(promotions) and one.suspect is None]

    def before_champion(self, now: datetime) -> Champion | None:
        """Who reigns again when the champion may not: of those promoted before it, the last that may be served."""
        if self.champion is None:
            return None
        earlier = [
            one
            for one in self.predecessors
            if one.seq < self.champion.seq and not one.refusal(now, revoked=self.revoked)
        ]
        return max(earlier, key=lambda one: one.seq, default=None)

    def look(self, key: str) -> int | None:
        """The entry that recorded a look; None where it is new."""
        return next((held.looks[key] for held in self.holdouts.values() if key in held.looks), None)

    def registered(self, digest: str, holdout: Holdout) -> State:
        """The state that knows `holdout` too. The oldest beyond `OPEN_HOLDOUTS` are retired, and kept in short."""
        if digest in self.holdouts:
            return self
        held = {digest: holdout, **dict(sorted(self.holdouts.items(), key=lambda item: (-item[1].last, item[0])))}
        kept = {
            name: one if at < OPEN_HOLDOUTS else one.in_short
            for at, (name, one) in enumerate(held.items())
            if at < KNOWN_HOLDOUTS
        }
        return self.model_copy(update={"holdouts": kept})

    def looked(self, holdouts: Iterable[str], key: str, *, seq: int, error: float) -> State:
        """The state with one look more at these holdouts, recorded by entry `seq`, that used `error` of theirs."""
        return self._with(
            {
                name: {"looks": {**held.looks, key: seq}, "spent": float(f"{held.spent + error:.12g}")}
                for name, held in self.holdouts.items()
                if name in set(holdouts)
            }
        )

    def retired(self, holdouts: Iterable[str]) -> State:
        """The state in which no further scheduled comparison on these holdouts can pass."""
        return self._with({name: {"retired": True} for name in holdouts})

    def _with(self, changes: Mapping[str, Mapping[str, object]]) -> State:
        changed = {name: self.holdouts[name].model_copy(update=change) for name, change in changes.items()}
        return self.model_copy(update={"holdouts": {**self.holdouts, **changed}})
