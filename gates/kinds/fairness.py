from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Decide, Reads
from lockgate.gates.gate.grouped import Grouped, group_bounds
from lockgate.gates.metrics.estimate import count_hits, measure_uncertainty
from lockgate.gates.records.numbers import Bounds, format_estimate, format_number
from lockgate.gates.records.outcome import Outcome, Verdict, summarise_parts, worst_verdict
from lockgate.gates.stats import gaps
from lockgate.gates.stats.scored import TOLERANCE, Codes, Floats
from lockgate.gates.strictness import Category, lower

MAX_COMPARED_GROUPS = 1000
"""Every pair of groups is compared, so that the work grows with the square of this."""

GapBounds = Callable[[float], tuple[Floats, Floats]]


class Fairness(Grouped):
    """A metric of the challenger is about the same in every group of rows.

        equal_recall: {kind: fairness, by: carrier, metric: recall, max: 0.10, decide: bound, min_rows: 200, small_slice: skip}
        parity:       {kind: fairness, by: sex, metric: selection_rate, max: 0.05, decide: point, min_rows: 100, small_slice: inconclusive}

    | key | |
    |---|---|
    | `by` | a slice column of the evidence, or several, as in `slices` |
    | `metric` | any metric of the task: `selection_rate` for demographic parity, `recall` (the true positive rate) for equal opportunity, `recall` and `fpr` in two gates for equalised odds |
    | `max` | the largest gap between two groups that passes, in the metric's units |
    | `decide` | `bound`: PASS where every pair is shown to differ by no more, FAIL where some pair is shown to differ by more, Bonferroni's correction over pairs, else INCONCLUSIVE; `point`: the largest gap seen decides |
    | `min_rows`, `small_slice` | as in `slices`; a small group is left out of the gap, and counts as declared |

    The interval shown is that of the largest gap; each group is one of the `parts`. Shares of independent rows are
    compared by Newcombe's interval, everything else by influences, clustered where the evidence has clusters.
    Needs no champion.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.CHALLENGER
    part_noun: ClassVar[str] = "group"
    example: ClassVar[Mapping[str, Any]] = {
        "kind": "fairness",
        "by": "site",
        "metric": "brier",
        "max": 0.15,
        "decide": "bound",
        "min_rows": 20,
        "small_slice": "inconclusive",
    }

    kind: Literal["fairness"]
    max: Annotated[float, Field(ge=0), lower(Category.FLOOR)]
    decide: Decide

    @property
    def rule(self) -> str:
        return f"{self.metric} differs by at most {self.max:.12g} by {self.by_columns} ({self.decide})"

    def judge(self, name: str, case: Case) -> Outcome:
        parts, judged = self._parts(case)
        if judged.size > MAX_COMPARED_GROUPS:
            raise UnjudgeableError(f"{judged.size:,} groups are too many", expected=f"at most {MAX_COMPARED_GROUPS:,}")
        left_out = worst_verdict([part.verdict for group, part in parts.items() if group not in set(judged.tolist())])
        if judged.size < 2:
            settled = left_out in (Verdict.ERROR, Verdict.FAIL)
            verdict = left_out if settled else Verdict.INCONCLUSIVE
            message = (
                f"{summarise_parts(list(parts.values()), self.part_noun)}; at least 2 that can be judged are asked"
            )
            return self.outcome(
                name, verdict, message, case, metric=self.metric, level=case.confidence, parts=tuple(parts.values())
            )
        value, gap_bounds = self._gaps(case, judged)
        first, second = gaps.group_pairs(judged.size)
        gap = np.abs(value[first] - value[second])
        low, high = _bounds_of_size(*gap_bounds(case.confidence))
        corrected, _ = _bounds_of_size(*gap_bounds(1 - (1 - case.confidence) / gap.size))
        verdict = self._verdict(gap, high, corrected)
        widest = int(np.argmax(gap))
        highest, lowest = sorted((int(first[widest]), int(second[widest])), key=lambda group: -value[group])
        bounds = group_bounds(low, high, widest)
        for group in judged[[highest, lowest]].tolist():
            parts[group] = parts[group].model_copy(update={"verdict": verdict})
        return self.outcome(
            name,
            worst_verdict([verdict, left_out]),
            self._describe_gap(case, value, judged, highest, lowest, bounds),
            case,
            metric=self.metric,
            observed=float(gap[widest]),
            bounds=bounds,
            level=case.confidence,
            parts=tuple(parts.values()),
        )

    def _describe_gap(
        self, case: Case, value: Floats, judged: Codes, highest: int, lowest: int, bounds: Bounds | None
    ) -> str:
        names = case.split(self.columns).groups.names
        high, low = (f"{format_number(float(value[group]))} in {names[judged[group]]!r}" for group in (highest, lowest))
        return (
            f"{self.metric} is {high} and {low}: a gap of "
            f"{format_estimate(float(value[highest] - value[lowest]), bounds)}, the largest of {judged.size} groups; "
            f"asked: at most {self.max:.12g}"
        )

    def _verdict(self, gap: Floats, high: Floats, corrected_low: Floats) -> Verdict:
        if self.decide == "point":
            return Verdict.PASS if np.all(gap <= self.max + TOLERANCE) else Verdict.FAIL
        if np.all(high <= self.max + TOLERANCE):
            return Verdict.PASS
        return Verdict.FAIL if np.any(corrected_low > self.max + TOLERANCE) else Verdict.INCONCLUSIVE

    def _gaps(self, case: Case, judged: Codes) -> tuple[Floats, GapBounds]:
        """The metric in each judged group, and bounds of the differences between every two of them."""
        metric, split = case.metric(self.metric), case.split(self.columns)
        if metric.hits is not None and split.rows.plain:
            row_hits = metric.hits(split.rows.label, split.rows.challenger)
            hits, n = (of_group[judged] for of_group in count_hits(row_hits, split.scored_by("challenger")))
            return hits / n, lambda level: gaps.newcombe(hits, n, level=level)
        linear = split.linear(metric)
        uncertainty = measure_uncertainty(metric, linear, split).of_groups(judged)
        rows, covariance = split.rows, None
        if rows.cluster is not None:
            units = split.carrying_units(metric)
            shared = gaps.group_covariance(linear, units, weight=rows.weight, cluster=rows.cluster)
            covariance = gaps.rescale_covariance(shared[np.ix_(judged, judged)], uncertainty.error)
        value = linear.value[judged]
        return value, lambda level: gaps.gap_bounds(value, uncertainty, covariance, level=level)

    def _parts(self, case: Case) -> tuple[dict[int, Outcome], Codes]:
        """The outcome of every group by its number, and the numbers of the groups that can be judged."""
        split, estimates = case.split(self.columns), case.estimates(self.metric, self.columns)
        low, high = estimates.bounds(case.confidence)
        parts: dict[int, Outcome] = {}
        judged: list[int] = []
        for group, value in enumerate(estimates.value.tolist()):
            if split.n[group] == 0:
                continue
            bounds = group_bounds(low, high, group)
            information = estimates.information.of_group(group)
            reason = self.unfit_verdict(split, group, value, case, information)
            if reason is None:
                judged.append(group)
            verdict, message = reason or (
                Verdict.PASS,
                f"{self.metric} is {format_estimate(value, bounds)}",
            )
            parts[group] = self.part(
                split, group, verdict, message, case, value=value, bounds=bounds, information=information
            )
        return parts, np.array(judged)


def _bounds_of_size(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Bounds of |difference| from those of the difference."""
    return np.maximum(np.maximum(low, -high), 0.0), np.maximum(high, -low)
