from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.facts import ParityFacts, parse_part
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import MOST, Check, Reads
from lockgate.gates.gate.limits import show
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.strictness import Category, higher, lower


class Parity(Check):
    """The model's bytes, loaded by a process that did not train it, give the scores that are judged.

        reproducible: {kind: parity, max_difference: 1.0e-9, min_rows: 100}

    | key | |
    |---|---|
    | `max_difference` | the largest absolute difference of two scores of one row that passes; 0: bit for bit |
    | `min_rows` | on fewer rows than this nothing is shown: INCONCLUSIVE |

    EvaluateNewModel scores some 256 holdout rows, spread evenly, once more in a fresh process. Models whose scores
    depend on how many rows are scored together differ in the last digits. Rests on what the run said of that; where it
    could not be done, the gate is an ERROR that says why. Needs no champion.
    """

    reads: ClassVar[Reads] = Reads.RUN
    unplanned: ClassVar[str] = "it compares scores row by row: nothing is estimated"
    example: ClassVar[Mapping[str, Any]] = {"kind": "parity", "max_difference": 0.0, "min_rows": 100}

    kind: Literal["parity"]
    max_difference: Annotated[float, Field(ge=0), lower(Category.FLOOR)]
    min_rows: Annotated[int, Field(ge=1, le=MOST), higher(Category.ROWS)]

    @property
    def rule(self) -> str:
        return f"scored again differs <= {self.max_difference:.12g}"

    def judge(self, name: str, case: Case) -> Outcome:
        told = parse_part(case.facts, "parity", ParityFacts)
        if told.problem or told.max_difference is None:
            raise UnjudgeableError(
                f"the model was not scored again: {told.problem[:200] or 'no difference is given'}",
                expected="the largest difference",
                where="facts.parity",
            )
        found = told.max_difference
        if not found <= self.max_difference:  # no tolerance: 0 means the same bits
            verdict = Verdict.FAIL
        else:
            verdict = Verdict.PASS if told.rows >= self.min_rows else Verdict.INCONCLUSIVE
        by = f" (Python {told.python[:40]})" if told.python else ""
        message = f"a fresh process{by} scored {told.rows:,} rows again, which differ by {show(found)} at most"
        asked = f"at most {self.max_difference:.12g}, on {self.min_rows:,} rows or more"
        return self.outcome(
            name,
            verdict,
            f"{message}; asked: {asked}",
            case,
            metric="max_difference",
            observed=found,
            rows=told.rows,
        )
