"""Rates of trials, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.gates.stats.proportions import wilson

LEVEL = 0.975
"""One-sided level of each bound of a rate, for an interval of 95%."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A count out of a total, with Wilson's interval."""

    count: int
    total: int

    @property
    def share(self) -> float:
        """count / total; NaN where the total is 0."""
        return self.count / self.total if self.total else float("nan")

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's 95% interval; (NaN, NaN) where the total is 0."""
        low, high = wilson(np.array([float(self.count)]), np.array([float(self.total)]), level=LEVEL)
        return float(low[0]), float(high[0])
