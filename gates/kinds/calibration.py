from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Decide, Reads
from lockgate.gates.gate.limits import compare_with_limits
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.metrics.estimate import Estimate, estimate_linear
from lockgate.gates.records.numbers import format_estimate
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.stats import recalibration
from lockgate.gates.stats.scored import Linear, Scored
from lockgate.gates.strictness import Category, Changed, lower

_CALIBRATED_TASKS = "task binary or regression"
Measure = Literal["gap", "ece", "intercept", "slope"]


class Calibration(Check):
    """The challenger's predictions are about as high as the outcomes.

        calibrated: {kind: calibration, measure: gap, max: 0.10, decide: point}

    | key | |
    |---|---|
    | `measure` | `gap`: mean score − mean label, in the label's unit; `ece`: expected calibration error over 15 equal-width bins; `intercept` and `slope`: of the recalibration, see below |
    | `max` | the largest distance from the ideal that passes; the ideal is 1 for the slope, 0 for the others |
    | `decide` | `bound`: the whole interval must lie within the limits; `point`: the value alone decides |

    For task binary, `intercept` is the a of logit P(label) = a + logit(score), above 0 where scores are too low, and
    `slope` the b of logit P(label) = a + b·logit(score), below 1 where they are too extreme. For regression they
    are mean label − mean prediction, and the slope of label on prediction. `ece` is for binary and multiclass.
    Needs no champion.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.CHALLENGER
    example: ClassVar[Mapping[str, Any]] = {"kind": "calibration", "measure": "gap", "max": 0.1, "decide": "bound"}

    kind: Literal["calibration"]
    measure: Annotated[Measure, Changed(Category.GATES, identity=True)]
    max: Annotated[float, Field(gt=0), lower(Category.FLOOR)]
    decide: Decide

    @property
    def ideal(self) -> float:
        """The value of a calibrated model."""
        return 1.0 if self.measure == "slope" else 0.0

    @property
    def rule(self) -> str:
        size = f"|{self.measure}{' - 1' if self.ideal else ''}|"
        return f"{size} <= {self.max:.12g} ({self.decide})"

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        if self.measure == "ece":
            problem = table.explain_metric("ece")
        else:
            fits = (table.task, self.measure) in CALIBRATION_MEASURES
            problem = "" if fits else f"{self.measure} is not defined for {table.task}; expected {_CALIBRATED_TASKS}"
        return {"measure": problem} if problem else {}

    def judge(self, name: str, case: Case) -> Outcome:
        estimate = case.estimate("ece") if self.measure == "ece" else self._estimate(case)
        bounds = estimate.bounds(case.confidence)
        verdict = compare_with_limits(
            estimate.value, bounds, minimum=self.ideal - self.max, maximum=self.ideal + self.max, decide=self.decide
        )
        message = f"{self.measure} is {format_estimate(estimate.value, bounds)}; asked: {self.rule}"
        shortfall = case.explain_shortfall(estimate.information)
        if self.decide == "bound" and shortfall:
            verdict, message = Verdict.INCONCLUSIVE, f"{message}; {shortfall}"
        return self.outcome(
            name,
            verdict,
            message,
            case,
            metric=self.measure,
            observed=estimate.value,
            bounds=bounds,
            level=case.confidence,
            information=estimate.information,
        )

    def _estimate(self, case: Case) -> Estimate:
        task = case.evidence.task
        if (task, self.measure) not in CALIBRATION_MEASURES:
            raise UnjudgeableError(f"{self.measure} is not defined for {task}", expected=_CALIBRATED_TASKS)
        split = case.split()
        estimate = estimate_linear(
            CALIBRATION_MEASURES[task, self.measure](split.scored_by("challenger")), split
        ).of_group()
        if not math.isfinite(estimate.value):
            raise UnjudgeableError(
                f"{self.measure} is undefined on these rows",
                expected="both labels, and scores that differ but do not separate them",
            )
        return estimate


def mean_gap(scored: Scored) -> Linear:
    """Mean score − mean label."""
    intercept = recalibration.linear_intercept(scored)
    return Linear(np.negative(intercept.value), np.negative(intercept.influence))


CALIBRATION_MEASURES: dict[tuple[str, str], Callable[[Scored], Linear]] = {
    ("binary", "gap"): mean_gap,
    ("binary", "intercept"): recalibration.logistic_intercept,
    ("binary", "slope"): recalibration.logistic_slope,
    ("regression", "gap"): mean_gap,
    ("regression", "intercept"): recalibration.linear_intercept,
    ("regression", "slope"): recalibration.linear_slope,
}
