"""What a gate requires of a sample, as a probability of passing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.metrics.estimate import measure_difference
from lockgate.gates.records.outcome import Information
from lockgate.gates.stats.sample_size import t_power, times_needed
from lockgate.gates.stats.scored import Floats
from lockgate.gates.stats.uncertainty import Uncertainty

Gains = Mapping[str, float]
"""True gains to plan for by metric, in its units, positive is better."""

FAR = 1e3
"""A truth so many standard errors beyond a limit is certain to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What one gate requires of a sample.

    `chance(truth, times)` is the probability of PASS if `truth` is true and the sample is `times` as big as now. While
    `truth` meets the rule, it does not fall as `times` grows.
    """

    level: float | None  # one-sided; None where the point decides
    truth: float | None  # what is assumed to be true; None where nothing is
    supposed: str  # the same in words
    chance: Callable[[float, float], float]
    shows: Callable[[float], str]  # a truth in words, for what the present sample shows
    min_times: float = 0.0  # below it the gate is INCONCLUSIVE: too few clusters, or a slice with too few rows
    lowest: float | None = None  # a truth that the present sample does not show
    highest: float | None = None  # a truth that it does show
    showing: Callable[[float], float | None] | None = None  # power → smallest truth shown, instead of the two
    passes_unless: str = ""  # of a gate that passes unless something is proven: why it needs no rows
    bound_rows: int | None = None  # what the bound of ease.ml/ci would ask for
    pilot_df: float = math.inf  # how well the pilot knows its error: the degrees of freedom of its variance
    narrow_times: float | None = None  # where the half-width is limited: the sample at which the limit is expected

    @property
    def has_assumption(self) -> bool:
        """Whether a truth is assumed, so that there is a probability of passing."""
        return self.truth is not None

    def chance_at(self, times: float) -> float | None:
        """Probability of PASS on `times` the present sample; None where nothing is assumed."""
        if self.truth is None:
            return None
        return 0.0 if times < self.min_times - 1e-9 else self.chance(self.truth, times)

    def times(self, power: float) -> float:
        """How many times the present sample it takes to pass with `power`; infinite where no size does."""
        truth = self.truth
        if truth is None:
            return math.inf
        return max(times_needed(lambda times: self.chance(truth, times), power), self.min_times)

    def times_range(self, power: float) -> tuple[float, float] | None:
        """The sample that it takes if the pilot's variance is wrong, as far as 90% of pilots are; None if it is known.

        The sample grows with the variance, the estimate of which is taken to be chi-square.
        """
        times = self.times(power)
        if not math.isfinite(self.pilot_df) or not math.isfinite(times) or times <= self.min_times:
            return None
        low, high = (self.pilot_df / float(scipy.special.chdtri(self.pilot_df, tail)) for tail in (0.05, 0.95))
        return max(times * low, self.min_times), max(times * high, self.min_times)

    def smallest(self, power: float) -> float | None:
        """The smallest truth that the present sample shows with `power`."""
        if self.min_times > 1 + 1e-9:
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


def format_short(value: float) -> str:
    """A number for a sentence: three significant digits."""
    return f"{value + 0.0:.3g}"


def times_for_information(case: Case, information: Information) -> float:
    """How many times the present sample it takes to have the policy's `min_clusters` and `min_class_rows`."""
    times = [0.0]
    if information.effective_clusters is not None:
        times.append(case.min_clusters / max(information.effective_clusters, 1e-9))
    if information.class_rows is not None:
        times.append(case.min_class_rows / max(information.class_rows, 1))
    return max(times)


def estimate_paired(case: Case, name: str, by: tuple[str, ...] = ()) -> tuple[Floats, Uncertainty]:
    """challenger − champion in each group (S,), and its uncertainty."""
    return measure_difference(case.compared_metric(name), case.split(by))


def power_beyond(
    distance: Floats | float, uncertainty: Uncertainty, *, alpha: float, times: float, side: float = 1.0
) -> Floats:
    """The probability (S,) that estimates on `times` the sample are shown to lie beyond a limit.

    distance: how far the truth lies beyond it. side: 1 where the limit lies below the estimate, −1 where above.
    """
    grown = uncertainty.on_sample(times)
    critical = grown.critical(1 - alpha)[0 if side > 0 else 1] if alpha < 0.5 else None  # at .5 the point decides
    return t_power(np.broadcast_to(distance, grown.error.shape), grown.error, grown.df, alpha=alpha, critical=critical)


def require_finite(value: float, error: float, subject: str) -> None:
    """Raises UnjudgeableError where the pilot gives no standard error to plan with."""
    if not (math.isfinite(value) and math.isfinite(error)):
        raise UnjudgeableError(f"{subject} has no standard error on these rows", expected="more rows or clusters")


def need_second_model(case: Case) -> None:
    """Raises UnjudgeableError where the pilot has scores of one model only."""
    if case.rows.champion is None:
        raise UnjudgeableError("the pilot has no champion: evaluate a second model beside it first")
