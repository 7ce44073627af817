"""The distribution of a version's scores in a few numbers that add up over shards, for the checks before publishing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lockgate.gates.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GROWTH = math.log1p(0.05)
"""Buckets are 5% wide: each value is within 2.5% of its bucket's middle."""

SMALLEST = 1e-12
"""Scores nearer to 0 than this are counted as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The number of scores, in all and in each bucket.

    Buckets grow by 5% of the value on both sides of 0, so that they fit scores of any size, and the tallies of two
    shards add up to the tally of both (DDSketch: Masson, Rim and Lee, PVLDB 12, 2019, section 2). Bucket 0 is 0, i > 0
    holds e^((i−1)g) < |score|/1e-12 ≤ e^(ig) with g = ln 1.05, −i the same of negative scores.
    """

    rows: int
    buckets: Mapping[int, int]

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Tally:
        """The tally of finite scores, float64 (n,)."""
        import numpy as np

        place = np.abs(scores)
        with np.errstate(divide="ignore"):
            np.log(place, out=place)
        place -= math.log(SMALLEST)
        place /= GROWTH
        np.maximum(np.ceil(place, out=place), 0, out=place)
        codes, counts = np.unique(np.copysign(place, scores, out=place).astype(np.int16), return_counts=True)
        return cls(rows=int(scores.size), buckets=dict(zip(codes.tolist(), counts.tolist(), strict=True)))

    @classmethod
    def total(cls, parts: Iterable[Tally]) -> Tally:
        """The sum of all parts; without parts, a tally of no rows."""
        rows, buckets = 0, dict[int, int]()
        for part in parts:
            rows += part.rows
            for code, count in part.buckets.items():
                buckets[code] = buckets.get(code, 0) + count
        return cls(rows=rows, buckets=buckets)

    def distance(self, other: Tally) -> float:
        """The largest difference between the two shares of scores up to a value, 0 … 1 (Kolmogorov and Smirnov's).

        Looks at bucket bounds only, so it is at most the distance of the scores themselves. NaN if one has no rows.
        """
        import numpy as np

        if not self.rows or not other.rows:
            return math.nan
        codes = sorted({*self.buckets, *other.buckets})
        shares = [np.cumsum([tally.buckets.get(code, 0) for code in codes]) / tally.rows for tally in (self, other)]
        return float(np.abs(shares[0] - shares[1]).max())

    def to_json(self) -> str:
        """`{"rows": …, "buckets": [[code, count], …]}`, ascending."""
        return json.dumps({"rows": self.rows, "buckets": [list(bucket) for bucket in sorted(self.buckets.items())]})

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """The tally that `to_json` wrote. Raises StoreError for anything else."""
        try:
            plain = json.loads(text)
            return cls(rows=int(plain["rows"]), buckets={int(code): int(count) for code, count in plain["buckets"]})
        except (ValueError, TypeError, KeyError, RecursionError) as err:
            raise StoreError(
                f"the tally of a version cannot be read: {text[:60]!r}", hint="the store is damaged"
            ) from err
