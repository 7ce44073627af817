"""What every kind of gate has: shared keys, what it says about itself, how it judges and how it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from lockgate.gates.gate.case import Case
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.metrics import METRICS, Metric, explain_unknown
from lockgate.gates.records.numbers import Bounds
from lockgate.gates.records.outcome import Information, Outcome, Verdict
from lockgate.gates.strictness import WORDING, Category, Changed, Ranked

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise PydanticCustomError(
            "name", "'{name}' is no name for a gate; expected lower case, digits and _", {"name": name[:80]}
        )
    return name


GateName = Annotated[str, AfterValidator(_check_name)]


MAX_INTEGER = 2**53 - 1
"""The largest whole number that JSON holds exactly. A policy's digest is computed from its JSON."""


def _writable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as err:
        raise PydanticCustomError("text", "the text cannot be written as UTF-8; expected whole characters") from err
    return text


Text = Annotated[str, AfterValidator(_writable)]


class Reads(StrEnum):
    """What a gate's verdict rests on."""

    CHALLENGER = "challenger"  # the challenger's scores of the holdout
    BOTH_MODELS = "both models"  # scores of challenger and champion on the same rows
    ROW_IDS = "row ids"  # which rows there are, whatever their scores
    FACTS = "facts"  # what the run measured or counted
    RUN = "run"  # where the evidence comes from


class Check(BaseModel):
    """Keys of every gate, and what each kind says about itself.

    A kind is a subclass with its keys, `judge`, and the class variables below; the rest of lockgate asks the class
    instead of listing kinds. Each key declares what makes it stricter: see `lockgate.gates.strictness`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    reads: ClassVar[Reads]
    """What the kind's verdict rests on; a selftest leaves out, or judges once, what no planted score reaches."""

    example: ClassVar[Mapping[str, Any]]
    """A gate of this kind as a policy declares it, for the conformance tests: it passes on their evidence."""

    part_noun: ClassVar[str] = "part"
    """What one of the outcome's `parts` is called in reports: slice, clause, …"""

    unplanned: ClassVar[str] = ""
    """Why `lockgate plan` needs no sample for this kind; empty where the kind estimates something."""

    kind: str
    severity: Annotated[Literal["block", "warn"], Ranked(Category.SEVERITY, ("warn", "block"))] = "block"
    description: Annotated[Text, WORDING] = ""
    owner: Annotated[Text, WORDING] = ""

    @property
    def is_scheduled(self) -> bool:
        """Whether each judgement takes one of the schedule's looks: true of comparisons that ask for a gain."""
        return False

    @property
    def rule(self) -> str:
        """What must hold, in a few words, for reports and the decision."""
        return ""

    @property
    def sources(self) -> frozenset[Reads]:
        """What this gate reads, as its keys have it; more than one where it holds other checks."""
        return frozenset({self.reads})

    @property
    def compared_metrics(self) -> tuple[str, ...]:
        """Metrics in which this gate compares challenger and champion: a plan or a selftest counts gains in them."""
        return ()

    @property
    def metrics_of_all_rows(self) -> tuple[str, ...]:
        """Those of `compared_metrics` that are compared over all rows at once, and not in parts of them."""
        return self.compared_metrics

    def list_misfits(self, table: DeclaredTable) -> dict[str, str]:
        """Why no run on such a table can be judged by this gate: `problem; expected …` by key. Empty where it can."""
        metric = getattr(self, "metric", None)
        return _without_empty({"metric": table.explain_metric(metric) if isinstance(metric, str) else ""})

    def judge(self, name: str, case: Case) -> Outcome:
        """What the gate called `name` says of the case. May raise UnjudgeableError, never anything else."""
        raise NotImplementedError

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
        information: Information | None = None,
    ) -> Outcome:
        """The outcome of this gate, or of a part of it. Without `rows`, rows and clusters are those of the case."""
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
            information=information,
            level=level,
            p=p,
            rule=self.rule,
            rows=int(rows),
            clusters=None if clusters is None else int(clusters),
            message=message,
            parts=parts,
        )


def _without_empty(misfits: Mapping[str, str]) -> dict[str, str]:
    return {key: problem for key, problem in misfits.items() if problem}


def _check_metric(name: str) -> str:
    if problem := explain_unknown(name):
        names = ", ".join(dict.fromkeys(name for of_task in METRICS.values() for name in of_task))
        raise PydanticCustomError("metric", "{problem}; expected one of {known}", {"problem": problem, "known": names})
    return name


MetricName = Annotated[str, AfterValidator(_check_metric), Changed(Category.GATES, identity=True)]


def _check_comparable(name: str) -> str:
    of_tasks = (of_task[name] for of_task in METRICS.values() if name in of_task)
    reason = next((metric.incomparable for metric in of_tasks if isinstance(metric, Metric)), "")
    if reason:
        raise PydanticCustomError(
            "incomparable",
            "{name} cannot be compared; expected another metric, as {reason}",
            {"name": name, "reason": reason},
        )
    return name


ComparedMetricName = Annotated[MetricName, AfterValidator(_check_comparable)]
Decide = Annotated[
    Literal["bound", "point"],
    Ranked(Category.WAIVER, ("point", "bound"), "the value alone decides: noise may carry it over the limit"),
]
