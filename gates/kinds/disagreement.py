from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.task import Task
from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.gate.check import Check, Decide, Reads
from lockgate.gates.gate.limits import compare_with_limits
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.metrics.classification import decide
from lockgate.gates.metrics.estimate import estimate_hits
from lockgate.gates.metrics.metric import Hits
from lockgate.gates.records.numbers import format_fitting, format_interval
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.stats.scored import Floats
from lockgate.gates.strictness import Category, lower


class Disagreement(Check):
    """Challenger and champion decide differently on few rows.

        churn: {kind: disagreement, max: 0.05, decide: bound}

    | key | |
    |---|---|
    | `max` | the largest share of rows on which the decisions may differ, 0 … 1; a share on the limit passes |
    | `decide` | `bound`: the whole interval must lie below it; `point`: the share alone decides |
    | `beyond` | for regression and ranking, where it must be given: predictions further apart than this differ |

    The decision is `score >= 0.5` for task binary and the class with the highest probability for multiclass. Two models
    of the same accuracy can still decide differently on many rows, which surprises everyone who acts on the decisions.
    Clustered where the evidence has clusters. SKIP while there is no champion.
    """

    reads: ClassVar[Reads] = Reads.BOTH_MODELS
    example: ClassVar[Mapping[str, Any]] = {"kind": "disagreement", "max": 0.5, "decide": "bound"}

    kind: Literal["disagreement"]
    max: Annotated[float, Field(ge=0, lt=1), lower(Category.FLOOR)]
    decide: Decide
    beyond: Annotated[Annotated[float, Field(ge=0)] | None, lower(Category.FLOOR, absent="review")] = None

    @property
    def rule(self) -> str:
        return f"share of rows that change <= {self.max:.12g} ({self.decide})"

    def judge(self, name: str, case: Case) -> Outcome:
        if case.no_champion:
            return self.outcome(name, *case.absence, case)
        need_champion(case)
        estimate = estimate_hits(Hits(self.differs(case)), case.split()).of_group()
        bounds = estimate.bounds(case.confidence)
        verdict = compare_with_limits(estimate.value, bounds, minimum=None, maximum=self.max, decide=self.decide)
        observation = f"{format_fitting([estimate.value], bounds)[0]} of the rows change ({format_interval(bounds)})"
        message = f"{observation}; asked: at most {self.max:.12g}"
        shortfall = case.explain_shortfall(estimate.information)
        if self.decide == "bound" and shortfall:
            verdict, message = Verdict.INCONCLUSIVE, f"{message}; {shortfall}"
        return self.outcome(
            name,
            verdict,
            message,
            case,
            metric="disagreement",
            observed=estimate.value,
            bounds=bounds,
            level=case.confidence,
            information=estimate.information,
        )

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        problem, expected = self._explain_task(table.task)
        return {"beyond": f"{problem}; expected {expected}"} if problem else {}

    def differs(self, case: Case) -> Floats:
        """1 for each row that changes, else 0 (n,). Raises UnjudgeableError where that is not defined."""
        ours, theirs = case.rows.challenger, case.rows.champion
        problem, expected = self._explain_task(case.evidence.task)
        if theirs is None or problem:
            raise UnjudgeableError(problem or "there is no champion", expected=expected)
        differ = decide(ours) != decide(theirs) if self.beyond is None else np.abs(ours - theirs) > self.beyond
        return np.where(differ, 1.0, 0.0)

    def _explain_task(self, task: Task) -> tuple[str, str]:
        """Why `beyond` does not go with the task, and what would; both empty where it does."""
        decides = task in ("binary", "multiclass")
        if decides == (self.beyond is None):
            return "", ""
        if decides:
            return f"task {task} decides by itself", "no `beyond`"
        return f"task {task} has no decisions", "`beyond`: how far apart predictions must be to differ"
