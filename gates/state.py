"""What the head of the promotion log carries: the champion, its predecessors, and the ledger of holdouts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

KEPT_PREDECESSORS = 32
"""How many former champions the state remembers; older ones are found by reading the log."""

OPEN_HOLDOUTS = 24
"""How many holdouts may be looked at further: those looked at last. Older ones are retired, and kept in short."""

KNOWN_HOLDOUTS = 1024
"""How many holdouts are recognised when they come back: those looked at last."""

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
    valid_until: datetime | None = None


def _are_hashes(text: str) -> str:
    try:
        held = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise ValueError("the hashes of a holdout are not base64") from err
    if not held or len(held) % _HASH_BYTES:
        raise ValueError("the hashes of a holdout are cut short")
    return text


class Holdout(_Record):
    """Rows that were looked at: how they are recognised (gates/holdouts.py), and the looks that they had."""

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
    predecessors: tuple[Champion, ...] = ()  # latest first
    holdouts: Mapping[str, Holdout] = {}  # by the digest of their rows and labels

    def promoted(self, champion: Champion) -> State:
        """The state with `champion` reigning and the present one first among the predecessors."""
        former = (self.champion, *self.predecessors) if self.champion else self.predecessors
        return self.model_copy(update={"champion": champion, "predecessors": former[:KEPT_PREDECESSORS]})

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
