from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gates.case import Case, metric_for
from gates.errors import UnjudgeableError
from gates.kinds.check import Check, Decide
from gates.kinds.limits import against, interval, show
from gates.metrics.estimate import Estimate, estimate
from gates.metrics.metric import Floats, Linear, Metric, mean_of
from gates.outcome import Outcome, Verdict


class Calibration(Check):
    """The challenger's probabilities are about as high as the outcomes are frequent.

        calibrated: {kind: calibration, measure: gap, max: 0.10, decide: point}

    | key | |
    |---|---|
    | `measure` | `gap`: mean score − mean label, judged by its size, in the label's unit; `ece`: expected calibration error over 15 equal-width bins, binary only |
    | `max` | the largest size that passes; a value on the limit meets it |
    | `decide` | `bound`: the whole interval must lie within −max … max; `point`: the value alone decides |

    The gap is the mean prediction against the mean outcome, also for regression. Needs no champion.
    """  # noqa: E501 (a table row)

    kind: Literal["calibration"]
    measure: Literal["gap", "ece"]
    max: Annotated[float, Field(gt=0)]
    decide: Decide

    @property
    def rule(self) -> str:
        return f"|{self.measure}| <= {self.max:.12g} ({self.decide})"

    def judge(self, name: str, case: Case) -> Outcome:
        found = self._found(case)
        bounds = found.bounds(case.confidence)
        verdict = against(found.value, bounds, least=-self.max, most=self.max, decide=self.decide)
        message = f"{self.measure} is {show(found.value)} ({interval(bounds)}); asked: {self.rule}"
        if self.decide == "bound" and case.few_clusters:
            verdict, message = Verdict.INCONCLUSIVE, f"{message}; {case.few_clusters}"
        return Outcome(
            name=name, kind=self.kind, severity=self.severity, verdict=verdict, metric=self.measure,
            observed=found.value, low=bounds and bounds[0], high=bounds and bounds[1], level=case.confidence,
            rule=self.rule, rows=case.rows.n, clusters=case.rows.clusters, message=message,
        )  # fmt: skip

    def _found(self, case: Case) -> Estimate:
        if self.measure == "ece":
            return estimate(metric_for("ece", case.rows, case.evidence.task), case.rows)
        if case.rows.n == 0:
            raise UnjudgeableError("there are no rows", expected="at least one scored row")
        return estimate(GAP, case.rows)


def gap(label: Floats, score: Floats, weight: Floats | None) -> Linear:
    """Mean score − mean label."""
    return mean_of(score - label, weight)


GAP = Metric(
    name="gap", task="binary", higher_is_better=False, low=float("-inf"), high=float("inf"), unit="the label's",
    method="mean", linearise=gap,
)  # fmt: skip
