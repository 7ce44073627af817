from __future__ import annotations

import hashlib
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
from lockgate.gates.gate.age import age, said
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.records.outcome import Outcome, Verdict, tally, worst
from lockgate.gates.strictness import Category, Direction, Members, lower

"""How far the clock of the run may be ahead of the judge's."""

Requirement = Literal["finished", "committed", "clean", "model", "champion", "data"]
Found = tuple[bool, str]


def _distinct(names: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PydanticCustomError("twice", "'{name}' is required twice; expected each once", {"name": twice})
    return names


_ASKED = Members(Category.GATES, added=Direction.TIGHTER, removed=Direction.WEAKER)


class Provenance(Check):
    """The evidence is of a finished run, of known code, of this model, this champion and these rows.

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

    The first three are seen by the judge; evidence that comes as a file has no run, so that `finished` and `model` are
    then an ERROR. `committed`, `clean` and the age are what the run says. `max_age` needs the time of the judgement.
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
        asked: dict[str, Callable[[Case], Found]] = {one: REQUIREMENTS[one] for one in self.require}
        if self.max_age:
            asked["age"] = partial(_young, within=self.max_age)
        parts = tuple(self._part(one, look, case) for one, look in asked.items())
        verdict = worst([part.verdict for part in parts])
        decisive = next(part for part in parts if part.verdict is verdict)
        return self.outcome(
            name,
            verdict,
            f"{tally(parts, self.part_noun)}; {decisive.name}: {decisive.message}",
            case,
            parts=parts,
            observed=sum(part.verdict is not Verdict.PASS for part in parts),
        )

    def _part(self, name: str, look: Callable[[Case], Found], case: Case) -> Outcome:
        try:
            met, message = look(case)
        except UnjudgeableError as err:
            return self.outcome(name, Verdict.ERROR, str(err), case)
        return self.outcome(name, Verdict.PASS if met else Verdict.FAIL, message, case, observed=float(met))


def _young(case: Case, *, within: str) -> Found:
    old = age(parse_time(case.facts, "scored_at"), case, what="the evidence", ahead=MAX_CLOCK_SKEW)
    return old <= parse_duration(within), f"scored {said(old)} ago; asked: within {within}"


def _seen(case: Case) -> Witness:
    witness = case.evidence.witness
    if witness is None:
        raise UnjudgeableError(
            "the evidence was not read from a run",
            expected="a run that the judge can look at",
            hint="`lockgate judge FLOW/RUN_ID`",
        )
    return witness


def _finished(case: Case) -> Found:
    return True, f"{_seen(case).run} is finished"


def _model(case: Case) -> Found:
    held = _seen(case).model_sha256
    if held is None:
        raise UnjudgeableError("the run has no model that can be read", expected="an artifact `model` with its bytes")
    told = parse_part(case.facts, "challenger", ModelFacts).sha256
    return held == told, f"the run's model has SHA-256 {held[:12]}…, the facts name {told[:12]}…"


def _data(case: Case) -> Found:
    told, trained = parse_part(case.facts, "data", DataFacts), case.evidence.train_row_hashes
    if trained is None:
        raise UnjudgeableError("the evidence does not say which rows were trained on", expected="`train_row_hashes`")
    if told.holdout_sha256 != case.evidence.holdout:
        return False, "the holdout's rows and labels are others than the facts name"
    if told.train_sha256 != hashlib.sha256(trained.astype("<u8").tobytes()).hexdigest():
        return False, "the training rows are others than the facts name"
    return True, f"the holdout is {told.holdout_sha256[:12]}…, the training rows are {told.train_sha256[:12]}…"


def _champion(case: Case) -> Found:
    scored = case.evidence.champion is not None
    if "champion" in case.facts and case.facts["champion"] is None:
        there = "but the evidence has its scores" if scored else "and the evidence has no scores of one"
        return not scored, f"the facts say that there is no champion, {there}"
    told = parse_part(case.facts, "champion", ChampionFacts)
    named = f"{told.run[:80]!r} with SHA-256 {told.sha256[:12]}…"
    return scored, f"the champion is {named}"


def _committed(case: Case) -> Found:
    commit = parse_part(case.facts, "code", CodeFacts).commit
    if commit is None:
        return False, "the run's code was in no commit"
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise UnjudgeableError(
            f"got {commit[:80]!r}", expected="a commit in full, 40 digits", where="facts.code.commit"
        )
    return True, f"the code is commit {commit[:12]}"


def _clean(case: Case) -> Found:
    clean = parse_part(case.facts, "code", CodeFacts).clean
    if clean is None:
        return False, "the run's code was in no checkout"
    return clean, "nothing was changed beside the commit" if clean else "files were changed beside the commit"


REQUIREMENTS: dict[str, Callable[[Case], Found]] = {
    "finished": _finished,
    "committed": _committed,
    "clean": _clean,
    "model": _model,
    "champion": _champion,
    "data": _data,
}
