"""What a plan says. Numbers that do not exist are None, and `why` says in words why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one gate needs to PASS with the power asked, if what is assumed is true.

    `detectable` is the smallest truth (gain, value, deviation) that the present holdout shows with that power;
    negative where it is a loss that would be caught.
    """

    name: str
    kind: str
    severity: str
    rule: str
    level: float | None = None  # one-sided; None where the point decides or nothing is tested
    truth: float | None = None  # what is assumed to be true: a gain (positive is better), a value, a deviation
    supposed: str = ""  # the same in words
    rows: int | None = None
    clusters: int | None = None  # with as many rows in each as now
    rows_range: tuple[int, int] | None = None  # as far as the pilot's own error may be wrong, in 90% of pilots
    chance: float | None = None  # probability of PASS on the present holdout
    detectable: float | None = None
    shows: str = ""  # the same in words
    bound_rows: int | None = None  # what the bound of ease.ml/ci asks of a comparison of shares
    narrow_rows: int | None = None  # rows at which an interval as narrow as the clause asks is expected
    parts: tuple[Need, ...] = ()  # clauses that must all pass, or alternatives of which one is enough
    cheapest: str = ""  # the alternative that needs fewest rows
    why: str = ""

    @property
    def saving(self) -> float | None:
        """How many times as many rows the bound of ease.ml/ci asks for."""
        return None if self.bound_rows is None or not self.rows else self.bound_rows / self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlan:
    """What every gate needs, and what they need together.

    All blocking gates that could be planned pass on the present holdout with a probability of `chance` at least
    (union bound) and `chance_most` at most (that of the least likely one); `together_rows` make `chance` reach
    `power`. `unplanned` names the blocking gates that take a sample and could not be planned: they are left out.
    """

    power: float
    rows: int | None  # of the present holdout; None without evidence
    clusters: int | None
    needs: tuple[Need, ...]
    chance: float | None
    chance_most: float | None
    together_rows: int | None
    together_clusters: int | None
    unplanned: tuple[str, ...]
    looks_left: int | None = None  # comparisons that can still show a gain here; None where unknown or not counted
    looks: str = ""  # the same in words; empty without a log

    @property
    def enough(self) -> bool | None:
        """Whether all gates pass on the present holdout with the power asked; None where that is unknown."""
        return None if self.chance is None else self.chance >= self.power
