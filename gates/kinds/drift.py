from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.gate.check import Check, Decide, Reads, Text
from lockgate.gates.gate.limits import compare_with_limits, copy_numbers
from lockgate.gates.kinds.drift_pairs import DistributionPair, claimed_features, pair_feature, pair_scores
from lockgate.gates.records.numbers import format_estimate
from lockgate.gates.records.outcome import Outcome, Verdict, worst_verdict
from lockgate.gates.stats.divergence import Measure, divergence, divergence_bounds
from lockgate.gates.strictness import Category, Changed, Direction, Members, lower

MAX_COLUMNS_BEYOND = 3
"""At most so many columns beyond the limit are named in the message; the others are counted."""


_ASKED = Changed(Category.GATES, identity=True)
_WATCHED = Members(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER, absent="every")


class Drift(Check):
    """The holdout is distributed as the rows that a model was trained on, or scored as the champion scores it.

        features_kept: {kind: drift, of: features, measure: psi, against: training, max: 0.25, decide: point}
        scores_kept:   {kind: drift, of: scores, measure: js, against: champion, max: 0.2, decide: bound}

    | key | |
    |---|---|
    | `of` | `features`: every column that the model takes is one of the `parts`; `scores`: of the challenger on the holdout |
    | `measure` | `psi`: population stability index, in nats; `ks`: Kolmogorov–Smirnov distance, 0 … 1; `js`: Jensen–Shannon distance, base 2, 0 … 1 |
    | `against` | what the holdout is compared with: `training`: the challenger's training rows; `champion`: for features the champion's training rows, for scores the champion's scores of the same rows |
    | `max` | the largest value that passes |
    | `columns` | for features: a list of those that are looked at; all by default |
    | `decide` | `bound`: PASS where every column is shown to stay below it, FAIL where one is shown to exceed it, Bonferroni's correction over columns; `point`: the largest value decides |

    Rows are counted in at most 20 cells. The cells of a number lie between quantiles of the reference; a name has its 20
    commonest values and one cell for all others; missing values are a cell of their own, which comes first for `ks`. For
    psi a share below 0.0001 counts as 0.0001. Names have no order: `ks` skips them, and is an ERROR where `columns` lists
    one. For task multiclass, the class with the highest score is counted.

    Counts of features, and of the scores on the training rows, are what the run says (`features`, `scores`,
    `champion.features`); the holdout's scores are counted in the evidence, by weight. Bounds for features treat rows as
    independent, since facts have no clusters; bounds for scores on the holdout are clustered where the evidence is. With
    few rows the bounds are wide, and PASS needs a larger `max`. SKIP against a champion while there is none.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.CHALLENGER
    part_noun: ClassVar[str] = "column"
    unplanned: ClassVar[str] = (
        "it asks how rows are distributed, not how good a model is: nothing is assumed about that"
    )
    example: ClassVar[Mapping[str, Any]] = {
        "kind": "drift",
        "of": "scores",
        "measure": "js",
        "against": "training",
        "max": 0.3,
        "decide": "bound",
    }

    kind: Literal["drift"]
    of: Annotated[Literal["features", "scores"], _ASKED]
    measure: Annotated[Measure, _ASKED]
    against: Annotated[Literal["training", "champion"], _ASKED]
    max: Annotated[float, Field(gt=0), lower(Category.FLOOR)]
    columns: Annotated[Annotated[tuple[Text, ...], Field(min_length=1, strict=False)] | None, _WATCHED] = None
    decide: Decide

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.of == "scores" and self.columns is not None:
            raise PydanticCustomError("columns", "scores have no columns; expected `columns` only where of: features")
        if self.measure != "psi" and self.max >= 1:
            raise PydanticCustomError(
                "useless", "{measure} is never above 1; expected max below 1", {"measure": self.measure}
            )
        return self

    @property
    def sources(self) -> frozenset[Reads]:
        # the run counted the features; drawn rows with planted scores have the same features
        return frozenset({Reads.FACTS if self.of == "features" else self.reads})

    @property
    def rule(self) -> str:
        return f"{self.measure} of {self.of} against {self.against} <= {self.max:.12g} ({self.decide})"

    def judge(self, name: str, case: Case) -> Outcome:
        if self.against == "champion":
            if case.no_champion:
                return self.outcome(name, *case.absence, case)
            need_champion(case)
        if self.of == "scores":
            return self._judge_pair(name, pair_scores(case, against=self.against, measure=self.measure), case)
        distributions = claimed_features(case, against=self.against)
        chosen = tuple(sorted(distributions)) if self.columns is None else self.columns
        self._refuse_unknown(chosen, tuple(distributions))
        pairs = {column: self._pair(column, distributions[column], case) for column in chosen}
        judged = sum(isinstance(pair, DistributionPair) for pair in pairs.values())
        if not judged:
            raise UnjudgeableError(
                f"none of {len(pairs)} features has an order", expected="measure psi or js for features that are names"
            )
        shared = case.share_error_rate(judged)
        parts = tuple(self._part(column, pair, case, shared) for column, pair in pairs.items())
        verdict = worst_verdict([part.verdict for part in parts])
        decisive = max((part for part in parts if part.verdict is verdict), key=lambda part: part.observed or 0.0)
        numbers = copy_numbers(decisive)
        size = f"{format_estimate(numbers['observed'], numbers['bounds'])} of {decisive.name!r}"
        message = f"{self.measure} of {judged} features against {self.against}: {size}{_list_beyond(parts)}"
        return self.outcome(name, verdict, f"{message}; asked: {self.rule}", case, parts=parts, **numbers)

    def _refuse_unknown(self, chosen: tuple[str, ...], features: tuple[str, ...]) -> None:
        for column in chosen:
            if column not in features:
                near = difflib.get_close_matches(column, features)
                raise UnjudgeableError(
                    f"no feature {column[:80]!r} in the facts",
                    expected=f"one of: {', '.join(sorted(features))[:400]}",
                    hint=f"did you mean {near[0]!r}?" if near else "",
                )

    def _pair(self, column: str, distribution: object, case: Case) -> DistributionPair | None:
        """The two distributions of one feature; None for ks of a name, which has no order."""
        pair = pair_feature(column, distribution, case, against=self.against, measure=self.measure)
        if pair is None and self.columns is not None:
            raise UnjudgeableError(
                f"feature {column[:80]!r} is a name: it has no order, which ks needs", expected="measure psi or js"
            )
        return pair

    def _part(self, column: str, pair: DistributionPair | None, case: Case, shared: Case) -> Outcome:
        if pair is None:
            return self.outcome(column, Verdict.SKIP, "names have no order, which ks needs", case)
        part = self._judge_pair(column, pair, case)
        if self.decide == "bound" and part.verdict is Verdict.FAIL:
            corrected = self._judge_pair(column, pair, shared).verdict
            part = part.model_copy(update={"verdict": corrected})
        return part

    def _judge_pair(self, name: str, pair: DistributionPair, case: Case) -> Outcome:
        value = divergence(self.measure, pair.cells)
        bounds = divergence_bounds(self.measure, pair.cells, level=case.confidence)
        verdict = compare_with_limits(value, bounds, minimum=None, maximum=self.max, decide=self.decide)
        observation = f"{self.measure} against {pair.against} is {format_estimate(value, bounds)}"
        message = f"{observation}; asked: at most {self.max:.12g}"
        few = "" if pair.clusters is None else case.explain_few_clusters(case.information)
        if self.decide == "bound" and few:
            verdict, message = Verdict.INCONCLUSIVE, f"{message}; {few}"
        return self.outcome(
            name,
            verdict,
            message,
            case,
            metric=self.measure,
            observed=value,
            bounds=bounds,
            level=case.confidence,
            rows=pair.rows,
            clusters=pair.clusters,
        )


def _list_beyond(parts: tuple[Outcome, ...]) -> str:
    """The columns that fail, for the end of a sentence; empty where none does."""
    beyond = [part.name for part in parts if part.verdict is Verdict.FAIL]
    if not beyond:
        return ""
    more = f" and {len(beyond) - MAX_COLUMNS_BEYOND} more" if len(beyond) > MAX_COLUMNS_BEYOND else ""
    return f"; beyond the limit: {', '.join(map(repr, beyond[:MAX_COLUMNS_BEYOND]))}{more}"
