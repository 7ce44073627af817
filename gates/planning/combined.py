"""Gates of several parts, as a probability of passing: all of them must pass, or one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, Union

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.planning.requirement import Requirement
from lockgate.gates.stats.sample_size import times_needed

ESTIMATED = (Reads.CHALLENGER, Reads.BOTH_MODELS)
"""Kinds that read scores decide by an interval or by the point; all others estimate nothing."""


def plan_any_of(check: AnyOf, case: Case, plan_gate: Callable[[Check, Case], Planned]) -> CombinedRequirement:
    """One check is enough. Those that decide by an interval share alpha.

    Where one of them asks for a gain, the level is that of a scheduled look: a plan assumes that there is a champion.
    """
    whole = replace(case, confidence=case.scheduled_confidence) if check.is_scheduled else case
    sharing = sum(
        alternative.reads in ESTIMATED and getattr(alternative, "decide", "") != "point"
        for alternative in check.checks.values()
    )
    shared = whole.share_error_rate(max(sharing, 1))
    parts = {
        name: Part(kind=alternative.kind, rule=alternative.rule, planned=plan_gate(alternative, shared))
        for name, alternative in check.checks.items()
    }
    return CombinedRequirement(parts=parts, any_suffices=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One clause, or one alternative."""

    kind: str
    rule: str
    planned: Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedRequirement:
    """What a gate of several parts requires: that all of them pass, or one of them."""

    parts: Mapping[str, Part]
    any_suffices: bool  # one part is enough, so that the gate passes at least as often as its best part

    @property
    def requirements(self) -> dict[str, Requirement | CombinedRequirement]:
        """The parts for which a truth is assumed."""
        results = {name: part.planned for name, part in self.parts.items()}
        return {
            name: result for name, result in results.items() if not isinstance(result, str) and result.has_assumption
        }

    @property
    def has_assumption(self) -> bool:
        return bool(self.requirements) and (self.any_suffices or len(self.requirements) == len(self.parts))

    @property
    def passes_unless(self) -> str:
        """Why it needs no rows, where it passes unless something is proven."""
        if not self.has_assumption:
            return ""
        reasons = [requirement.passes_unless for requirement in self.requirements.values()]
        return next(filter(None, reasons), "") if self.any_suffices or all(reasons) else ""

    @property
    def min_times(self) -> float:
        min_times = [requirement.min_times for requirement in self.requirements.values()] or [0.0]
        return min(min_times) if self.any_suffices else max(min_times)

    def chance_at(self, times: float) -> float | None:
        """A lower bound of the probability of PASS on `times` the sample; None where nothing is assumed."""
        if not self.has_assumption:
            return None
        requirements = list(self.requirements.values())
        return (
            max(requirement.chance_at(times) or 0.0 for requirement in requirements)
            if self.any_suffices
            else all_pass(requirements, times)
        )

    def times(self, power: float) -> float:
        """How many times the present sample it takes to pass with `power`; infinite where no size does."""
        if not self.has_assumption:
            return math.inf
        if self.any_suffices:
            return min(requirement.times(power) for requirement in self.requirements.values())
        return times_together(list(self.requirements.values()), power)

    def cheapest(self, power: float) -> str:
        """The alternative that needs the smallest sample; empty where none is known to pass."""
        times = {name: requirement.times(power) for name, requirement in self.requirements.items()}
        name = min(times, key=lambda name: times[name], default="")
        return name if name and math.isfinite(times[name]) else ""


Planned: TypeAlias = Union[Requirement, CombinedRequirement, str]  # noqa: UP007 (`|` with a text needs quotes)


def all_pass(asks: Sequence[Requirement | CombinedRequirement], times: float) -> float:
    """A lower bound of the probability that all pass: 1 minus each one's probability of not passing."""
    return max(0.0, 1 - sum(1 - (ask.chance_at(times) or 0.0) for ask in asks))


def times_together(asks: Sequence[Requirement | CombinedRequirement], power: float) -> float:
    """How many times the present sample it takes for all to pass together with `power`."""
    if not asks:
        return math.inf
    min_times = max(ask.min_times for ask in asks)
    return max(min_times, times_needed(lambda times: all_pass(asks, times), power))
