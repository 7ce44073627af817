"""What a gate asks of a sample, as a probability of passing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.metrics import quantile
from lockgate.gates.metrics.estimate import standard_errors
from lockgate.gates.stats.sample_size import t_power, times_needed
from lockgate.gates.stats.scored import Floats

Gains = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """`chance(truth, times)` is the probability of PASS where `truth` is true and the sample is so many times as big.

    It does not fall as `times` grows while `truth` meets the rule. Below `least_times` the gate is INCONCLUSIVE
    whatever is seen: too few clusters, or a slice with too few rows. `lowest` and `highest` are truths of which
    the first is not shown by the present sample and the second is. Where there is `showing(power)` it gives the
    smallest truth instead: the harm that is proven, or the gap that is shown to be small, with that power.
    """

    level: float | None
    truth: float | None
    supposed: str
    chance: Callable[[float, float], float]
    shows: Callable[[float], str]
    least_times: float = 0.0
    lowest: float | None = None
    highest: float | None = None
    showing: Callable[[float], float | None] | None = None
    passes_unless: str = ""  # of a gate that passes unless something is proven: why it needs no rows
    bound_rows: int | None = None
    narrow_times: float | None = None  # where a half-width is asked: the sample at which it is expected

    @property
    def supposes(self) -> bool:
        """Whether something is supposed to be true, so that there is a probability."""
        return self.truth is not None

    def chance_at(self, times: float) -> float | None:
        """Probability of PASS on so many times the present sample; None where nothing is supposed."""
        if self.truth is None:
            return None
        return 0.0 if times < self.least_times - 1e-9 else self.chance(self.truth, times)

    def times(self, power: float) -> float:
        """How many times the present sample it takes to pass with `power`; infinite where none does."""
        truth = self.truth
        if truth is None:
            return math.inf
        return max(times_needed(lambda times: self.chance(truth, times), power), self.least_times)

    def smallest(self, power: float) -> float | None:
        """The smallest truth that the present sample shows with `power`."""
        if self.least_times > 1 + 1e-9:
            return None
        if self.showing is not None:
            return self.showing(power)
        if self.lowest is None or self.highest is None:
            return None
        from scipy.optimize import brentq

        def short(truth: float) -> float:
            return self.chance(truth, 1.0) - power

        if not short(self.lowest) < 0 <= short(self.highest):
            return None
        return float(brentq(short, self.lowest, self.highest, xtol=1e-12))


def number(value: float) -> str:
    """A number for a sentence: three significant digits."""
    return f"{value + 0.0:.3g}"


def enough_clusters(case: Case) -> float:
    """How many times the present sample has as many clusters as the policy asks for at least."""
    return 0.0 if case.clusters is None else case.min_clusters / max(case.clusters, 1)


def paired(case: Case, name: str, by: tuple[str, ...] = ()) -> tuple[Floats, Floats, Floats]:
    """challenger − champion in each group, with standard errors and degrees of freedom, each (S,)."""
    split, metric = case.split(by), case.metric(name)
    if metric.quantile is not None:
        return quantile.quantile_difference(metric.quantile, split)
    found = split.paired_difference(metric)
    return found.value, *standard_errors(metric, found, split)


def power_beyond(distance: float, error: float, df: float, *, alpha: float, times: float) -> float:
    """`t_power` of one estimate on so many times the sample: its variance shrinks, its degrees of freedom grow."""
    some = np.array([[distance], [error / math.sqrt(times)], [df * times]])
    return float(t_power(some[0], some[1], some[2], alpha=alpha)[0])


def finite(value: float, error: float, what: str) -> None:
    """Raises UnjudgeableError where the pilot does not show an error to plan with."""
    if not (math.isfinite(value) and math.isfinite(error)):
        raise UnjudgeableError(f"{what} has no standard error on these rows", expected="more rows or clusters")


def need_second_model(case: Case) -> None:
    """Raises UnjudgeableError where the pilot has one model only."""
    if case.rows.champion is None:
        raise UnjudgeableError("the pilot has no champion: evaluate a second model beside it first")
