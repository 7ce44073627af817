"""What a selftest found: counts of verdicts, rates with intervals, and what is wrong with the policy in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lockgate.gates.records.outcome import Ruling, Verdict
from lockgate.gates.stats.proportions import wilson

LEVEL = 0.975
"""One-sided level of each bound of a rate: its interval is one of 95%."""

NOT_PASSED = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many of so many, with Wilson's interval."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """NaN of none."""
        return self.count / self.of if self.of else float("nan")

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's 95% interval; (NaN, NaN) of none."""
        low, high = wilson(np.array([float(self.count)]), np.array([float(self.of)]), level=LEVEL)
        return float(low[0]), float(high[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a selftest knows of one gate."""

    name: str
    severity: str
    asks_for_gain: bool
    verdicts: Mapping[str, int]  # over all trials
    moved: bool  # its observed value, or its verdict, differed between trials
    problem: str  # one message of an ERROR; empty without any

    @property
    def only(self) -> frozenset[str]:
        """The verdicts that it ever gave."""
        return frozenset(name for name, count in self.verdicts.items() if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A gate that was judged once, on the evidence as it is: it reads facts, which nothing that is planted reaches."""

    name: str
    severity: str
    verdict: str
    message: str

    @property
    def blocks(self) -> bool:
        """Whether nothing is promoted on evidence with these facts."""
        return self.severity == "block" and self.verdict in NOT_PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Repeated judgements of one thing that was planted."""

    kind: str  # equal, seeds, gain, or the name of a regression
    planted: str  # in words
    size: float
    gain: float | None  # mean gain of the challenger over the trials, positive is better; None where undefined
    largest: float | None  # the largest |gain| among them
    rulings: Mapping[str, int]
    gates: Mapping[str, Mapping[str, int]]  # name → verdict → how often

    @property
    def n(self) -> int:
        return sum(self.rulings.values())

    @property
    def promoted(self) -> Rate:
        return Rate(count=self.rulings.get(Ruling.PROMOTE, 0), of=self.n)

    @property
    def detected(self) -> Rate:
        """Not promoted."""
        return Rate(count=self.n - self.promoted.count, of=self.n)

    @property
    def held(self) -> Rate:
        """HOLD, or ERROR: not promoted because something was shown, not for want of proof."""
        return Rate(count=self.rulings.get(Ruling.HOLD, 0) + self.rulings.get(Ruling.ERROR, 0), of=self.n)

    def failed(self, name: str) -> Rate:
        """How often a gate said FAIL or ERROR."""
        said = self.gates[name]
        return Rate(count=said.get(Verdict.FAIL, 0) + said.get(Verdict.ERROR, 0), of=self.n)

    def stopped(self, name: str) -> Rate:
        """How often a gate said anything but PASS or SKIP."""
        return Rate(count=sum(self.gates[name].get(one, 0) for one in NOT_PASSED), of=self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    """Everything that was tried, and what follows.

    `promised` is the error rate of one look that asks for a gain; None where no blocking gate asks for one.
    `problems` are what makes the policy unfit, `warnings` what its owner should know.
    """

    rows: int
    clusters: int | None
    metric: str  # what gains are counted in
    promised: float | None
    equal: Trials
    seeds: Trials | None  # ordered pairs of models that differ in the seed only
    gains: tuple[Trials, ...]
    regressions: tuple[Trials, ...]
    hidden: tuple[Trials, ...]  # regressions of a challenger that is better on the whole
    gates: tuple[Gate, ...]
    once: tuple[Once, ...]
    left_out: tuple[str, ...]  # gates that judge the run, not the rows
    summary: str  # what the gates can tell apart on this holdout, in a sentence
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> Literal["ok", "warnings", "unfit"]:
        """Unfit where there are problems."""
        if self.problems:
            return "unfit"
        return "warnings" if self.warnings else "ok"

    @property
    def fit(self) -> bool:
        """Whether the gates can pass, can fail, and promote no more equal models than they promise."""
        return not self.problems

    @property
    def all_trials(self) -> tuple[Trials, ...]:
        seeds = (self.seeds,) if self.seeds else ()
        return (*seeds, self.equal, *self.gains, *self.regressions, *self.hidden)
