"""Which holdout some rows are: recognised by their ids, whatever the file is called and however it was cut.

A holdout that was looked at leaves the 256 smallest keyed hashes of its row ids in the promotion log: a bottom-k
sketch (Cohen and Kaplan, PODC 2007; Broder, SEQUENCES 1997). The rows at hand are all there, so two shares can be
estimated: of the holdout's rows that are among them (from its 256), and of theirs that are the holdout's (from those
of them whose hash is no larger than its largest). Half or more of either is the same holdout. Up to 256 rows both
shares are exact; beyond, their standard error is at most .031 for holdouts of one size.

Labels do not enter. Rows whose labels were corrected, or flipped, are still the rows that were looked at; and hashes
of labels in a log would hand the labels to everyone who can guess an id and try 0 and 1. A hash of an id is cut to
four bytes and keyed by the log's salt: two logs cannot be joined by their hashes, but who reads this log and guesses
an id learns, for 256 of the rows, that it was there. The ids of personal rows should be no names.

Ids that are merely the numbers 0 … n − 1 name no rows, as those of any table are the same: two such holdouts are the
same where rows and labels are equal, and only there. What cannot be recognised: rows whose ids were changed, and less
than half of a holdout among more rows that are not its own. A random 2 % of a large holdout are missed six times in a
thousand, smaller parts more often.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.row_ids import keyed
from lockgate.gates.records.state import Holdout, State

HASHES = 256
"""Hashes that a holdout leaves behind."""

SAME = 0.5
"""Share of either's rows from which two sets of rows are one holdout."""

_COVERED = 0.9
_TABLE_BITS = 20

Hashes = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """A holdout that was looked at before, and the estimated shares of rows that it has in common with those at hand.

    `of_rows` is a share of the rows at hand, `of_holdout` one of the holdout's. Both are 1 for the very same rows.
    """

    digest: str
    of_rows: float
    of_holdout: float

    @property
    def covers(self) -> bool:
        """Whether nearly all rows at hand are this holdout's, so that they need no entry of their own."""
        return self.of_rows >= _COVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The rows at hand as the log will know them, and the holdouts that they are."""

    rows: Holdout
    met: tuple[Met, ...]  # the largest share first


def recognise(evidence: Evidence, state: State, *, seq: int) -> Recognised:
    """Which of the state's holdouts these rows, one or more, are; `seq` is the entry that would register them.

    Cost: one pass over the row ids (1M integers: about 15 ms; 1M strings of 30 bytes: about 60 ms).
    """
    hashes = _keyed_hashes(evidence, state.salt)
    numbered = _numbered(evidence.row_id)
    kept = np.unique(_smallest(hashes))[:HASHES]
    rows = Holdout(rows=evidence.n, hashes=_text(kept), numbered=numbered, since=seq)
    found = _shared(hashes, state, numbered=numbered)
    digest = evidence.holdout
    if digest in state.holdouts:
        found = [Met(digest=digest, of_rows=1.0, of_holdout=1.0), *(one for one in found if one.digest != digest)]
    return Recognised(
        rows=rows, met=tuple(sorted(found, key=lambda one: (-max(one.of_rows, one.of_holdout), one.digest)))
    )


def _keyed_hashes(evidence: Evidence, salt: str) -> Hashes:
    key = int.from_bytes(hashlib.sha256(f"lockgate holdout {salt}".encode()).digest()[:8])
    return (keyed(evidence.row_hashes, key) >> np.uint64(32)).astype(np.uint32)


def _numbered(ids: pa.Array) -> bool:
    """Whether the ids, which are sorted, are 0 … n − 1."""
    return pa.types.is_integer(ids.type) and len(ids) > 0 and (ids[0].as_py(), ids[-1].as_py()) == (0, len(ids) - 1)


def _smallest(hashes: Hashes) -> Hashes:
    """A few more than the smallest `HASHES`, so that as many are left once equal ones are one."""
    enough = 2 * HASHES
    return hashes if hashes.size <= enough else np.partition(hashes, enough)[:enough]


def _shared(hashes: Hashes, state: State, *, numbered: bool) -> list[Met]:
    """The holdouts that share half their rows, or half of these."""
    known = [(digest, held) for digest, held in state.holdouts.items() if not (numbered and held.numbered)]
    kept = [_hashes(held.hashes) for _, held in known]
    if not kept:
        return []
    every = np.concatenate(kept)
    owner = np.repeat(np.arange(len(kept)), [one.size for one in kept])
    hits = np.bincount(owner[np.isin(every, _candidates(hashes, every))], minlength=len(kept))
    parts = [at for at in np.flatnonzero(hits) if known[at][1].rows > kept[at].size]
    lowest = np.unique(hashes[hashes <= max((kept[at][-1] for at in parts), default=np.uint32(0))])
    found = []
    for at in np.flatnonzero(hits):
        sketch = kept[at]
        among = np.searchsorted(lowest, sketch[-1], side="right") if at in parts else hashes.size
        of_rows, of_holdout = min(1.0, float(hits[at] / among)), float(hits[at] / sketch.size)
        if max(of_rows, of_holdout) >= SAME:
            found.append(Met(digest=known[at][0], of_rows=of_rows, of_holdout=of_holdout))
    return found


def _candidates(hashes: Hashes, wanted: Hashes) -> Hashes:
    """The few of `hashes` whose first bits are those of a wanted one."""
    shift = np.uint32(32 - _TABLE_BITS)
    table = np.zeros(1 << _TABLE_BITS, dtype=bool)
    table[wanted >> shift] = True
    found: Hashes = hashes[table[hashes >> shift]]
    return found


def _text(hashes: Hashes) -> str:
    return base64.b64encode(hashes.astype("<u4").tobytes()).decode()


def _hashes(text: str) -> Hashes:
    return np.frombuffer(base64.b64decode(text), dtype="<u4").astype(np.uint32)
