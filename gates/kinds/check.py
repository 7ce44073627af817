"""What every kind of gate has: the keys they share, and how one is asked."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from gates.case import Case
from gates.metrics import METRICS
from gates.outcome import Outcome

MOST = 2**53 - 1
"""The largest whole number that JSON holds exactly; a policy's digest is of its JSON."""


def _writable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise PydanticCustomError("text", "the text cannot be written as UTF-8; expected whole characters") from err
    return text


Text = Annotated[str, AfterValidator(_writable)]


class Check(BaseModel):
    """Keys of every gate."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    kind: str
    severity: Literal["block", "warn"] = "block"
    description: Text = ""
    owner: Text = ""


class Judge(Protocol):
    """A gate: it looks at a case and says what it found. It may raise UnjudgeableError, never anything else."""

    def judge(self, name: str, case: Case) -> Outcome: ...


def _known(name: str) -> str:
    if name not in METRICS:
        raise PydanticCustomError(
            "metric", "unknown metric '{got}'; expected one of {known}", {"got": name[:80], "known": ", ".join(METRICS)}
        )
    return name


MetricName = Annotated[str, AfterValidator(_known)]
Decide = Literal["bound", "point"]
