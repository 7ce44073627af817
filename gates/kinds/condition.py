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
from lockgate.gates.gate.limits import copy_numbers, judge_gain
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.kinds.condition_language import Clause, parse_condition
from lockgate.gates.kinds.disagreement import Disagreement
from lockgate.gates.kinds.improvement import Improvement
from lockgate.gates.kinds.threshold import Threshold
from lockgate.gates.metrics.classification import decide
from lockgate.gates.metrics.estimate import Estimate, estimate_hits, estimate_linear
from lockgate.gates.metrics.metric import Hits
from lockgate.gates.records.numbers import format_estimate, format_number, format_times
from lockgate.gates.records.outcome import Outcome, Verdict, summarise_parts, worst_verdict
from lockgate.gates.stats.scored import TOLERANCE, Floats, Linear
from lockgate.gates.strictness import Category, Direction, Finding, Place, make_finding

_DECIDED_TASKS = ("binary", "multiclass")
_Coefficients = tuple[float, float, float]


class ClauseRule:
    """The rule of a condition: another clause, a higher limit or a narrower interval is stricter.

    Clauses are scaled so that each reads `sum > limit`: `d < 0.1` becomes `-d > -0.1`.
    """

    def compare(self, before: str, after: str, place: Place) -> Iterator[Finding]:
        old, new = _clauses_by_sum(before), _clauses_by_sum(after)
        for key, clause in old.items():
            if key not in new:
                yield make_finding(Category.GATES, Direction.WEAKER, place.where, clause.text, None)
                continue
            for category, change in _compare_clauses(clause, new[key]):
                direction = Direction.TIGHTER if change > 0 else Direction.WEAKER
                yield make_finding(category, direction, place.where, clause.text, new[key].text)
        for key, clause in new.items():
            if key not in old:
                yield make_finding(Category.GATES, Direction.TIGHTER, place.where, None, clause.text)


def _clauses_by_sum(condition: str) -> dict[_Coefficients, Clause]:
    clauses = {}
    for clause in parse_condition(condition):
        scale = _scale(clause)
        clauses[clause.n / scale, clause.o / scale, clause.d / scale] = clause
    return clauses


def _scale(clause: Clause) -> float:
    return max(abs(clause.n), abs(clause.o), abs(clause.d)) * (1.0 if clause.greater else -1.0)


def _compare_clauses(old: Clause, new: Clause) -> Iterator[tuple[Category, float]]:
    """What changed between two clauses with the same sum, and by how much; above 0 is stricter."""
    category = Category.MARGIN if old.n and old.o else Category.FLOOR
    limit = new.limit / _scale(new) - old.limit / _scale(old)
    within = old.within / abs(_scale(old)) - new.within / abs(_scale(new))
    yield from ((category, change) for change in (limit,) if change)
    yield from ((Category.ROWS, change) for change in (within,) if change)


