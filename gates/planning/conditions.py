"""What a `condition` asks of a sample: its clauses, each as the gate that it is, and the half-width asked of each."""

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
from lockgate.gates.planning.absolutes import FAR, share_beyond
from lockgate.gates.planning.ask import Ask, enough_clusters, finite, need_second_model, number, power_beyond
from lockgate.gates.planning.several import Asked, Part, Several
from lockgate.gates.stats.clusters import clustered_errors, t_quantile
from lockgate.gates.stats.sample_size import times_needed
from lockgate.gates.stats.scored import Floats

Planner = Callable[[Check, Case], Asked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The standard error of a clause's sum on the present sample, and how well that shows it.

    `uncertain` is the relative variance of the squared error: of m independent values (κ − 1)/m, κ being their
    kurtosis.
    """

    error: float
    df: float
    uncertain: float

    def half(self, level: float, times: float) -> float:
        """The half-width that is expected on so many times the sample."""
        return float(t_quantile(level, np.array([self.df * times]))[0]) * self.error / math.sqrt(times)

    def narrow(self, within: float, level: float, times: float) -> float:
        """Probability that the half-width is `within` at most."""
        expected = self.half(level, times)
        room = (within / expected) ** 2 - 1 if expected > 0 else math.inf
        by = math.sqrt(self.uncertain / times)
        return float(scipy.special.ndtr(room / by)) if by > 0 else float(room >= 0)


def condition(check: Condition, case: Case, of: Planner, *, disagreement: float | None, pilot: bool) -> Several:
    """All clauses must pass. `of` plans the gate that a clause is; without a pilot that is all there is."""
    parts = {}
    for clause in check.clauses:
        kind = equivalent_gate(clause)
        rule = clause.text if kind is None else kind.rule
        name = check.kind if kind is None else kind.kind
        try:
            asked = _clause(clause, kind, case, of, disagreement=disagreement, pilot=pilot)
        except UnjudgeableError as err:
            asked = str(err)
        parts[clause.text] = Part(kind=name, rule=rule, asked=asked)
    return Several(parts=parts, one=False)


def _clause(
    clause: Clause, kind: Check | None, case: Case, of: Planner, *, disagreement: float | None, pilot: bool
) -> Asked:
    if pilot and clause.compares:
        need_second_model(case)
    if kind is None:
        asked: Asked = _by_rows(clause, case) if pilot else "a sum of several shares needs a pilot: `lockgate plan RUN`"
    else:
        asked = of(kind, case)
    if not isinstance(asked, Ask):
        return asked
    if pilot:
        spread = _seen(clause, case, kind)
    else:
        gain = asked.truth if isinstance(kind, Improvement) and asked.truth is not None else None
        spread = _assumed(clause, disagreement or 0.0, gain)
    return _if_narrow(asked, spread, clause, level=asked.level or case.confidence)


def _if_narrow(asked: Ask, spread: Spread, clause: Clause, *, level: float) -> Ask:
    """The same, where the half-width asked must be met as well, by the union bound."""

    def chance(truth: float, times: float) -> float:
        return max(0.0, asked.chance(truth, times) + spread.narrow(clause.within, level, times) - 1)

    def narrowness(times: float) -> float:
        half = spread.half(level, times)
        return clause.within / half if half > 0 else 0.0  # NaN where no degree of freedom is left

    times = times_needed(narrowness, 1.0) if spread.error > 0 else 0.0
    return replace(asked, chance=chance, narrow_times=times)


def _values(clause: Clause, case: Case) -> Floats:
    new, old, differs = row_indicators(clause, case)
    return clause.n * new + clause.o * old + clause.d * differs


def _seen(clause: Clause, case: Case, kind: Check | None) -> Spread:
    """The pilot's; shares of independent rows, and their paired differences, have normal bounds."""
    values, split = _values(clause, case), case.split()
    mean = split.scored_by("challenger").mean(values)
    influence = values - mean[0]
    error, df = (float(of[0]) for of in clustered_errors(influence, split.units, weight=case.rows.weight))
    finite(float(mean[0]), error, clause.text)
    mass = split.units.sums(influence if case.rows.weight is None else influence * case.rows.weight)
    square = mass[split.units.size > 0] ** 2
    uncertain = 0.0 if not square.any() else float((square**2).mean() / square.mean() ** 2 - 1) / square.size
    normal = case.rows.plain and (kind is not None or clause.only_variable)
    return Spread(error=error, df=math.inf if normal else df, uncertain=max(uncertain, 0.0))


def _assumed(clause: Clause, disagreement: float, gain: float | None) -> Spread:
    """One row's, if so many change: without a gain the share that changes itself is bounded."""
    if gain is None:
        values, shares = np.array([1.0, 0.0]), np.array([disagreement, 1 - disagreement])
    else:
        only = (disagreement + gain) / 2, (disagreement - gain) / 2
        values, shares = np.array([1.0, -1.0, 0.0]), np.array([*only, 1 - disagreement])
    around = abs(clause.n or clause.d) * (values - (shares * values).sum())
    variance, fourth = float((shares * around**2).sum()), float((shares * around**4).sum())
    return Spread(error=math.sqrt(variance), df=math.inf, uncertain=fourth / variance**2 - 1 if variance else 0.0)


def _by_rows(clause: Clause, case: Case) -> Ask:
    """A sum of several shares, or a single one, by its mean over rows: what was seen is supposed to be true."""
    level = case.scheduled_confidence if clause.is_scheduled else case.confidence
    spread = _seen(clause, case, None)
    value = float(case.split().scored_by("challenger").mean(_values(clause, case))[0])
    side, alpha = (1.0 if clause.greater else -1.0), 1 - level
    weight = clause.n + clause.o + clause.d if clause.only_variable and case.rows.plain else 0.0
    of_share = share_beyond(float(case.rows.n), alpha=alpha)

    def chance(truth: float, times: float) -> float:
        if weight:
            turned = side if weight > 0 else -side
            return of_share(min(max(truth / weight, 0.0), 1.0), clause.limit / weight, turned, times)
        return power_beyond(side * (truth - clause.limit), spread.error, spread.df, alpha=alpha, times=times)

    expression = clause.text.partition(">" if clause.greater else "<")[0].strip()
    most = max(clause.row_values) if clause.greater else min(clause.row_values)
    far = clause.limit + side * FAR * spread.error
    return Ask(
        level=level,
        truth=value,
        supposed=f"{expression} is {number(value)}, as in the pilot",
        chance=chance,
        shows=lambda truth: f"{expression} of {number(truth)}",
        least_times=enough_clusters(case),
        lowest=clause.limit,
        highest=min(far, most) if clause.greater else max(far, most),
    )
