from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gates.case import NO_CHAMPION, Case, few_clusters, metric_for, need_champion
from gates.errors import UnjudgeableError
from gates.kinds.check import MOST, Check, MetricName, Text
from gates.kinds.improvement import gain_bounds, said
from gates.kinds.limits import Bounds, gained
from gates.metrics import METRICS
from gates.metrics.estimate import Difference, Rows, difference
from gates.metrics.metric import Metric
from gates.outcome import SEVERITY_ORDER, TOLERANCE, Outcome, Verdict, worst
from gates.stats.multiplicity import holm


class Slices(Check):
    """No slice of the holdout loses more than a margin to the champion.

        carriers: {kind: slices, by: carrier, metric: log_loss, margin: -0.02, require: no_proven_harm, min_rows: 200, small_slice: skip}

    | key | |
    |---|---|
    | `by` | a slice column of the evidence |
    | `metric`, `margin` | as in `improvement` |
    | `require` | `no_proven_harm`: no slice is shown to be worse than the margin, Holm's correction over slices; `non_inferior`: every slice is shown to keep the margin, without correction |
    | `min_rows` | a slice with fewer rows is small |
    | `small_slice` | what a small slice counts as: `inconclusive`, `skip` (recorded), `block` |
    | `values` | optional: slices that must be there; an absent one is an ERROR |
    | `optional_values` | optional: of those, the ones that may be absent |

    The gate is as bad as its worst slice, and every slice is one of its `parts`. It is SKIP when every slice is.
    """  # noqa: E501 (table rows)

    kind: Literal["slices"]
    by: Annotated[Text, Field(min_length=1)]
    metric: MetricName
    margin: float
    require: Literal["no_proven_harm", "non_inferior"]
    min_rows: Annotated[int, Field(ge=1, le=MOST)]
    small_slice: Literal["inconclusive", "skip", "block"]
    values: tuple[Text, ...] = Field(default=(), strict=False)
    optional_values: tuple[Text, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _optional_are_declared(self) -> Self:
        stray = sorted(set(self.optional_values) - set(self.values))
        if stray:
            raise PydanticCustomError(
                "optional", "optional_values names '{got}'; expected some of values", {"got": stray[0][:80]}
            )
        return self

    @property
    def rule(self) -> str:
        asked = "no slice proven to lose" if self.require == "no_proven_harm" else "every slice shown not to lose"
        if self.margin >= 0:
            asked = "no slice proven to gain less than" if self.require == "no_proven_harm" else "every slice gains"
            return f"{asked} {self.margin:.12g} {self.metric} by {self.by}"
        return f"{asked} more than {-self.margin:.12g} {self.metric} by {self.by}"

    def judge(self, name: str, case: Case) -> Outcome:
        held = case.evidence.slices.get(self.by)
        if held is None:
            known = ", ".join(case.evidence.slices) or "none"
            raise UnjudgeableError(f"no slice column {self.by!r} in the evidence", expected=f"one of: {known}")
        if case.no_champion:
            return self._outcome(name, case.rows, Verdict.SKIP, NO_CHAMPION, case)
        need_champion(case)
        order = np.argsort(held.codes, kind="stable")
        edges = np.searchsorted(held.codes[order], np.arange(len(held.values) + 1))
        parts: dict[str, Outcome] = {}
        tested: dict[str, tuple[Rows, Metric, Difference]] = {}
        for code, value in enumerate(held.values):
            index = np.sort(order[edges[code] : edges[code + 1]])
            if index.size == 0:
                continue
            rows = case.rows.take(index)
            unfit = self._unfit(value, rows, case)
            if unfit is not None:
                parts[value] = unfit
                continue
            try:
                metric = metric_for(self.metric, rows, case.evidence.task)
            except UnjudgeableError as err:
                parts[value] = self._outcome(value, rows, Verdict.ERROR, str(err), case)
            else:
                tested[value] = (rows, metric, difference(metric, rows))
        for value in sorted(set(self.values) - set(self.optional_values)):
            if value not in parts and value not in tested:
                absent = case.rows.take(np.empty(0, dtype=np.intp))
                parts[value] = self._outcome(value, absent, Verdict.ERROR, "declared, but not in the holdout", case)
        parts |= self._tested(tested, case)
        return self._together(name, [parts[value] for value in sorted(parts)], case)

    def _unfit(self, value: str, rows: Rows, case: Case) -> Outcome | None:
        if rows.n < self.min_rows:
            verdict = {"inconclusive": Verdict.INCONCLUSIVE, "skip": Verdict.SKIP, "block": Verdict.FAIL}
            said_small = f"{rows.n} rows, at least {self.min_rows} are asked; small_slice: {self.small_slice}"
            return self._outcome(value, rows, verdict[self.small_slice], said_small, case)
        few = few_clusters(rows, case.min_clusters)
        return self._outcome(value, rows, Verdict.INCONCLUSIVE, few, case) if few else None

    def _tested(self, tested: dict[str, tuple[Rows, Metric, Difference]], case: Case) -> dict[str, Outcome]:
        harm_p = [found.p_harm(self.margin) for _, _, found in tested.values()]
        adjusted = holm(np.array([1.0 if p is None else p for p in harm_p], dtype=np.float64))
        parts: dict[str, Outcome] = {}
        for (value, (rows, metric, found)), p, raw in zip(tested.items(), adjusted, harm_p, strict=True):
            bounds = found.bounds(case.confidence)
            gain = gain_bounds(metric, bounds)
            if not math.isfinite(found.value):
                undefined = f"{metric.name} is not a finite number on these rows"
                parts[value] = self._outcome(value, rows, Verdict.ERROR, undefined, case)
                continue
            if raw is None:
                verdict = Verdict.INCONCLUSIVE
            elif self.require == "non_inferior":
                verdict = gained(gain, self.margin)
            else:
                verdict = Verdict.FAIL if p <= 1 - case.confidence + TOLERANCE else Verdict.PASS
            shown_p = float(p) if self.require == "no_proven_harm" and raw is not None else None
            parts[value] = self._outcome(
                value, rows, verdict, said(metric, found.value, gain), case,
                observed=found.value, bounds=bounds, p=shown_p,
            )  # fmt: skip
        return parts

    def _together(self, name: str, parts: list[Outcome], case: Case) -> Outcome:
        verdict = worst([part.verdict for part in parts])
        counts = ", ".join(
            f"{sum(part.verdict is one for part in parts)} {one}"
            for one in (*SEVERITY_ORDER, Verdict.SKIP)
            if any(part.verdict is one for part in parts)
        )
        numbered = [part for part in parts if part.observed is not None]
        if not numbered:
            return self._outcome(name, case.rows, verdict, f"{len(parts)} slices: {counts}", case, parts=tuple(parts))
        lowest = min(numbered, key=lambda part: (SEVERITY_ORDER.index(part.verdict), -self._loss(part)))
        bounds = None if lowest.low is None or lowest.high is None else (lowest.low, lowest.high)
        return self._outcome(
            name, case.rows, verdict, f"{len(parts)} slices: {counts}; worst {lowest.name!r}: {lowest.message}", case,
            observed=lowest.observed, bounds=bounds, p=lowest.p, parts=tuple(parts),
        )  # fmt: skip

    def _loss(self, part: Outcome) -> float:
        return -METRICS[self.metric].gain(part.observed or 0.0)

    def _outcome(
        self,
        name: str,
        rows: Rows,
        verdict: Verdict,
        message: str,
        case: Case,
        *,
        observed: float | None = None,
        bounds: Bounds | None = None,
        p: float | None = None,
        parts: tuple[Outcome, ...] = (),
    ) -> Outcome:
        return Outcome(
            name=name, kind=self.kind, severity=self.severity, verdict=verdict, metric=self.metric, observed=observed,
            low=bounds and bounds[0], high=bounds and bounds[1], level=case.confidence, p=p, rule=self.rule,
            rows=rows.n, clusters=rows.clusters, message=message, parts=parts,
        )  # fmt: skip
