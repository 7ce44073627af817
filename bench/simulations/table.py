"""Rates that a simulation measured, each beside what is asked of it, and tables of them in Markdown."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

STANDARD_ERRORS = 3.0
"""How many standard errors of the simulation a rate may lie on the wrong side of what is asked."""

DIGITS = 12
"""Rates are compared with what is asked to so many decimals."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A probability, measured in `runs` independent replications; `runs` is 0 where it was computed, not simulated.

    asked: what it should be; None where it is shown only to compare. side: whether more, or less, is better.
    """

    value: float
    runs: int
    asked: float | None = None
    side: Literal["at least", "at most"] = "at most"

    @classmethod
    def of(cls, happened: ArrayLike, *, at_least: float | None = None, at_most: float | None = None) -> Self:
        """The share of replications in which something happened: bool (runs,)."""
        held = np.asarray(happened)
        return cls(
            value=float(held.mean()),
            runs=held.size,
            asked=at_most if at_least is None else at_least,
            side="at most" if at_least is None else "at least",
        )

    @property
    def error(self) -> float:
        """Standard error of the simulation where the rate is what is asked."""
        if self.runs == 0:
            return 0.0
        p = self.value if self.asked is None else self.asked
        return math.sqrt(p * (1 - p) / self.runs)

    @property
    def holds(self) -> bool:
        """Whether it is what is asked, or better, or too near to tell."""
        if self.asked is None:
            return True
        excess = self.value - self.asked if self.side == "at most" else self.asked - self.value
        return round(excess, DIGITS) <= STANDARD_ERRORS * self.error

    def __str__(self) -> str:
        shown = _short(self.value, self.runs)
        if self.asked is None or self.holds:
            return shown
        return f"**{shown}**"


def _short(value: float, runs: int) -> str:
    """A rate to about its standard error: .948, .00251; 0 and 1 only where it is that."""
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    error = math.sqrt(value * (1 - value) / runs) if runs else 1e-4
    digits = min(6, max(2, math.ceil(-math.log10(error))))
    return f"{value:.{digits}f}".removeprefix("0")


Cell = Rate | str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Lines of one experiment."""

    title: str
    about: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    seed: int

    @property
    def rates(self) -> dict[tuple[str, str], Rate]:
        """Every rate, by what stands before the first one on its line and by its column's head."""
        return {
            (", ".join(str(cell) for cell in takewhile(lambda cell: isinstance(cell, str), row)), head): rate
            for row in self.rows
            for head, rate in zip(self.head, row, strict=True)
            if isinstance(rate, Rate)
        }

    @property
    def short(self) -> list[str]:
        """The lines with rates that miss what is asked of them, each as an item of a list."""
        missed: dict[str, list[str]] = {}
        for (line, head), rate in self.rates.items():
            if not rate.holds:
                missed.setdefault(line, []).append(f"{head} {rate}")
        return [f"- {self.title}, {line}: {'; '.join(rates)}" for line, rates in missed.items()]

    def markdown(self) -> str:
        lines = [
            f"## {self.title}",
            "",
            paragraph(self.about),
            "",
            "| " + " | ".join(self.head) + " |",
            "|" + "---|" * len(self.head),
            *("| " + " | ".join(map(str, row)) + " |" for row in self.rows),
            "",
            self._runs(),
            "",
        ]
        return "\n".join(lines)

    def _runs(self) -> str:
        simulated = [rate for rate in self.rates.values() if rate.runs]
        if not simulated:
            return "Computed by enumeration, without error of simulation."
        runs = sorted({rate.runs for rate in simulated})
        said = f"{runs[0]:,}" if len(runs) == 1 else f"{runs[0]:,} to {runs[-1]:,}"
        judged = [rate for rate in simulated if rate.asked is not None]
        error = f", standard errors at most {max(rate.error for rate in judged):.2g}" if judged else ""
        return f"{said} replications{error}. Seed {self.seed}."


def paragraph(text: str) -> str:
    """Text in lines of the length that the documents have."""
    return textwrap.fill(text, width=120, break_long_words=False, break_on_hyphens=False)
