from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from lockgate.gates.durations import MAX_CLOCK_SKEW, Duration, parse_duration
from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.facts import (
    ChampionFacts,
    CodeFacts,
    DataFacts,
    ModelFacts,
    Witness,
    parse_part,
    parse_time,
)
from lockgate.gates.gate.age import format_duration, measure_age
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.records.outcome import Outcome, Verdict, summarise_parts, worst_verdict
from lockgate.gates.strictness import Category, Direction, Members, lower

"""How far the clock of the run may be ahead of the judge's."""

Requirement = Literal["finished", "committed", "clean", "model", "champion", "data"]
Answer = tuple[bool, str]


def _distinct(names: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PydanticCustomError("twice", "'{name}' is required twice; expected each once", {"name": twice})
    return names


_ASKED = Members(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER)


class Provenance(Check):
    """The evidence comes from a finished run of known code, with this model, this champion and these rows.

        traced: {kind: provenance, require: [finished, committed, model, champion, data], max_age: 7d}

    | key | |
    |---|---|
    | `require` | a list of the following, at least one; each is one of the `parts` |
    | `max_age` | days or hours, as 7d or 12h: how long ago the rows may have been scored |

    - `finished`: the judge read the evidence from a run, and found that run finished.
    - `model`: the bytes of the run's model, as the judge read them, have the SHA-256 that the facts name.
    - `data`: the rows of the evidence, and the hashes of the training rows, have the SHA-256 that the facts name.
    - `champion`: both facts and evidence have a champion, and the facts name its run and SHA-256; or neither has.
    - `committed`: the facts name the commit of the code. `clean`: they say that nothing beside it was changed.

    The judge checks the first three itself; evidence from a file has no run, so that `finished` and `model` are then an
    ERROR. `committed`, `clean` and the age are what the run says. `max_age` needs the time of the judgement.
    """

    reads: ClassVar[Reads] = Reads.RUN
    part_noun: ClassVar[str] = "requirement"
    unplanned: ClassVar[str] = "it reads digests and facts: nothing is estimated"
    example: ClassVar[Mapping[str, Any]] = {"kind": "provenance", "require": ["committed", "clean"]}

    kind: Literal["provenance"]
    require: Annotated[tuple[Requirement, ...], Field(min_length=1, strict=False), AfterValidator(_distinct), _ASKED]
    max_age: Annotated[Duration | None, lower(Category.FLOOR, size=parse_duration)] = None

    @property
    def rule(self) -> str:
        return ", ".join(self.require) + (f"; scored within {self.max_age}" if self.max_age else "")

    def judge(self, name: str, case: Case) -> Outcome:
        looks: dict[str, Callable[[Case], Answer]] = {
            requirement: REQUIREMENTS[requirement] for requirement in self.require
        }
        if self.max_age:
            looks["age"] = partial(_check_age, within=self.max_age)
        parts = tuple(self._part(requirement, look, case) for requirement, look in looks.items())
        verdict = worst_verdict([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{summarise_parts(parts, self.part_noun)}; {decisive.name}: {decisive.message}",
            case,
            parts=parts,
            observed=sum(part.verdict is not Verdict.PASS for part in parts),
        )

    def _part(self, name: str, look: Callable[[Case], Answer], case: Case) -> Outcome:
        try:
            holds, message = look(case)
        except UnjudgeableError as err:
            return self.outcome(name, Verdict.ERROR, str(err), case)
        return self.outcome(name, Verdict.PASS if holds else Verdict.FAIL, message, case, observed=float(holds))


def _check_age(case: Case, *, within: str) -> Answer:
    old = measure_age(parse_time(case.facts, "scored_at"), case, subject="the evidence", ahead=MAX_CLOCK_SKEW)
    return old <= parse_duration(within), f"scored {format_duration(old)} ago; asked: within {within}"


def _require_witness(case: Case) -> Witness:
    witness = case.evidence.witness
    if witness is None:
        raise UnjudgeableError(
            "the evidence was not read from a run",
            expected="a run that the judge can look at",
            hint="`lockgate judge FLOW/RUN_ID`",
        )
    return witness


def _check_finished(case: Case) -> Answer:
    return True, f"{_require_witness(case).run} is finished"


def _check_model(case: Case) -> Answer:
    actual = _require_witness(case).model_sha256
    if actual is None:
        raise UnjudgeableError("the run has no model that can be read", expected="an artifact `model` with its bytes")
    claimed = parse_part(case.facts, "challenger", ModelFacts).sha256
    return actual == claimed, f"the run's model has SHA-256 {actual[:12]}…, the facts name {claimed[:12]}…"


def _check_data(case: Case) -> Answer:
    claim, trained = parse_part(case.facts, "data", DataFacts), case.evidence.train_digest
    if trained is None:
        raise UnjudgeableError("the evidence does not say which rows were trained on", expected="`train_row_hashes`")
    if claim.holdout_sha256 != case.evidence.holdout:
        return False, "the holdout's rows and labels are others than the facts name"
    if claim.train_sha256 != trained:
        return False, "the training rows are others than the facts name"
    return True, f"the holdout is {claim.holdout_sha256[:12]}…, the training rows are {claim.train_sha256[:12]}…"


def _check_champion(case: Case) -> Answer:
    scored = case.evidence.champion is not None
    if "champion" in case.facts and case.facts["champion"] is None:
        scores_text = "but the evidence has its scores" if scored else "and the evidence has no scores of one"
        return not scored, f"the facts say that there is no champion, {scores_text}"
    claim = parse_part(case.facts, "champion", ChampionFacts)
    model_text = f"{claim.run[:80]!r} with SHA-256 {claim.sha256[:12]}…"
    return scored, f"the champion is {model_text}"


def _check_committed(case: Case) -> Answer:
    commit = parse_part(case.facts, "code", CodeFacts).commit
    if commit is None:
        return False, "the run's code was in no commit"
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise UnjudgeableError(
            f"got {commit[:80]!r}", expected="a commit in full, 40 digits", where="facts.code.commit"
        )
    return True, f"the code is commit {commit[:12]}"


def _check_clean(case: Case) -> Answer:
    clean = parse_part(case.facts, "code", CodeFacts).clean
    if clean is None:
        return False, "the run's code was in no checkout"
    return clean, "nothing was changed beside the commit" if clean else "files were changed beside the commit"


REQUIREMENTS: dict[str, Callable[[Case], Answer]] = {
    "finished": _check_finished,
    "committed": _check_committed,
    "clean": _check_clean,
    "model": _check_model,
    "champion": _check_champion,
    "data": _check_data,
}
