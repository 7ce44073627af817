from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from gates.case import NO_CHAMPION, Case, need_champion, too_few
from gates.kinds.check import MOST, Check, MetricName, Text
from gates.kinds.improvement import gain_bounds, said
from gates.kinds.limits import gained
from gates.outcome import SEVERITY_ORDER, TOLERANCE, Outcome, Verdict, worst
from gates.rows import Split
from gates.stats.multiplicity import holm

Name = Annotated[Text, Field(min_length=1)]


class Slices(Check):
    """No slice of the holdout loses more than a margin to the champion.

        carriers: {kind: slices, by: carrier, metric: log_loss, margin: -0.02, require: no_proven_harm, min_rows: 200, small_slice: skip}
        routes:   {kind: slices, by: [origin, carrier], metric: auc, margin: -0.05, require: no_proven_harm, min_rows: 500, small_slice: inconclusive}

    | key | |
    |---|---|
    | `by` | a slice column of the evidence; several: the slices that their values form together, named `EWR, UA` |
    | `metric`, `margin` | as in `improvement` |
    | `require` | `no_proven_harm`: no slice is shown to be worse than the margin, Holm's correction over slices; `non_inferior`: every slice is shown to keep the margin, without correction |
    | `min_rows` | a slice with fewer rows is small |
    | `small_slice` | what a small slice counts as: `inconclusive`, `skip` (recorded), `block` |
    | `values` | optional: slices that must be there; an absent one is an ERROR |
    | `optional_values` | optional: of those, the ones that may be absent |

    The gate is as bad as its worst slice, and every slice is one of its `parts`. It is SKIP when every slice is.
    A slice on which the metric is undefined, such as an AUC where all labels are alike, is an ERROR.
    """  # noqa: E501 (table rows)

    kind: Literal["slices"]
    by: Name | Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    metric: MetricName
    margin: float
    require: Literal["no_proven_harm", "non_inferior"]
    min_rows: Annotated[int, Field(ge=1, le=MOST)]
    small_slice: Literal["inconclusive", "skip", "block"]
    values: tuple[Text, ...] = Field(default=(), strict=False)
    optional_values: tuple[Text, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        stray = sorted(set(self.optional_values) - set(self.values))
        if stray:
            raise PydanticCustomError(
                "optional", "optional_values names '{got}'; expected some of values", {"got": stray[0][:80]}
            )
        if len(set(self.columns)) < len(self.columns):
            raise PydanticCustomError("by", "by names a column twice; expected different slice columns")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The slice columns."""
        return (self.by,) if isinstance(self.by, str) else self.by

    @property
    def rule(self) -> str:
        by = " and ".join(self.columns)
        asked = "no slice proven to lose" if self.require == "no_proven_harm" else "every slice shown not to lose"
        if self.margin >= 0:
            asked = "no slice proven to gain less than" if self.require == "no_proven_harm" else "every slice gains"
            return f"{asked} {self.margin:.12g} {self.metric} by {by}"
        return f"{asked} more than {-self.margin:.12g} {self.metric} by {by}"

    def judge(self, name: str, case: Case) -> Outcome:
        split = case.split(self.columns)
        if case.no_champion:
            return self.outcome(name, Verdict.SKIP, NO_CHAMPION, case, metric=self.metric, level=case.confidence)
        need_champion(case)
        parts = self._parts(split, case)
        for value in sorted(set(self.values) - set(self.optional_values) - set(parts)):
            parts[value] = self.outcome(
                value, Verdict.ERROR, "declared, but not in the holdout", case, metric=self.metric, rows=0
            )
        return self._together(name, [parts[value] for value in sorted(parts)], case)

    def _parts(self, split: Split, case: Case) -> dict[str, Outcome]:
        found, metric = case.differences(self.metric, self.columns), case.metric(self.metric)
        rows, clusters, value = split.n, split.clusters, found.value
        few = np.zeros(rows.size, dtype=bool) if clusters is None else clusters < case.min_clusters
        harm, (low, high) = found.p_harm(self.margin), found.bounds(case.confidence)
        tested = (rows >= self.min_rows) & ~few & np.isfinite(value) & ~np.isnan(harm)
        adjusted = np.full_like(harm, np.nan)
        adjusted[tested] = holm(harm[tested])
        parts: dict[str, Outcome] = {}
        for at, name in enumerate(split.groups.names):
            if rows[at] == 0:
                continue
            bounds = None if np.isnan(low[at]) or np.isnan(high[at]) else (float(low[at]), float(high[at]))
            gain = gain_bounds(metric, bounds)
            message = said(metric, float(value[at]), gain)
            if rows[at] < self.min_rows:
                verdict = _SMALL[self.small_slice]
                message = f"{rows[at]:.0f} rows, at least {self.min_rows} are asked; small_slice: {self.small_slice}"
            elif few[at]:
                verdict = Verdict.INCONCLUSIVE
                message = too_few(float(clusters[at]) if clusters is not None else None, case.min_clusters)
            elif not np.isfinite(value[at]):
                verdict, message = Verdict.ERROR, f"{self.metric} is undefined on these rows; it needs {metric.needs}"
            elif not tested[at]:
                verdict = Verdict.INCONCLUSIVE
            elif self.require == "non_inferior":
                verdict = gained(gain, self.margin)
            else:
                verdict = Verdict.FAIL if adjusted[at] <= 1 - case.confidence + TOLERANCE else Verdict.PASS
            by_test = tested[at] and self.require == "no_proven_harm"
            parts[name] = self.outcome(
                name, verdict, message, case, metric=self.metric, observed=float(value[at]), bounds=bounds,
                level=case.confidence, p=float(adjusted[at]) if by_test else None, rows=rows[at],
                clusters=None if clusters is None else clusters[at],
            )  # fmt: skip
        return parts

    def _together(self, name: str, parts: list[Outcome], case: Case) -> Outcome:
        verdict = worst([part.verdict for part in parts])
        counts = ", ".join(
            f"{sum(part.verdict is one for part in parts)} {one}"
            for one in (*SEVERITY_ORDER, Verdict.SKIP)
            if any(part.verdict is one for part in parts)
        )
        message = f"{len(parts)} slices: {counts}"
        numbered = [part for part in parts if part.observed is not None and part.verdict is not Verdict.SKIP]
        if not numbered:
            return self.outcome(
                name, verdict, message, case, metric=self.metric, level=case.confidence, parts=tuple(parts)
            )
        gain = case.metric(self.metric).gain
        lowest = min(numbered, key=lambda part: (SEVERITY_ORDER.index(part.verdict), gain(part.observed or 0.0)))
        bounds = None if lowest.low is None or lowest.high is None else (lowest.low, lowest.high)
        return self.outcome(
            name, verdict, f"{message}; worst {lowest.name!r}: {lowest.message}", case, metric=self.metric,
            observed=lowest.observed, bounds=bounds, level=case.confidence, p=lowest.p, parts=tuple(parts),
        )  # fmt: skip


_SMALL = {"inconclusive": Verdict.INCONCLUSIVE, "skip": Verdict.SKIP, "block": Verdict.FAIL}
