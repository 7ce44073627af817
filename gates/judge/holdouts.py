"""Recognise a holdout by its row ids, whatever the file is called and however it was cut.

A holdout that was looked at leaves the 256 smallest keyed hashes of its row ids in the promotion log: a bottom-k
sketch (Cohen and Kaplan, PODC 2007; Broder, SEQUENCES 1997). All rows of the evidence are available, so two shares can
be estimated: the share of the holdout's rows that are in the evidence (from its 256 hashes), and the share of the
evidence's rows that are in the holdout (from those whose hash is no larger than the largest of the 256). If either is
one half or more, the rows are the same holdout. Both shares are exact for up to 256 rows; beyond that their standard
error is at most .031 for holdouts of one size.

Labels are left out on purpose. Rows whose labels were corrected or flipped are still the rows that were looked at, and
a hash of a label would give it away to anyone who guesses the id and tries 0 and 1. The hash of an id is cut to four
bytes and keyed by the log's salt, so hashes of two logs cannot be joined. But whoever reads this log and guesses an id
learns, for 256 of the rows, that it was in the holdout: do not use names of people as ids.

Ids that are just the numbers 0 … n − 1 identify no rows, as every table has them: two such holdouts are the same only
where rows and labels are equal. Two cases cannot be recognised: rows whose ids were changed, and less than half of a
holdout among more rows of others. A random 2 % of a large holdout is missed six times in a thousand, smaller parts
more often.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.evidence.row_ids import rekey_hashes
from lockgate.gates.records.state import Holdout, State

SKETCH_SIZE = 256
"""How many hashes of a holdout the log keeps."""

SAME_HOLDOUT_SHARE = 0.5
"""Two sets of rows are one holdout if this share of either's rows is in the other."""

_COVERING_SHARE = 0.9
_TABLE_BITS = 20  # the leading bits of a hash by which `_prefilter` looks it up: a table of 1 MiB

Hashes = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutMatch:
    """A registered holdout that shares rows with the evidence. Both shares are 1 for the very same rows."""

    digest: str
    of_rows: float  # estimated share of the evidence's rows that are in the holdout
    of_holdout: float  # estimated share of the holdout's rows that are in the evidence

    @property
    def covers(self) -> bool:
        """Whether nearly all rows of the evidence are in this holdout, so that they need no entry of their own."""
        return self.of_rows >= _COVERING_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedRows:
    """The evidence's rows as the log registers them, and the registered holdouts that they match."""

    rows: Holdout
    matches: tuple[HoldoutMatch, ...]  # the largest share first


def recognise(evidence: Evidence, state: State, *, seq: int) -> RecognisedRows:
    """The registered holdouts that the evidence's rows (one or more) are; `seq` is the entry that would register them.

    Cost: one pass over the row ids (1M integers: about 15 ms; 1M strings of 30 bytes: about 60 ms).
    """
    hashes = _hash_row_ids(evidence, state.salt)
    is_numbered = _is_numbered(evidence.row_id)
    sketch = np.unique(_take_smallest(hashes))[:SKETCH_SIZE]
    rows = Holdout(rows=evidence.n, hashes=_encode_hashes(sketch), numbered=is_numbered, since=seq)
    matches = _find_matches(hashes, state, numbered=is_numbered)
    digest = evidence.holdout
    if digest in state.holdouts:
        matches = [
            HoldoutMatch(digest=digest, of_rows=1.0, of_holdout=1.0),
            *(match for match in matches if match.digest != digest),
        ]
    return RecognisedRows(
        rows=rows,
        matches=tuple(sorted(matches, key=lambda match: (-max(match.of_rows, match.of_holdout), match.digest))),
    )


def _hash_row_ids(evidence: Evidence, salt: str) -> Hashes:
    key = int.from_bytes(hashlib.sha256(f"lockgate holdout {salt}".encode()).digest()[:8])
    return (rekey_hashes(evidence.row_hashes, key) >> np.uint64(32)).astype(np.uint32)


def _is_numbered(ids: pa.Array) -> bool:
    """Whether the ids, which are sorted, are 0 … n − 1."""
    return pa.types.is_integer(ids.type) and len(ids) > 0 and (ids[0].as_py(), ids[-1].as_py()) == (0, len(ids) - 1)


def _take_smallest(hashes: Hashes) -> Hashes:
    """More than the smallest `SKETCH_SIZE`, so that enough remain after duplicates are removed."""
    enough = 2 * SKETCH_SIZE
    return hashes if hashes.size <= enough else np.partition(hashes, enough)[:enough]


def _find_matches(hashes: Hashes, state: State, *, numbered: bool) -> list[HoldoutMatch]:
    """The registered holdouts that hold half of the evidence's rows, or have half of their own rows among them."""
    comparable = [
        (digest, holdout) for digest, holdout in state.holdouts.items() if not (numbered and holdout.numbered)
    ]
    sketches = [_decode_hashes(holdout.hashes) for _, holdout in comparable]
    if not sketches:
        return []
    every = np.concatenate(sketches)
    owner = np.repeat(np.arange(len(sketches)), [sketch.size for sketch in sketches])
    hits = np.bincount(owner[np.isin(every, _prefilter(hashes, every))], minlength=len(sketches))
    parts = [number for number in np.flatnonzero(hits) if comparable[number][1].rows > sketches[number].size]
    lowest = np.unique(hashes[hashes <= max((sketches[number][-1] for number in parts), default=np.uint32(0))])
    matches = []
    for number in np.flatnonzero(hits):
        sketch = sketches[number]
        among = np.searchsorted(lowest, sketch[-1], side="right") if number in parts else hashes.size
        of_rows, of_holdout = min(1.0, float(hits[number] / among)), float(hits[number] / sketch.size)
        if max(of_rows, of_holdout) >= SAME_HOLDOUT_SHARE:
            matches.append(HoldoutMatch(digest=comparable[number][0], of_rows=of_rows, of_holdout=of_holdout))
    return matches


def _prefilter(hashes: Hashes, targets: Hashes) -> Hashes:
    """The few of `hashes` whose first bits equal those of a target: `isin` on these is much faster than on all."""
    shift = np.uint32(32 - _TABLE_BITS)
    table = np.zeros(1 << _TABLE_BITS, dtype=bool)
    table[targets >> shift] = True
    candidates: Hashes = hashes[table[hashes >> shift]]
    return candidates


def _encode_hashes(hashes: Hashes) -> str:
    return base64.b64encode(hashes.astype("<u4").tobytes()).decode()


def _decode_hashes(text: str) -> Hashes:
    return np.frombuffer(base64.b64decode(text), dtype="<u4").astype(np.uint32)
