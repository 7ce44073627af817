"""What a gate is shown: the evidence as the policy wants it read, and the levels it is judged at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gates.errors import UnjudgeableError
from gates.evidence import Evidence
from gates.metrics import METRICS
from gates.metrics.estimate import Rows
from gates.metrics.metric import Metric

NO_CHAMPION = "no champion yet: there is nothing to compare with"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One challenger before the gates.

    `rows` carries clusters only where the policy uses them. `spent` says in words why no further scheduled
    comparison counts on this holdout; empty where one does. `no_champion` is true where there is nothing to
    compare with yet, so that comparisons are skipped.
    """

    evidence: Evidence
    rows: Rows
    confidence: float
    scheduled_confidence: float
    min_clusters: int
    no_champion: bool
    spent: str

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.evidence.facts

    @property
    def few_clusters(self) -> str:
        """Why the clusters cannot carry an interval, in words; empty where they can."""
        return few_clusters(self.rows, self.min_clusters)


def few_clusters(rows: Rows, least: int) -> str:
    """Why the clusters of `rows` cannot carry an interval, in words; empty where they can."""
    if rows.clusters is None or rows.clusters >= least:
        return ""
    return f"only {rows.clusters} clusters, at least {least} are asked"


def metric_for(name: str, rows: Rows, task: str) -> Metric:
    """The metric by name, where it is defined on `rows`. Raises UnjudgeableError where it is not."""
    metric = METRICS[name]
    if metric.task != task:
        fitting = ", ".join(known.name for known in METRICS.values() if known.task == task)
        raise UnjudgeableError(f"{name} is a metric for {metric.task}", expected=f"for {task} one of {fitting}")
    if rows.n == 0:
        raise UnjudgeableError("there are no rows", expected="at least one scored row")
    weight = rows.weight
    for value in metric.needs:
        held = rows.label == value
        if not (np.any(held) if weight is None else np.any(weight[held] > 0)):
            raise UnjudgeableError(f"{name} is undefined: no row has label {value:g}", expected="rows of both labels")
    return metric


def need_champion(case: Case) -> None:
    """Raises UnjudgeableError where a comparison has nothing to compare with."""
    if case.rows.champion is None:
        raise UnjudgeableError(
            "the evidence has no champion scores",
            expected="a column `champion`",
            hint="evaluate again: the champion of the log is then scored on the same rows",
        )
