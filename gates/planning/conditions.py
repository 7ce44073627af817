"""Samples for gates of kind condition: each clause as its equivalent gate, and the half-width that it allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check
from lockgate.gates.kinds.condition import Condition, equivalent_gate, row_indicators
from lockgate.gates.kinds.condition_language import Clause
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.planning.absolutes import share_beyond
from lockgate.gates.planning.combined import CombinedRequirement, Part, Planned
from lockgate.gates.planning.requirement import (
    FAR,
    Requirement,
    format_short,
    need_second_model,
    power_beyond,
    require_finite,
    times_for_information,
)
from lockgate.gates.stats.sample_size import times_needed
from lockgate.gates.stats.scored import Floats
from lockgate.gates.stats.uncertainty import Uncertainty, measure_influence

Planner = Callable[[Check, Case], Planned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The standard error of a clause's sum on the present sample, and how well the sample determines it."""

    uncertainty: Uncertainty
    uncertain: float  # relative variance of the squared error: (κ − 1)/m for m independent values of kurtosis κ

    def half(self, level: float, times: float) -> float:
        """The half-width that is expected on `times` the sample."""
        below, above = self.uncertainty.on_sample(times).reach(level)
        return float((below + above)[0]) / 2

    @property
    def error(self) -> float:
        return float(self.uncertainty.error[0])

    def narrow(self, within: float, level: float, times: float) -> float:
        """Probability that the half-width is at most `within`."""
        expected = self.half(level, times)
        room = (within / expected) ** 2 - 1 if expected > 0 else math.inf
        by = math.sqrt(self.uncertain / times)
        return float(scipy.special.ndtr(room / by)) if by > 0 else float(room >= 0)


def plan_condition(
    check: Condition, case: Case, plan_gate: Planner, *, disagreement: float | None, pilot: bool
) -> CombinedRequirement:
    """All clauses must pass. Without a pilot only clauses that are gates of another kind can be planned."""
    parts = {}
    for clause in check.clauses:
        kind = equivalent_gate(clause)
        rule = clause.text if kind is None else kind.rule
        name = check.kind if kind is None else kind.kind
        try:
            planned = _plan_clause(clause, kind, case, plan_gate, disagreement=disagreement, pilot=pilot)
        except UnjudgeableError as err:
            planned = str(err)
        parts[clause.text] = Part(kind=name, rule=rule, planned=planned)
    return CombinedRequirement(parts=parts, any_suffices=False)


def _plan_clause(
    clause: Clause, kind: Check | None, case: Case, plan_gate: Planner, *, disagreement: float | None, pilot: bool
) -> Planned:
    if pilot and clause.compares:
        need_second_model(case)
    if kind is None:
        planned: Planned = (
            _plan_by_rows(clause, case) if pilot else "a sum of several shares needs a pilot: `lockgate plan RUN`"
        )
    else:
        planned = plan_gate(kind, case)
    if not isinstance(planned, Requirement):
        return planned
    if pilot:
        spread = _pilot_spread(clause, case, kind)
    else:
        gain = planned.truth if isinstance(kind, Improvement) and planned.truth is not None else None
        spread = _assumed_spread(clause, disagreement or 0.0, gain)
    return _require_narrow(planned, spread, clause, level=planned.level or case.confidence)


def _require_narrow(requirement: Requirement, spread: Spread, clause: Clause, *, level: float) -> Requirement:
    """The requirement and a narrow interval: both must hold, combined by the union bound."""

    def chance(truth: float, times: float) -> float:
        return max(0.0, requirement.chance(truth, times) + spread.narrow(clause.within, level, times) - 1)

    def narrowness(times: float) -> float:
        half = spread.half(level, times)
        return clause.within / half if half > 0 else 0.0  # NaN where no degree of freedom is left

    times = times_needed(narrowness, 1.0) if spread.error > 0 else 0.0
    return replace(requirement, chance=chance, narrow_times=times)


def _row_sums(clause: Clause, case: Case) -> Floats:
    new, old, differs = row_indicators(clause, case)
    return clause.n * new + clause.o * old + clause.d * differs


def _pilot_spread(clause: Clause, case: Case, kind: Check | None) -> Spread:
    """The spread in the pilot. Shares of independent rows, and their paired differences, have normal bounds."""
    values, split = _row_sums(clause, case), case.split()
    mean = split.scored_by("challenger").mean(values)
    influence = values - mean[0]
    uncertainty = measure_influence(influence, split.units, weight=case.rows.weight)
    require_finite(float(mean[0]), float(uncertainty.error[0]), clause.text)
    mass = split.units.sums(influence if case.rows.weight is None else influence * case.rows.weight)
    square = mass[split.units.size > 0] ** 2
    uncertain = 0.0 if not square.any() else float((square**2).mean() / square.mean() ** 2 - 1) / square.size
    normal = case.rows.plain and (kind is not None or clause.only_variable)
    if normal:
        uncertainty = Uncertainty.of_normal(uncertainty.error)
    return Spread(uncertainty=uncertainty, uncertain=max(uncertain, 0.0))


def _assumed_spread(clause: Clause, disagreement: float, gain: float | None) -> Spread:
    """The spread of one row where that share of rows changes; without a gain, of the share itself."""
    if gain is None:
        values, shares = np.array([1.0, 0.0]), np.array([disagreement, 1 - disagreement])
    else:
        one_right = (disagreement + gain) / 2, (disagreement - gain) / 2
        values, shares = np.array([1.0, -1.0, 0.0]), np.array([*one_right, 1 - disagreement])
    around = abs(clause.n or clause.d) * (values - (shares * values).sum())
    variance, fourth = float((shares * around**2).sum()), float((shares * around**4).sum())
    error = np.array([math.sqrt(variance)])
    return Spread(uncertainty=Uncertainty.of_normal(error), uncertain=fourth / variance**2 - 1 if variance else 0.0)


def _plan_by_rows(clause: Clause, case: Case) -> Requirement:
    """A sum of shares by its mean over rows; the value seen in the pilot is assumed to be true."""
    level = case.scheduled_confidence if clause.is_scheduled else case.confidence
    spread = _pilot_spread(clause, case, None)
    value = float(case.split().scored_by("challenger").mean(_row_sums(clause, case))[0])
    side, alpha = (1.0 if clause.greater else -1.0), 1 - level
    weight = clause.n + clause.o + clause.d if clause.only_variable and case.rows.plain else 0.0
    of_share = share_beyond(float(case.rows.n), alpha=alpha)

    def chance(truth: float, times: float) -> float:
        if weight:
            turned = side if weight > 0 else -side
            return of_share(min(max(truth / weight, 0.0), 1.0), clause.limit / weight, turned, times)
        distance = side * (truth - clause.limit)
        return float(power_beyond(distance, spread.uncertainty, alpha=alpha, times=times, side=side)[0])

    expression = clause.text.partition(">" if clause.greater else "<")[0].strip()
    extreme = max(clause.row_values) if clause.greater else min(clause.row_values)
    far = clause.limit + side * FAR * spread.error
    return Requirement(
        level=level,
        truth=value,
        supposed=f"{expression} is {format_short(value)}, as in the pilot",
        chance=chance,
        shows=lambda truth: f"{expression} of {format_short(truth)}",
        min_times=times_for_information(case, case.information),
        lowest=clause.limit,
        highest=min(far, extreme) if clause.greater else max(far, extreme),
    )
