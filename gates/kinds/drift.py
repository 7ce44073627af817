from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.gate.case import Case, need_champion
from lockgate.gates.gate.check import Check, Decide, Reads, Text
from lockgate.gates.gate.limits import against, interval, numbers, show
from lockgate.gates.kinds.drift_pairs import Apart, of_feature, of_scores, told_features
from lockgate.gates.records.outcome import Outcome, Verdict, worst
from lockgate.gates.stats.divergence import Measure, divergence, divergence_bounds
from lockgate.gates.strictness import Category, Changed, Direction, Members, lower

SHOWN = 3
"""So many columns beyond the limit are named in the message."""


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

    Rows are counted in at most 20 cells: of a number those between the quantiles of what is compared with, of a name its
    20 commonest values and all others; what is missing is a cell of its own, which for `ks` comes first. For psi a share
    below 0.0001 counts as 0.0001. Names have no order: for `ks` they are a SKIP, and an ERROR where `columns` names them.
    Of task multiclass, the class with the highest score is looked at.

    The counts of features, and those of the scores on the training rows, are what the run says (`features`, `scores`,
    `champion.features`); the scores of the holdout are counted in the evidence, by weight. Bounds take rows of features
    as independent, since facts know no clusters; for scores on the holdout they are clustered where the evidence is.
    A sample of few rows has wide bounds: PASS then needs a larger `max`. SKIP against a champion where there is none.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.CHALLENGER
    part_noun: ClassVar[str] = "column"
    unplanned: ClassVar[str] = "it asks how rows are distributed, not how good a model is: nothing is supposed of that"
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
            return self._judge_one(name, of_scores(case, against=self.against, measure=self.measure), case)
        told = told_features(case, against=self.against)
        chosen = tuple(sorted(told)) if self.columns is None else self.columns
        self._refuse_unknown(chosen, tuple(told))
        found = {column: self._apart(column, told[column], case) for column in chosen}
        judged = sum(isinstance(one, Apart) for one in found.values())
        if not judged:
            raise UnjudgeableError(
                f"none of {len(found)} features has an order", expected="measure psi or js for features that are names"
            )
        shared = case.shared(judged)
        parts = tuple(self._part(column, one, case, shared) for column, one in found.items())
        verdict = worst([part.verdict for part in parts])
        decisive = max((part for part in parts if part.verdict is verdict), key=lambda part: part.observed or 0.0)
        beyond = [part.name for part in parts if part.verdict is Verdict.FAIL]
        named = f"; beyond the limit: {', '.join(map(repr, beyond[:SHOWN]))}" if beyond else ""
        more = f" and {len(beyond) - SHOWN} more" if len(beyond) > SHOWN else ""
        known = numbers(decisive)
        size = f"{show(known['observed'])} ({interval(known['bounds'])}) of {decisive.name!r}"
        message = f"{self.measure} of {judged} features against {self.against}: {size}{named}{more}; asked: {self.rule}"
        return self.outcome(name, verdict, message, case, parts=parts, **known)

    def _refuse_unknown(self, chosen: tuple[str, ...], told: tuple[str, ...]) -> None:
        for column in chosen:
            if column not in told:
                near = difflib.get_close_matches(column, told)
                raise UnjudgeableError(
                    f"no feature {column[:80]!r} in the facts",
                    expected=f"one of: {', '.join(sorted(told))[:400]}",
                    hint=f"did you mean {near[0]!r}?" if near else "",
                )

    def _apart(self, column: str, told: object, case: Case) -> Apart | None:
        """The two distributions of one feature; None where its measure needs an order that it has not."""
        found = of_feature(column, told, case, against=self.against, measure=self.measure)
        if found is None and self.columns is not None:
            raise UnjudgeableError(
                f"feature {column[:80]!r} is a name: it has no order, which ks needs", expected="measure psi or js"
            )
        return found

    def _part(self, column: str, found: Apart | None, case: Case, shared: Case) -> Outcome:
        if found is None:
            return self.outcome(column, Verdict.SKIP, "names have no order, which ks needs", case)
        part = self._judge_one(column, found, case)
        if self.decide == "bound" and part.verdict is Verdict.FAIL:
            corrected = self._judge_one(column, found, shared).verdict
            part = part.model_copy(update={"verdict": corrected})
        return part

    def _judge_one(self, name: str, found: Apart, case: Case) -> Outcome:
        value = divergence(self.measure, found.pair)
        held = divergence_bounds(self.measure, found.pair, level=case.confidence)
        verdict = against(value, held, least=None, most=self.max, decide=self.decide)
        seen = f"{self.measure} against {found.against} is {show(value)} ({interval(held)})"
        message = f"{seen}; asked: at most {self.max:.12g}"
        if self.decide == "bound" and found.clusters is not None and case.few_clusters:
            verdict, message = Verdict.INCONCLUSIVE, f"{message}; {case.few_clusters}"
        return self.outcome(
            name,
            verdict,
            message,
            case,
            metric=self.measure,
            observed=value,
            bounds=held,
            level=case.confidence,
            rows=found.rows,
            clusters=found.clusters,
        )
