"""Gates of several parts, as a probability of passing: all of them must pass, or one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, Union

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.planning.ask import Ask
from lockgate.gates.stats.sample_size import times_needed

ESTIMATED = (Reads.CHALLENGER, Reads.BOTH_MODELS)
"""Kinds that read these decide by an interval, unless by the point; the others estimate nothing."""


def any_of(check: AnyOf, case: Case, of: Callable[[Check, Case], Asked]) -> Several:
    """One check is enough, at alpha over as many as decide by an interval.

    The level is that of a scheduled look where one of them asks for a gain: a plan supposes that there is a champion.
    """
    whole = replace(case, confidence=case.scheduled_confidence) if check.is_scheduled else case
    sharing = sum(one.reads in ESTIMATED and getattr(one, "decide", "") != "point" for one in check.checks.values())
    shared = whole.share_error_rate(max(sharing, 1))
    parts = {name: Part(kind=one.kind, rule=one.rule, asked=of(one, shared)) for name, one in check.checks.items()}
    return Several(parts=parts, one=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One clause, or one alternative; `asked` says in words why it is not planned where it is not."""

    kind: str
    rule: str
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """`one`: one part is enough, so that the gate passes as often as its best one at least; else all must pass."""

    parts: Mapping[str, Part]
    one: bool

    @property
    def known(self) -> dict[str, Ask | Several]:
        """The parts of which something is supposed."""
        held = {name: part.asked for name, part in self.parts.items()}
        return {name: asked for name, asked in held.items() if not isinstance(asked, str) and asked.supposes}

    @property
    def supposes(self) -> bool:
        return bool(self.known) and (self.one or len(self.known) == len(self.parts))

    @property
    def passes_unless(self) -> str:
        """Why it needs no rows, where it passes unless something is proven."""
        if not self.supposes:
            return ""
        said = [asked.passes_unless for asked in self.known.values()]
        return next(filter(None, said), "") if self.one or all(said) else ""

    @property
    def least_times(self) -> float:
        least = [asked.least_times for asked in self.known.values()] or [0.0]
        return min(least) if self.one else max(least)

    def chance_at(self, times: float) -> float | None:
        """A lower bound of the probability of PASS on so many times the sample; None where nothing is supposed."""
        if not self.supposes:
            return None
        asked = list(self.known.values())
        return max(one.chance_at(times) or 0.0 for one in asked) if self.one else all_pass(asked, times)

    def times(self, power: float) -> float:
        """How many times the present sample it takes to pass with `power`; infinite where none does."""
        if not self.supposes:
            return math.inf
        if self.one:
            return min(asked.times(power) for asked in self.known.values())
        return times_together(list(self.known.values()), power)

    def cheapest(self, power: float) -> str:
        """The alternative that needs the smallest sample; empty where none is known to pass."""
        times = {name: asked.times(power) for name, asked in self.known.items()}
        name = min(times, key=lambda name: times[name], default="")
        return name if name and math.isfinite(times[name]) else ""


Asked: TypeAlias = Union[Ask, Several, str]  # noqa: UP007 (Several is not defined yet where it is written `|`)


def all_pass(asks: Sequence[Ask | Several], times: float) -> float:
    """A lower bound of the probability that all pass: 1 less the probabilities that one does not."""
    return max(0.0, 1 - sum(1 - (ask.chance_at(times) or 0.0) for ask in asks))


def times_together(asks: Sequence[Ask | Several], power: float) -> float:
    """How many times the present sample makes all pass together with `power`."""
    if not asks:
        return math.inf
    least = max(ask.least_times for ask in asks)
    return max(least, times_needed(lambda times: all_pass(asks, times), power))
