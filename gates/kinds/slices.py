from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.gate.check import Reads
from lockgate.gates.gate.declared_slices import DeclaredSlices, Slice, slice_key
from lockgate.gates.gate.grouped import Grouped, group_bounds
from lockgate.gates.gate.limits import copy_numbers, judge_gain
from lockgate.gates.kinds.improvement import describe_difference, gain_bounds
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.metrics.slice_names import slice_name
from lockgate.gates.records.outcome import SEVERITY_ORDER, Outcome, Verdict, summarise_parts, worst_verdict
from lockgate.gates.stats.proportions import holm
from lockgate.gates.stats.scored import TOLERANCE
from lockgate.gates.strictness import Category, Direction, Members, Ranked, higher

_PROOF = Ranked(Category.WAIVER, ("no_proven_harm", "non_inferior"), "a slice passes unless it is proven to be harmed")
_NEEDED = DeclaredSlices(Members(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER))
_SPARED = DeclaredSlices(Members(Category.GATES, added=Direction.WEAKER, removed=Direction.TIGHTER))


class Slices(Grouped):
    """No slice of the holdout loses more than a margin to the champion.

        carriers: {kind: slices, by: carrier, metric: log_loss, margin: -0.02, require: no_proven_harm, min_rows: 200, small_slice: skip}
        routes:   {kind: slices, by: [origin, carrier], metric: auc, margin: -0.05, require: no_proven_harm, min_rows: 500, small_slice: inconclusive}

    | key | |
    |---|---|
    | `by` | a slice column of the evidence; several: the slices that their values form together, named `EWR, UA`; a value that holds a comma or a quote is quoted, as in `"Porto, Norte", Sul` |
    | `metric`, `margin` | as in `improvement` |
    | `require` | `no_proven_harm`: no slice is shown to be worse than the margin, Holm's correction over slices; `non_inferior`: every slice is shown to keep the margin, without correction |
    | `min_rows` | a slice with fewer rows is small |
    | `small_slice` | what a small slice counts as: `inconclusive`, `skip` (recorded), `block` |
    | `values` | optional: slices that must be there; an absent one is an ERROR. Of several columns, each is a list of its values, `[EWR, UA]`, or its name where that can mean one slice only |
    | `optional_values` | optional: of those, the ones that may be absent |

    The gate is as bad as its worst slice, and every slice is one of its `parts`. It is SKIP when every slice is.
    A slice on which the metric is undefined, such as an AUC where all labels are alike, is an ERROR.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.BOTH_MODELS
    part_noun: ClassVar[str] = "slice"
    example: ClassVar[Mapping[str, Any]] = {
        "kind": "slices",
        "by": "site",
        "metric": "log_loss",
        "margin": 0.0,
        "require": "non_inferior",
        "min_rows": 20,
        "small_slice": "inconclusive",
    }

    kind: Literal["slices"]
    margin: Annotated[float, higher(Category.MARGIN)]
    require: Annotated[Literal["no_proven_harm", "non_inferior"], _PROOF]
    values: Annotated[tuple[Slice, ...], _NEEDED] = Field(default=(), strict=False)
    optional_values: Annotated[tuple[Slice, ...], _SPARED] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _optional_are_declared(self) -> Self:
        stray = sorted(map(slice_name, self._keys(self.optional_values) - self._keys(self.values)))
        if stray:
            raise PydanticCustomError(
                "optional", "optional_values names '{got}'; expected some of values", {"got": stray[0][:80]}
            )
        return self

    def _keys(self, slices: Iterable[Slice]) -> set[tuple[str, ...]]:
        return {slice_key(declared, self.columns) for declared in slices}

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        return (self.metric,)

    @property
    def metrics_of_all_rows(self) -> tuple[str, ...]:
        return ()

    @property
    def rule(self) -> str:
        requirement = "no slice proven to lose" if self.require == "no_proven_harm" else "every slice shown not to lose"
        if self.margin >= 0:
            requirement = (
                "no slice proven to gain less than" if self.require == "no_proven_harm" else "every slice gains"
            )
            return f"{requirement} {self.margin:.12g} {self.metric} by {self.by_columns}"
        return f"{requirement} more than {-self.margin:.12g} {self.metric} by {self.by_columns}"

    def judge(self, name: str, case: Case) -> Outcome:
        split = case.split(self.columns)
        if case.no_champion:
            return self.outcome(name, *case.absence, case, metric=self.metric, level=case.confidence)
        need_champion(case)
        parts = self._parts(split, case)
        for key in self._keys(self.values) - self._keys(self.optional_values) - set(parts):
            absent = "declared, but not in the holdout"
            parts[key] = self.outcome(slice_name(key), Verdict.ERROR, absent, case, metric=self.metric, rows=0)
        return self._together(name, sorted(parts.values(), key=lambda part: part.name), case)

    def _parts(self, split: GroupedRows, case: Case) -> dict[tuple[str, ...], Outcome]:
        """What is found of every slice, by its values."""
        differences, metric = case.differences(self.metric, self.columns), case.metric(self.metric)
        value, harm, (low, high) = (
            differences.value,
            differences.p_harm(self.margin),
            differences.bounds(case.confidence),
        )
        observed = value.tolist()
        groups = np.flatnonzero(split.n).tolist()  # a group in which no row counts is none
        informations = {group: differences.information.of_group(group) for group in groups}
        unfit = {
            group: self.unfit_verdict(split, group, observed[group], case, informations[group]) for group in groups
        }
        testable = (~np.isnan(harm)).tolist()
        tested = np.array([group for group in groups if unfit[group] is None and testable[group]], dtype=np.intp)
        adjusted = dict(zip(tested.tolist(), holm(harm[tested]).tolist(), strict=True))
        parts = {}
        for group, reason in unfit.items():
            bounds = group_bounds(low, high, group)
            gain = gain_bounds(metric, bounds)
            verdict, message = reason or (Verdict.INCONCLUSIVE, describe_difference(metric, observed[group], gain))
            if group in adjusted and self.require == "non_inferior":
                verdict = judge_gain(gain, self.margin)
            elif group in adjusted:
                verdict = Verdict.FAIL if adjusted[group] <= 1 - case.confidence + TOLERANCE else Verdict.PASS
            p = adjusted.get(group) if self.require == "no_proven_harm" else None
            part = self.part(
                split,
                group,
                verdict,
                message,
                case,
                value=observed[group],
                bounds=bounds,
                p=p,
                information=informations[group],
            )
            parts[split.groups.keys[group]] = part
        return parts

    def _together(self, name: str, parts: list[Outcome], case: Case) -> Outcome:
        verdict, message = worst_verdict([part.verdict for part in parts]), summarise_parts(parts, self.part_noun)
        numbered = [part for part in parts if part.observed is not None and part.verdict is not Verdict.SKIP]
        if not numbered:
            return self.outcome(
                name, verdict, message, case, metric=self.metric, level=case.confidence, parts=tuple(parts)
            )
        gain = case.metric(self.metric).gain
        lowest = min(numbered, key=lambda part: (SEVERITY_ORDER.index(part.verdict), gain(part.observed or 0.0)))
        message = f"{message}; worst {lowest.name!r}: {lowest.message}"
        return self.outcome(name, verdict, message, case, parts=tuple(parts), **copy_numbers(lowest))
