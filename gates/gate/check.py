"""What every kind of gate has: the keys they share, how one is asked, and how it answers."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.limits import Bounds
from lockgate.gates.metrics import METRICS, unknown
from lockgate.gates.records.outcome import Outcome, Verdict
from lockgate.gates.strictness import WORDING, Category, Changed, Ranked

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PydanticCustomError(
            "name", "'{name}' is no name for a gate; expected lower case, digits and _", {"name": name[:80]}
        )
    return name


GateName = Annotated[str, AfterValidator(_named)]


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
    """Keys of every gate. Each key of a kind declares what makes it stricter: see `lockgate.gates.strictness`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    kind: str
    severity: Annotated[Literal["block", "warn"], Ranked(Category.SEVERITY, ("warn", "block"))] = "block"
    description: Annotated[Text, WORDING] = ""
    owner: Annotated[Text, WORDING] = ""

    @property
    def scheduled(self) -> bool:
        """Whether the schedule of looks applies: a comparison that asks for a gain."""
        return False

    @property
    def rule(self) -> str:
        """What must hold, in a few words."""
        return ""

    def outcome(
        self,
        name: str,
        verdict: Verdict,
        message: str,
        case: Case,
        *,
        metric: str | None = None,
        observed: float | None = None,
        bounds: Bounds | None = None,
        level: float | None = None,
        p: float | None = None,
        parts: tuple[Outcome, ...] = (),
        rows: float | None = None,
        clusters: float | None = None,
    ) -> Outcome:
        """What this gate, or a part of it, found. `rows` and `clusters` are the case's where none are given."""
        if rows is None:
            rows, clusters = case.rows.n, case.clusters
        return Outcome(
            name=name,
            kind=self.kind,
            severity=self.severity,
            verdict=verdict,
            metric=metric,
            observed=observed,
            low=bounds and bounds[0],
            high=bounds and bounds[1],
            level=level,
            p=p,
            rule=self.rule,
            rows=int(rows),
            clusters=None if clusters is None else int(clusters),
            message=message,
            parts=parts,
        )


class Judge(Protocol):
    """A gate: it looks at a case and says what it found. It may raise UnjudgeableError, never anything else."""

    def judge(self, name: str, case: Case) -> Outcome: ...


def _known(name: str) -> str:
    if problem := unknown(name):
        known = ", ".join(dict.fromkeys(name for of_task in METRICS.values() for name in of_task))
        raise PydanticCustomError("metric", "{problem}; expected one of {known}", {"problem": problem, "known": known})
    return name


MetricName = Annotated[str, AfterValidator(_known), Changed(Category.GATES, identity=True)]
Decide = Annotated[
    Literal["bound", "point"],
    Ranked(Category.WAIVER, ("point", "bound"), "the value alone decides: noise may carry it over the limit"),
]
