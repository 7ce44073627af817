"""What a gate says, and what all gates together say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict


class Verdict(StrEnum):
    """What one gate says. Worst first, but for SKIP, which never counts."""

    ERROR = "ERROR"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    PASS = "PASS"  # noqa: S105 (a verdict, no password)
    SKIP = "SKIP"


class Ruling(StrEnum):
    """What the gates say together."""

    ERROR = "ERROR"
    HOLD = "HOLD"
    INCONCLUSIVE = "INCONCLUSIVE"
    PROMOTE = "PROMOTE"


SEVERITY_ORDER = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
RULING_OF = {
    Verdict.ERROR: Ruling.ERROR,
    Verdict.FAIL: Ruling.HOLD,
    Verdict.INCONCLUSIVE: Ruling.INCONCLUSIVE,
    Verdict.PASS: Ruling.PROMOTE,
}
EXIT_CODE = {Ruling.PROMOTE: 0, Ruling.HOLD: 1, Ruling.ERROR: 2, Ruling.INCONCLUSIVE: 3}


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst verdict that counts; SKIP where none does."""
    return next((verdict for verdict in SEVERITY_ORDER if verdict in verdicts), Verdict.SKIP)


def twelve_digits(value: float | None) -> float | None:
    """A number as it is written down: 12 significant digits; None for what does not exist (NaN, infinite)."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.12g}") + 0.0  # −0 is 0


Number = Annotated[float | None, AfterValidator(twelve_digits)]


class Outcome(BaseModel):
    """What one gate found. A number that does not exist is None, never NaN.

    `observed` of a comparison is challenger − champion as the metric is written. `low` and `high` are bounds
    whose one-sided level is `level`. `p` is there where a test decided. `parts` holds one outcome for each thing
    that the gate looked at: a slice, a clause, a check. `description` and `owner` are the policy's words.
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
    message: str = ""
    parts: tuple[Outcome, ...] = ()
    waived: bool = False
    description: str = ""  # why the gate exists
    owner: str = ""  # who to ask


VERDICTS_WORST_FIRST = (*SEVERITY_ORDER, Verdict.SKIP)


def tally(parts: Sequence[Outcome], noun: str) -> str:
    """`3 clauses: 1 FAIL, 2 PASS`, worst first."""
    return f"{len(parts)} {noun}{'' if len(parts) == 1 else 's'}: {count_verdicts(parts)}"


def count_verdicts(parts: Sequence[Outcome]) -> str:
    """`1 FAIL, 2 PASS`, worst first."""
    counts = [(verdict, sum(part.verdict is verdict for part in parts)) for verdict in VERDICTS_WORST_FIRST]
    return ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
