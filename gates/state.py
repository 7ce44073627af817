"""What the head of the promotion log carries: the champion, its predecessors, and the ledger of holdouts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

KEPT_PREDECESSORS = 32
"""How many former champions the state remembers; older ones are found by reading the log."""


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


class Holdout(_Record):
    """The looks that were taken at one holdout. `looks` maps a look's key to the entry that recorded it."""

    looks: Mapping[str, int] = {}
    retired: bool = False


class State(_Record):
    """The state after entry `seq`; 0 is the empty log."""

    seq: int = 0
    champion: Champion | None = None
    predecessors: tuple[Champion, ...] = ()  # latest first
    holdouts: Mapping[str, Holdout] = {}  # by the digest of their rows and labels

    def promoted(self, champion: Champion) -> State:
        """The state with `champion` reigning and the present one first among the predecessors."""
        former = (self.champion, *self.predecessors) if self.champion else self.predecessors
        return self.model_copy(update={"champion": champion, "predecessors": former[:KEPT_PREDECESSORS]})

    def looked(self, holdout: str, key: str, *, seq: int) -> State:
        """The state with one look more at `holdout`, recorded by entry `seq`."""
        held = self.holdouts.get(holdout, Holdout())
        after = Holdout(looks={**held.looks, key: seq}, retired=held.retired)
        return self.model_copy(update={"holdouts": {**self.holdouts, holdout: after}})

    def retired(self, holdout: str) -> State:
        """The state in which no further scheduled comparison on `holdout` can pass."""
        after = self.holdouts.get(holdout, Holdout()).model_copy(update={"retired": True})
        return self.model_copy(update={"holdouts": {**self.holdouts, holdout: after}})
