from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.gate.check import Check, Reads, Text
from lockgate.gates.gate.limits import gained, interval, numbers, show
from lockgate.gates.kinds.condition_language import Clause, parse
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics.classification import decided
from lockgate.gates.metrics.estimate import Estimate, of_hits, of_linear
from lockgate.gates.metrics.metric import Hits
from lockgate.gates.records.outcome import Outcome, Verdict, tally, worst
from lockgate.gates.stats.scored import TOLERANCE, Floats, Linear
from lockgate.gates.strictness import Category, Direction, Finding, Place, finding

_Bounds = tuple[float, float, float]


class Clauses:
    """The rule of a condition: a clause more is stricter, and so is a higher limit or a narrower interval.

    Clauses are scaled so that each says `sum > limit`: `d < 0.1` is `-d > -0.1`.
    """

    def compare(self, before: str, after: str, place: Place) -> Iterator[Finding]:
        old, new = _by_sum(before), _by_sum(after)
        for asked, clause in old.items():
            if asked not in new:
                yield finding(Category.GATES, Direction.WEAKER, place.where, clause.text, None)
                continue
            for category, change in _changes(clause, new[asked]):
                direction = Direction.TIGHTER if change > 0 else Direction.WEAKER
                yield finding(category, direction, place.where, clause.text, new[asked].text)
        for asked, clause in new.items():
            if asked not in old:
                yield finding(Category.GATES, Direction.TIGHTER, place.where, None, clause.text)


def _by_sum(condition: str) -> dict[_Bounds, Clause]:
    found = {}
    for clause in parse(condition):
        scale = _scale(clause)
        found[clause.n / scale, clause.o / scale, clause.d / scale] = clause
    return found


def _scale(clause: Clause) -> float:
    return max(abs(clause.n), abs(clause.o), abs(clause.d)) * (1.0 if clause.greater else -1.0)


def _changes(old: Clause, new: Clause) -> Iterator[tuple[Category, float]]:
    """What of a clause changed, above 0 where it is stricter."""
    category = Category.MARGIN if old.n and old.o else Category.FLOOR
    limit = new.limit / _scale(new) - old.limit / _scale(old)
    within = old.within / abs(_scale(old)) - new.within / abs(_scale(new))
    yield from ((category, change) for change in (limit,) if change)
    yield from ((Category.ROWS, change) for change in (within,) if change)


def _parses(text: str) -> str:
    parse(text)
    return text


