"""What a selftest found: counts of verdicts, rates with intervals, and what is wrong with the policy in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lockgate.gates.records.outcome import Ruling, Verdict
from lockgate.gates.selftest.drawn import Drawn, Sign
from lockgate.gates.selftest.rates import Rate

STOPPING = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE)
"""Verdicts with which a blocking gate keeps a challenger from being promoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate over all trials."""

    name: str
    severity: str
    asks_for_gain: bool
    verdicts: Mapping[str, int]  # over all trials
    moved: bool  # its observed value or its verdict differed between trials
    problem: str  # one message of an ERROR; empty without any

    @property
    def only(self) -> frozenset[str]:
        """The verdicts that it gave at least once."""
        return frozenset(name for name, count in self.verdicts.items() if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOnce:
    """A gate that was judged once, on the evidence as it is, because it reads facts, which no plant changes."""

    name: str
    severity: str
    verdict: str
    message: str

    @property
    def blocks(self) -> bool:
        """Whether the gate keeps everything from being promoted on evidence with these facts."""
        return self.severity == "block" and self.verdict in STOPPING


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Repeated judgements of one planted change."""

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
    def promotion_rate(self) -> Rate:
        return Rate(count=self.rulings.get(Ruling.PROMOTE, 0), total=self.n)

    @property
    def detection_rate(self) -> Rate:
        """How often the challenger was not promoted."""
        return Rate(count=self.n - self.promotion_rate.count, total=self.n)

    @property
    def hold_rate(self) -> Rate:
        """How often the ruling was HOLD or ERROR: something wrong was shown, rather than nothing."""
        return Rate(count=self.rulings.get(Ruling.HOLD, 0) + self.rulings.get(Ruling.ERROR, 0), total=self.n)

    def fail_rate(self, name: str) -> Rate:
        """How often a gate said FAIL or ERROR."""
        counts = self.gates[name]
        return Rate(count=counts.get(Verdict.FAIL, 0) + counts.get(Verdict.ERROR, 0), total=self.n)

    def stop_rate(self, name: str) -> Rate:
        """How often a gate said anything but PASS or SKIP."""
        return Rate(count=sum(self.gates[name].get(verdict, 0) for verdict in STOPPING), total=self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest:
    """All trials, and what follows from them.

    `promised` is the error rate of one look; None where no blocking gate asks for a gain. `problems` make the policy
    unfit; `warnings` are what its owner should know.
    """

    rows: int
    clusters: int | None
    metric: str  # what gains are counted in
    promised: float | None
    equal: Trials
    drawn: tuple[Drawn, ...]  # equal models as they are; empty where no blocking gate asks for a gain
    signs: tuple[Sign, ...]  # that equal models may be promoted more often than promised
    seeds: Trials | None  # ordered pairs of models that differ in the seed only
    gains: tuple[Trials, ...]
    regressions: tuple[Trials, ...]
    hidden: tuple[Trials, ...]  # regressions of a challenger that is better on the whole
    gates: tuple[Gate, ...]
    once: tuple[JudgedOnce, ...]
    left_out: tuple[str, ...]  # gates that judge the run, not the rows
    undrawn: tuple[str, ...]  # gates of gains that holdouts drawn as they are say nothing of
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
    def swapped(self) -> tuple[str, str]:
        """What scores that are swapped keep of the evidence, and what they destroy."""
        if self.clusters is None:
            return "labels and slices; every gate is judged", "skew (differences become symmetric), whatever rows share"
        kept = "labels, slices, what rows share within clusters; every gate is judged"
        return kept, "skew (differences become symmetric), what clusters share with each other"

    @property
    def all_trials(self) -> tuple[Trials, ...]:
        seeds = (self.seeds,) if self.seeds else ()
        return (*seeds, self.equal, *self.gains, *self.regressions, *self.hidden)
