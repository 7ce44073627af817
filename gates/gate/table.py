"""What a table is declared to have, before anything is read or trained: what a policy has to fit."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.gates.evidence.task import Task
from lockgate.gates.metrics import METRICS, explain_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTable:
    """The task, the slice columns, whether rows have a cluster, and how many periods the holdout has; 0 for none."""

    task: Task
    slices: tuple[str, ...]
    has_clusters: bool
    periods: int

    def explain_metric(self, name: str) -> str:
        """Why the task has no such metric, and which it has; empty where it has it."""
        problem = explain_unknown(name, METRICS[self.task].values())
        return f"{problem} for task {self.task}; expected one of {', '.join(METRICS[self.task])}" if problem else ""

    def explain_columns(self, columns: tuple[str, ...]) -> str:
        """Which columns are no slices of the table, and which are; empty where all are."""
        stray = ", ".join(name for name in columns if name not in self.slices)
        return f"the table has no slices by {stray}; expected {', '.join(self.slices) or 'slices'}" if stray else ""
