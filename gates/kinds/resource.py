from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lockgate.gates.evidence.facts import parse_number
from lockgate.gates.gate.case import Case
from lockgate.gates.gate.check import Check, Reads
from lockgate.gates.gate.limits import compare_with_limits
from lockgate.gates.records.numbers import format_number
from lockgate.gates.records.outcome import Outcome
from lockgate.gates.strictness import Category, Changed, higher, lower

UNITS = {
    "predict_cpu_ms_per_1000_p50": " ms of the processor",
    "predict_cpu_ms_per_1000_p99": " ms of the processor",
    "predict_ms_per_1000_p50": " ms",
    "predict_ms_per_1000_p99": " ms",
    "model_bytes": " bytes",
    "fit_seconds": " s",
    "peak_memory_mb": " MB",
}


class Resource(Check):
    """What the model costs stays within limits: time to score and to fit, memory, size.

        fast: {kind: resource, fact: predict_cpu_ms_per_1000_p99, max: 50}

    | key | |
    |---|---|
    | `fact` | `predict_cpu_ms_per_1000_p50` or `predict_cpu_ms_per_1000_p99`: milliseconds of the processor that scoring 1,000 rows takes, the median and the 99th percentile over batches; `predict_ms_per_1000_p50`, `predict_ms_per_1000_p99`: as much by the clock, which other processes make longer; `model_bytes`; `fit_seconds`; `peak_memory_mb`: the most that the process which fitted and scored ever held |
    | `max`, `min` | the limits, in the fact's unit; `max` must be given; a value on the limit meets it |

    Rests on what the run measured about itself, on its own machine; rows cannot show it. A fact that is missing,
    negative or not finite is an ERROR. Needs no champion.
    """  # noqa: E501 (table rows)

    reads: ClassVar[Reads] = Reads.FACTS
    unplanned: ClassVar[str] = "it reads what the run measured: nothing is estimated"
    example: ClassVar[Mapping[str, Any]] = {"kind": "resource", "fact": "fit_seconds", "max": 60.0}

    kind: Literal["resource"]
    fact: Annotated[
        Literal[
            "predict_cpu_ms_per_1000_p50",
            "predict_cpu_ms_per_1000_p99",
            "predict_ms_per_1000_p50",
            "predict_ms_per_1000_p99",
            "model_bytes",
            "fit_seconds",
            "peak_memory_mb",
        ],
        Changed(Category.GATES, identity=True),
    ]
    max: Annotated[float, Field(ge=0), lower(Category.FLOOR)]
    min: Annotated[Annotated[float, Field(ge=0)] | None, higher(Category.FLOOR)] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.min > self.max:
            raise PydanticCustomError("limits", "min is above max; expected min <= max")
        return self

    @property
    def rule(self) -> str:
        minimum = f" and >= {self.min:.12g}" if self.min is not None else ""
        return f"{self.fact} <= {self.max:.12g}{minimum}"

    def judge(self, name: str, case: Case) -> Outcome:
        value = parse_number(case.facts, self.fact)
        verdict = compare_with_limits(value, None, minimum=self.min, maximum=self.max, decide="point")
        message = f"{self.fact} is {format_number(value)}{UNITS[self.fact]}, as the run measured; asked: {self.rule}"
        return self.outcome(name, verdict, message, case, metric=self.fact, observed=value)
