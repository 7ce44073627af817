"""Rates that a simulation measured, each with its nominal value, and tables of them in Markdown."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

STANDARD_ERRORS = 3.0
"""A rate may miss its nominal value by this many standard errors of the simulation."""

DIGITS = 12
"""Rates are compared with their nominal value to so many decimals."""


@dataclass(frozen=True, kw_only=True)
class MeasuredRate:
    """A probability measured in `runs` independent replications, or computed exactly if `runs` is 0.

    nominal: what it should be; None if it is only shown for comparison. side: on which side of that it may lie.
    """

    value: float
    runs: int
    nominal: float | None = None
    side: Literal["at least", "at most"] = "at most"

    @classmethod
    def of(cls, happened: ArrayLike, *, at_least: float | None = None, at_most: float | None = None) -> Self:
        """The share of replications in which something happened, from bool (runs,)."""
        hits = np.asarray(happened)
        return cls(
            value=float(hits.mean()),
            runs=hits.size,
            nominal=at_most if at_least is None else at_least,
            side="at most" if at_least is None else "at least",
        )

    @property
    def error(self) -> float:
        """The simulation's standard error if the rate has its nominal value."""
        if self.runs == 0:
            return 0.0
        p = self.value if self.nominal is None else self.nominal
        return math.sqrt(p * (1 - p) / self.runs)

    @property
    def holds(self) -> bool:
        """Whether the rate is on the right side of its nominal value, or too close to tell."""
        if self.nominal is None:
            return True
        excess = self.value - self.nominal if self.side == "at most" else self.nominal - self.value
        return round(excess, DIGITS) <= STANDARD_ERRORS * self.error

    def __str__(self) -> str:
        text = _short(self.value, self.runs)
        if self.nominal is None or self.holds:
            return text
        return f"**{text}**"


def _short(value: float, runs: int) -> str:
    """A rate to about its standard error: .948, .00251. Only exact values are written as 0 and 1."""
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    error = math.sqrt(value * (1 - value) / runs) if runs else 1e-4
    digits = min(6, max(2, math.ceil(-math.log10(error))))
    return f"{value:.{digits}f}".removeprefix("0")


Cell = MeasuredRate | str


@dataclass(frozen=True, kw_only=True)
class ResultTable:
    """The results of one experiment."""

    title: str
    description: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    seed: int

    @property
    def rates(self) -> dict[tuple[str, str], MeasuredRate]:
        """Every rate, by the text before the first rate in its row and by the head of its column."""
        return {
            (", ".join(str(cell) for cell in takewhile(lambda cell: isinstance(cell, str), row)), head): rate
            for row in self.rows
            for head, rate in zip(self.head, row, strict=True)
            if isinstance(rate, MeasuredRate)
        }

    @property
    def short(self) -> list[str]:
        """The rows with rates that miss their nominal value, each as a list item."""
        missed: dict[str, list[str]] = {}
        for (line, head), rate in self.rates.items():
            if not rate.holds:
                missed.setdefault(line, []).append(f"{head} {rate}")
        return [f"- {self.title}, {line}: {'; '.join(rates)}" for line, rates in missed.items()]

    def markdown(self) -> str:
        lines = [
            f"## {self.title}",
            "",
            paragraph(self.description),
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
        replications = f"{runs[0]:,}" if len(runs) == 1 else f"{runs[0]:,} to {runs[-1]:,}"
        judged = [rate for rate in simulated if rate.nominal is not None]
        error = f", standard errors at most {max(rate.error for rate in judged):.2g}" if judged else ""
        return f"{replications} replications{error}. Seed {self.seed}."


def paragraph(text: str) -> str:
    """Text wrapped as the documents are."""
    return textwrap.fill(text, width=120, break_long_words=False, break_on_hyphens=False)