def _check_parses(text: str) -> str:
    parse_condition(text)
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

    The number after `+/-` limits the interval's half-width. A clause with a wider interval cannot pass: it is
    INCONCLUSIVE, and says how many times as many rows it takes. Each clause is one of the outcome's `parts`. The gate
    is as bad as its worst clause: all must hold, so none needs a correction. A clause with `o` or `d` is SKIP while
    there is no champion. A clause that asks for a gain, such as `n - o > 0`, is a scheduled look, as in `improvement`.
    For tasks binary and multiclass.
    """  # noqa: E501 (a table row)

    reads: ClassVar[Reads] = Reads.BOTH_MODELS
    part_noun: ClassVar[str] = "clause"
    example: ClassVar[Mapping[str, Any]] = {"kind": "condition", "condition": "n - o > 0 +/- 0.1 /\\ d < 0.9 +/- 0.1"}

    kind: Literal["condition"]
    condition: Annotated[Text, AfterValidator(_check_parses), ClauseRule()]

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses, all of which must hold."""
        return parse_condition(self.condition)

    @property
    def is_scheduled(self) -> bool:
        return any(clause.is_scheduled for clause in self.clauses)

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return ("accuracy",) if any(clause.n and clause.o for clause in self.clauses) else ()

    @property
    def rule(self) -> str:
        return " /\\ ".join(clause.text for clause in self.clauses)

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        if table.task in _DECIDED_TASKS:
            return {}
        return {"kind": f"a condition is not defined for {table.task}; expected task {' or '.join(_DECIDED_TASKS)}"}

    def judge(self, name: str, case: Case) -> Outcome:
        if case.evidence.task not in _DECIDED_TASKS:
            raise UnjudgeableError(
                f"a condition is not defined for {case.evidence.task}", expected=f"task {' or '.join(_DECIDED_TASKS)}"
            )
        parts = tuple(self._part(clause, case) for clause in self.clauses)
        verdict = worst_verdict([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{summarise_parts(parts, self.part_noun)}; {decisive.name!r}: {decisive.message}",
            case,
            parts=parts,
            **copy_numbers(decisive),
        )

    def _part(self, clause: Clause, case: Case) -> Outcome:
        if clause.compares and case.no_champion:
            return self.outcome(clause.text, *case.absence, case)
        try:
            outcome = self._judge_clause(clause, case)
        except UnjudgeableError as err:
            return self.outcome(clause.text, Verdict.ERROR, str(err), case)
        same = {"kind": self.kind, "severity": self.severity, "rule": clause.text}
        return _need_narrow(outcome.model_copy(update=same), clause)

    def _judge_clause(self, clause: Clause, case: Case) -> Outcome:
        kind = equivalent_gate(clause)
        return self._judge_by_rows(clause, case) if kind is None else kind.judge(clause.text, case)

    def _judge_by_rows(self, clause: Clause, case: Case) -> Outcome:
        level = case.scheduled_confidence if clause.is_scheduled else case.confidence
        estimate = estimate_mean(clause, case)
        bounds = estimate.bounds(level)
        turned, limit = bounds, clause.limit
        if not clause.greater:
            turned, limit = bounds and (-bounds[1], -bounds[0]), -limit
        verdict, note = judge_gain(turned, limit), ""
        if shortfall := case.explain_shortfall(estimate.information):
            verdict, note = Verdict.INCONCLUSIVE, f"; {shortfall}"
        elif verdict is Verdict.PASS and clause.is_scheduled and case.spent:
            verdict, note = Verdict.INCONCLUSIVE, f"; {case.spent}"
        elif verdict is Verdict.INCONCLUSIVE:
            note = "; the interval straddles the limit: more rows or clusters would narrow it"
        observation = f"{re.split('[<>]', clause.text)[0].strip()} is {format_estimate(estimate.value, bounds)}"
        return self.outcome(
            clause.text,
            verdict,
            f"{observation}; asked: {clause.text}{note}",
            case,
            observed=estimate.value,
            bounds=bounds,
            level=level,
            information=estimate.information,
        )


def equivalent_gate(clause: Clause) -> Threshold | Improvement | Disagreement | None:
    """The gate of another kind that asks the same as the clause; None where there is none."""
    upward = clause.greater == ((clause.n or clause.d) > 0)
    if clause.only_variable == "n" and clause.limit != 0:
        limit = clause.limit / clause.n
        low, high = (limit, None) if upward else (None, limit)
        return Threshold(kind="threshold", metric="accuracy", min=low, max=high, decide="bound")
    if clause.n == -clause.o and clause.d == 0 and upward:
        return Improvement(kind="improvement", metric="accuracy", margin=clause.limit / clause.n)
    if clause.only_variable == "d" and not upward:
        return Disagreement(kind="disagreement", max=clause.limit / clause.d, decide="bound")
    return None


def _need_narrow(outcome: Outcome, clause: Clause) -> Outcome:
    """The outcome; INCONCLUSIVE instead of PASS where the interval is wider than the clause allows."""
    bounds = copy_numbers(outcome)["bounds"]
    if bounds is None or outcome.verdict in (Verdict.ERROR, Verdict.SKIP, Verdict.FAIL):
        return outcome
    scale = (
        abs(clause.n or clause.d) if outcome.metric else 1.0
    )  # gates of other kinds are judged without the clause's factor
    half, allowed = (bounds[1] - bounds[0]) / 2, clause.within / scale
    if half <= allowed + TOLERANCE:
        return outcome
    wide = (
        f"; the interval's half-width is {format_number(half)}, at most {format_number(allowed)} is asked: "
        f"{format_times((half / allowed) ** 2)} the rows or clusters are needed"
    )
    return outcome.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "message": outcome.message + wide})


def estimate_mean(clause: Clause, case: Case) -> Estimate:
    """The clause's sum, a mean over rows: a single share by Wilson's interval (t with clusters), a sum by Student's t.

    Where all rows (or clusters) give the same sum there is no error to estimate. From m alike it follows, at level
    1 − α, that at most a share 1 − α^(1/m) of all others differs; the bounds are what that share could change.
    """
    new, old, differs = row_indicators(clause, case)
    split = case.split()
    if clause.only_variable:
        weight = {"n": clause.n, "o": clause.o, "d": clause.d}[clause.only_variable]
        share = {"n": new, "o": old, "d": differs}[clause.only_variable]
        return _scale_estimate(weight, estimate_hits(Hits(share), split).of_group())
    values = clause.n * new + clause.o * old + clause.d * differs
    mean = split.scored_by("challenger").mean(values)
    low, high = min(clause.row_values), max(clause.row_values)
    estimate = estimate_linear(Linear(mean, values - mean), split).of_group()
    alike = float((split.n if split.clusters is None else split.clusters)[0])

    def bounds(level: float) -> tuple[float, float] | None:
        plain = estimate.bounds(level)
        if plain is None:
            return None
        if plain[1] - plain[0] > TOLERANCE:
            return max(low, plain[0]), min(high, plain[1])
        unlike = 1 - (1 - level) ** (1 / alike)
        return estimate.value - unlike * (estimate.value - low), estimate.value + unlike * (high - estimate.value)

    return replace(estimate, bounds=bounds)


def _scale_estimate(weight: float, estimate: Estimate) -> Estimate:
    def bounds(level: float) -> tuple[float, float] | None:
        unscaled = estimate.bounds(level)
        if unscaled is None:
            return None
        low, high = sorted((weight * unscaled[0], weight * unscaled[1]))
        return low, high

    return Estimate(value=weight * estimate.value, bounds=bounds, information=estimate.information)


def row_indicators(clause: Clause, case: Case) -> tuple[Floats, Floats, Floats]:
    """0 or 1 for each row, (n,) each: the challenger is right, the champion is right, they decide differently."""
    rows = case.rows
    if clause.compares:
        need_champion(case)
    ours = decide(rows.challenger)
    theirs = ours if rows.champion is None else decide(rows.champion)  # a clause of n alone needs no champion
    return _as_floats(ours == rows.label), _as_floats(theirs == rows.label), _as_floats(ours != theirs)


def _as_floats(where: NDArray[np.bool_]) -> Floats:
    return np.where(where, 1.0, 0.0)