class Condition(Check):
    r"""Accuracies of the new and the old model, and how often they decide differently, in the language of ease.ml/ci.

        ahead: {kind: condition, condition: 'n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01'}

    | key | |
    |---|---|
    | `condition` | clauses `EXPRESSION > NUMBER +/- NUMBER`, or with `<`, joined by `/\`; an expression adds and subtracts the variables below, each with a factor or without: `n - 1.1 * o` |

    The variables are `n`, accuracy of the challenger; `o`, accuracy of the champion; `d`, the share of rows on which
    they decide differently. Every clause must be shown, by its interval, clustered where the evidence has clusters:
    `n > c` as in `threshold`, `n - o > c` as in `improvement` (strict at 0), anything else by the mean over rows.

    What follows `+/-` is asked as well: where the interval's half-width is more, the clause cannot pass. It is
    INCONCLUSIVE then, and says how many times the rows it would take. Every clause is one of the gate's `parts`, and
    the gate is as bad as its worst clause: all must hold, so none needs a correction. A clause with `o` or `d` is
    SKIP while there is no champion. A clause that asks for a gain, such as `n - o > 0`, is a scheduled look, as in
    `improvement`.
    For tasks binary and multiclass.
    """  # noqa: E501 (a table row)

    reads: ClassVar[Reads] = Reads.BOTH_MODELS
    part_noun: ClassVar[str] = "clause"
    example: ClassVar[Mapping[str, Any]] = {"kind": "condition", "condition": "n - o > 0 +/- 0.1 /\\ d < 0.9 +/- 0.1"}

    kind: Literal["condition"]
    condition: Annotated[Text, AfterValidator(_parses), Clauses()]

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """What must hold, each of them."""
        return parse(self.condition)

    @property
    def scheduled(self) -> bool:
        return any(clause.scheduled for clause in self.clauses)

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return ("accuracy",) if any(clause.n and clause.o for clause in self.clauses) else ()

    @property
    def rule(self) -> str:
        return " /\\ ".join(clause.text for clause in self.clauses)

    def judge(self, name: str, case: Case) -> Outcome:
        if case.evidence.task not in ("binary", "multiclass"):
            raise UnjudgeableError(
                f"a condition is not defined for {case.evidence.task}", expected="task binary or multiclass"
            )
        parts = tuple(self._part(clause, case) for clause in self.clauses)
        verdict = worst([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{tally(parts, self.part_noun)}; {decisive.name!r}: {decisive.message}",
            case,
            parts=parts,
            **numbers(decisive),
        )

    def _part(self, clause: Clause, case: Case) -> Outcome:
        if clause.compares and case.no_champion:
            return self.outcome(clause.text, *case.absence, case)
        try:
            found = self._judged(clause, case)
        except UnjudgeableError as err:
            return self.outcome(clause.text, Verdict.ERROR, str(err), case)
        same = {"kind": self.kind, "severity": self.severity, "rule": clause.text}
        return _if_narrow(found.model_copy(update=same), clause)

    def _judged(self, clause: Clause, case: Case) -> Outcome:
        kind = as_kind(clause)
        return self._by_rows(clause, case) if kind is None else kind.judge(clause.text, case)

    def _by_rows(self, clause: Clause, case: Case) -> Outcome:
        level = case.scheduled_confidence if clause.scheduled else case.confidence
        found = mean_over_rows(clause, case)
        bounds = found.bounds(level)
        turned, limit = bounds, clause.limit
        if not clause.greater:
            turned, limit = bounds and (-bounds[1], -bounds[0]), -limit
        verdict, note = gained(turned, limit), ""
        if case.few_clusters:
            verdict, note = Verdict.INCONCLUSIVE, f"; {case.few_clusters}"
        elif verdict is Verdict.PASS and clause.scheduled and case.spent:
            verdict, note = Verdict.INCONCLUSIVE, f"; {case.spent}"
        elif verdict is Verdict.INCONCLUSIVE:
            note = "; the interval straddles the limit: more rows or clusters would narrow it"
        seen = f"{re.split('[<>]', clause.text)[0].strip()} is {show(found.value)}"
        return self.outcome(
            clause.text,
            verdict,
            f"{seen} ({interval(bounds)}); asked: {clause.text}{note}",
            case,
            observed=found.value,
            bounds=bounds,
            level=level,
        )


def as_kind(clause: Clause) -> Threshold | Improvement | Disagreement | None:
    """The gate that asks what the clause asks, where there is one."""
    upward = clause.greater == ((clause.n or clause.d) > 0)
    if clause.only == "n" and clause.limit != 0:
        limit = clause.limit / clause.n
        low, high = (limit, None) if upward else (None, limit)
        return Threshold(kind="threshold", metric="accuracy", min=low, max=high, decide="bound")
    if clause.n == -clause.o and clause.d == 0 and upward:
        return Improvement(kind="improvement", metric="accuracy", margin=clause.limit / clause.n)
    if clause.only == "d" and not upward:
        return Disagreement(kind="disagreement", max=clause.limit / clause.d, decide="bound")
    return None


def _if_narrow(found: Outcome, clause: Clause) -> Outcome:
    """INCONCLUSIVE where the interval is wider than the clause allows; what is shown to be false stays so."""
    bounds = numbers(found)["bounds"]
    if bounds is None or found.verdict in (Verdict.ERROR, Verdict.SKIP, Verdict.FAIL):
        return found
    scale = abs(clause.n or clause.d) if found.metric else 1.0  # the other kinds know no factor
    half, asked = (bounds[1] - bounds[0]) / 2, clause.within / scale
    if half <= asked + TOLERANCE:
        return found
    wide = (
        f"; the interval's half-width is {show(half)}, at most {show(asked)} is asked: "
        f"about {(half / asked) ** 2:.1f} times the rows or clusters are needed"
    )
    return found.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "message": found.message + wide})


def mean_over_rows(clause: Clause, case: Case) -> Estimate:
    """The clause's sum, a mean over rows: a single share as shares are (Wilson without clusters), else by Student's t.

    Where no rows (or clusters) differ in a sum of several there is no error to estimate. With m of them alike, at
    level 1 − α at most 1 − α^(1/m) of all others are unlike them, and the bounds are what those could make of it.
    """
    new, old, differs = of_rows(clause, case)
    split = case.split()
    if clause.only:
        weight = {"n": clause.n, "o": clause.o, "d": clause.d}[clause.only]
        share = {"n": new, "o": old, "d": differs}[clause.only]
        return _times(weight, of_hits(Hits(share), split).one())
    values = clause.n * new + clause.o * old + clause.d * differs
    mean = split.scored("challenger").mean(values)
    low, high = min(clause.row_values), max(clause.row_values)
    found = of_linear(Linear(mean, values - mean), split).one()
    alike = float((split.n if split.clusters is None else split.clusters)[0])

    def bounds(level: float) -> tuple[float, float] | None:
        held = found.bounds(level)
        if held is None:
            return None
        if held[1] - held[0] > TOLERANCE:
            return max(low, held[0]), min(high, held[1])
        unlike = 1 - (1 - level) ** (1 / alike)
        return found.value - unlike * (found.value - low), found.value + unlike * (high - found.value)

    return replace(found, bounds=bounds)


def _times(weight: float, found: Estimate) -> Estimate:
    def bounds(level: float) -> tuple[float, float] | None:
        held = found.bounds(level)
        if held is None:
            return None
        low, high = sorted((weight * held[0], weight * held[1]))
        return low, high

    return Estimate(value=weight * found.value, bounds=bounds)


def of_rows(clause: Clause, case: Case) -> tuple[Floats, Floats, Floats]:
    """Of each row, 0 or 1: the challenger is right, the champion is right, they decide differently."""
    rows = case.rows
    if clause.compares:
        need_champion(case)
    ours = decided(rows.challenger)
    theirs = ours if rows.champion is None else decided(rows.champion)  # a clause of n alone asks nothing of it
    return _ones(ours == rows.label), _ones(theirs == rows.label), _ones(ours != theirs)


def _ones(where: NDArray[np.bool_]) -> Floats:
    return np.where(where, 1.0, 0.0)
