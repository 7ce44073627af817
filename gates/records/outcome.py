"""What one gate says, its outcome, and what all gates say together, the ruling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from lockgate.gates.records.added import ADDED_LATER


class Verdict(StrEnum):
    """What one gate says. Worst first, except for SKIP, which never counts."""

    ERROR = "ERROR"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    PASS = "PASS"  # noqa: S105 (a verdict, no password)
    SKIP = "SKIP"


class Ruling(StrEnum):
    """What all gates say together, worst first."""

    ERROR = "ERROR"
    HOLD = "HOLD"
    INCONCLUSIVE = "INCONCLUSIVE"
    PROMOTE = "PROMOTE"


SEVERITY_ORDER = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
VERDICTS_WORST_FIRST = (*SEVERITY_ORDER, Verdict.SKIP)
RULING_OF = {
    Verdict.ERROR: Ruling.ERROR,
    Verdict.FAIL: Ruling.HOLD,
    Verdict.INCONCLUSIVE: Ruling.INCONCLUSIVE,
    Verdict.PASS: Ruling.PROMOTE,
}
EXIT_CODE = {Ruling.PROMOTE: 0, Ruling.HOLD: 1, Ruling.ERROR: 2, Ruling.INCONCLUSIVE: 3}


def worst_verdict(verdicts: list[Verdict]) -> Verdict:
    """The worst verdict that counts; SKIP if none counts."""
    return next((verdict for verdict in SEVERITY_ORDER if verdict in verdicts), Verdict.SKIP)


def round_to_12_digits(value: float | None) -> float | None:
    """A number with 12 significant digits, as records keep it; None for NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.12g}") + 0.0  # −0 is 0


Number = Annotated[float | None, AfterValidator(round_to_12_digits)]


class Information(BaseModel):
    """What a number rests on.

    rows: those that carry the metric: the positives of a recall, all of a log loss. class_rows: those of the rarer
    class (or decided so); None where no class matters. clusters: those that carry the metric; None without clusters.
    effective_clusters: how many clusters of equal size would carry as much, 1/Σ(share²); of weighted rows, rows.
    lag_1: the correlation of neighbouring clusters in time, which the interval allows for; None without an order.
    unseen_rate: the share of rows, or of clusters, that events may have of which this sample shows none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    class_rows: int | None = None
    clusters: int | None = None
    effective_clusters: Number = None
    degrees_of_freedom: Number = None
    lag_1: Number = None
    unseen_rate: Number = None

    def with_unseen(self, level: float) -> Information:
        """The same with the rate of events that so many clusters or rows miss with probability 1 − `level`."""
        units = self.effective_clusters or float(self.rows)
        return self.model_copy(update={"unseen_rate": round_to_12_digits(min(-math.log1p(-level) / units, 1.0))})


class Outcome(BaseModel):
    """What one gate found. A number that does not exist is None, never NaN.

    For a comparison, `observed` is challenger − champion. `low` and `high` are bounds at the one-sided `level`. `p` is
    set if a test decided. `parts` has one outcome for each thing that the gate looked at: a slice, a clause, a check.
    `description` and `owner` are copied from the policy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str
    severity: Literal["block", "warn"]
    verdict: Verdict
    metric: str | None = None
    observed: Number = None
    low: Number = None
    high: Number = None
    level: Number = None
    p: Number = None
    rule: str = ""
    rows: int | None = None
    clusters: int | None = None
    information: Information | None = ADDED_LATER
    message: str = ""
    parts: tuple[Outcome, ...] = ()
    waived: bool = False
    description: str = ""  # why the gate exists
    owner: str = ""  # whom to ask


def summarise_parts(parts: Sequence[Outcome], noun: str) -> str:
    """`3 clauses: 1 FAIL, 2 PASS`, worst first."""
    return f"{len(parts)} {noun}{'' if len(parts) == 1 else 's'}: {count_verdicts(parts)}"


def count_verdicts(parts: Sequence[Outcome]) -> str:
    """`1 FAIL, 2 PASS`, worst first."""
    counts = [(verdict, sum(part.verdict is verdict for part in parts)) for verdict in VERDICTS_WORST_FIRST]
    return ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
