from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Decide, MetricName, Reads
from lockgate.gates.gate.limits import compare_with_limits
from lockgate.gates.records.numbers import format_estimate
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.strictness import Category, higher, lower


class Threshold(Check):
    """The challenger's metric lies within fixed limits.

        auc_floor: {kind: threshold, metric: auc, min: 0.60, decide: bound}

    | key | |
    |---|---|
    | `metric` | any metric of the task |
    | `min`, `max` | the limits, in the metric's units; one of them or both; a value on the limit meets it |
    | `decide` | `bound`: the whole interval must lie within the limits; `point`: the value alone decides |

    PASS when shown to lie within, FAIL when shown to lie outside, INCONCLUSIVE when the interval straddles a
    limit or there are fewer clusters than `min_clusters`. Needs no champion.
    """

    reads: ClassVar[Reads] = Reads.CHALLENGER
    example: ClassVar[Mapping[str, Any]] = {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}

    kind: Literal["threshold"]
    metric: MetricName
    min: Annotated[float | None, higher(Category.FLOOR)] = None
    max: Annotated[float | None, lower(Category.FLOOR)] = None
    decide: Decide

    @model_validator(mode="after")
    def _has_limits(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("limits", "neither min nor max is given; expected one of them or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("limits", "min is above max; expected min <= max")
        return self

    @property
    def rule(self) -> str:
        minimum = [f"{self.metric} >= {self.min:.12g}"] if self.min is not None else []
        maximum = [f"{self.metric} <= {self.max:.12g}"] if self.max is not None else []
        return " and ".join(minimum + maximum) + f" ({self.decide})"

    def judge(self, name: str, case: Case) -> Outcome:
        estimate = case.estimate(self.metric)
        bounds = estimate.bounds(case.confidence)
        verdict = compare_with_limits(estimate.value, bounds, minimum=self.min, maximum=self.max, decide=self.decide)
        message = f"{self.metric} is {format_estimate(estimate.value, bounds)}; asked: {self.rule}"
        shortfall = case.explain_shortfall(estimate.information, case.metric(self.metric))
        if self.decide == "bound" and shortfall:
            verdict, message = Verdict.INCONCLUSIVE, f"{message}; {shortfall}"
        elif verdict is Verdict.INCONCLUSIVE:
            message += "; the interval straddles the limit: more rows or clusters would narrow it"
        return self.outcome(
            name,
            verdict,
            message,
            case,
            metric=self.metric,
            observed=estimate.value,
            bounds=bounds,
            level=case.confidence,
            information=estimate.information,
        )
