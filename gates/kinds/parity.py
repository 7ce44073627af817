from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.facts import ParityFacts, parse_part
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import MAX_INTEGER, Check, Reads
from lockgate.gates.records.numbers import format_number
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.strictness import Category, higher, lower


class Parity(Check):
    """The model's bytes, loaded by a process that did not train it, give the scores that are judged.

        reproducible: {kind: parity, max_difference: 1.0e-9, min_rows: 100}

    | key | |
    |---|---|
    | `max_difference` | the largest absolute difference of two scores of one row that passes; 0: bit for bit |
    | `min_rows` | the fewest rows that show anything: on fewer the gate is INCONCLUSIVE |

    EvaluateNewModel scores about 256 holdout rows, spread evenly, again in a fresh process. A model whose scores depend
    on how many rows are scored at once differs in the last digits. Rests on what the run says about this; where the
    model could not be scored again, the gate is an ERROR that says why. Needs no champion.
    """

    reads: ClassVar[Reads] = Reads.RUN
    unplanned: ClassVar[str] = "it compares scores row by row: nothing is estimated"
    example: ClassVar[Mapping[str, Any]] = {"kind": "parity", "max_difference": 0.0, "min_rows": 100}

    kind: Literal["parity"]
    max_difference: Annotated[float, Field(ge=0), lower(Category.FLOOR)]
    min_rows: Annotated[int, Field(ge=1, le=MAX_INTEGER), higher(Category.ROWS)]

    @property
    def rule(self) -> str:
        return f"scored again differs <= {self.max_difference:.12g}"

    def judge(self, name: str, case: Case) -> Outcome:
        claim = parse_part(case.facts, "parity", ParityFacts)
        if claim.problem or claim.max_difference is None:
            raise UnjudgeableError(
                f"the model was not scored again: {claim.problem[:200] or 'no difference is given'}",
                expected="the largest difference",
                where="facts.parity",
            )
        difference = claim.max_difference
        if not difference <= self.max_difference:  # no tolerance: 0 means the same bits
            verdict = Verdict.FAIL
        else:
            verdict = Verdict.PASS if claim.rows >= self.min_rows else Verdict.INCONCLUSIVE
        by = f" (Python {claim.python[:40]})" if claim.python else ""
        message = (
            f"a fresh process{by} scored {claim.rows:,} rows again, which differ by {format_number(difference)} at most"
        )
        required = f"at most {self.max_difference:.12g}, on {self.min_rows:,} rows or more"
        return self.outcome(
            name,
            verdict,
            f"{message}; asked: {required}",
            case,
            metric="max_difference",
            observed=difference,
            rows=claim.rows,
        )
