"""What a gate is shown: the evidence as the policy wants it read, and the levels it is judged at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.metrics import metric
from lockgate.gates.metrics.estimate import Difference, Differences, Estimate, Estimates, differences, estimates
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import Rows, Split, crossed
from lockgate.gates.records.outcome import Verdict

NO_CHAMPION = "no champion yet: there is nothing to compare with"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One challenger before the gates.

    `rows` carries clusters only where the policy uses them. `spent` says in words why no further scheduled
    comparison counts on this holdout; empty where one does. `no_champion` is true where there is nothing to
    compare with yet, so that comparisons are skipped; `uncompared` says in words why that is not known, and they show
    nothing. `now` is the time of the judgement, where it was given.

    What several gates ask for is computed once: see `split`, `estimates`, `differences`.
    """

    evidence: Evidence
    rows: Rows
    confidence: float
    scheduled_confidence: float
    min_clusters: int
    no_champion: bool
    spent: str
    uncompared: str = ""
    now: datetime | None = None
    _held: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.evidence.facts

    @property
    def clusters(self) -> int | None:
        """How many clusters have rows that count; None where rows are not clustered."""
        held = self.split().clusters
        return None if held is None else int(held[0])

    @property
    def absence(self) -> tuple[Verdict, str]:
        """What a comparison says where there is no champion beside the challenger, and why."""
        return (Verdict.INCONCLUSIVE, self.uncompared) if self.uncompared else (Verdict.SKIP, NO_CHAMPION)

    @property
    def few_clusters(self) -> str:
        """Why the clusters cannot carry an interval, in words; empty where they can."""
        return too_few(self.clusters, self.min_clusters)

    def shared(self, parts: int) -> Case:
        """The same case with the error rate, scheduled or not, divided among `parts`."""
        return replace(
            self,
            confidence=1 - (1 - self.confidence) / parts,
            scheduled_confidence=1 - (1 - self.scheduled_confidence) / parts,
        )

    def split(self, by: Sequence[str] = ()) -> Split:
        """The rows, in the groups that some slice columns form; all in one without any.

        Raises:
            UnjudgeableError: a column that the evidence does not have, or too many groups.
        """
        for name in by:
            if name not in self.evidence.slices:
                known = ", ".join(self.evidence.slices) or "none"
                raise UnjudgeableError(f"no slice column {name!r} in the evidence", expected=f"one of: {known}")
        key = ("split", *by)
        if key not in self._held:
            columns = [self.evidence.slices[name] for name in by]
            self._held[key] = Split(rows=self.rows, groups=crossed(columns)) if by else Split(rows=self.rows)
        held: Split = self._held[key]
        return held

    def metric(self, name: str) -> Metric:
        """The metric by name. Raises UnjudgeableError where the task has none of that name."""
        return metric(name, self.evidence.task)

    def estimates(self, name: str, by: Sequence[str] = ()) -> Estimates:
        """The challenger's metric in each group of `split(by)`; NaN where it is undefined."""
        key = ("estimates", name, *by)
        if key not in self._held:
            self._held[key] = estimates(self.metric(name), self.split(by))
        held: Estimates = self._held[key]
        return held

    def differences(self, name: str, by: Sequence[str] = ()) -> Differences:
        """challenger − champion in each group of `split(by)`; NaN where it is undefined."""
        need_champion(self)
        key = ("differences", name, *by)
        if key not in self._held:
            self._held[key] = differences(self.metric(name), self.split(by))
        held: Differences = self._held[key]
        return held

    def estimate(self, name: str) -> Estimate:
        """The challenger's metric on all rows. Raises UnjudgeableError where it is undefined."""
        return self._defined(name, self.estimates(name).one())

    def difference(self, name: str) -> Difference:
        """challenger − champion on all rows. Raises UnjudgeableError where it is undefined."""
        found = self.differences(name).one()
        self._defined(name, found)
        return found

    def _defined(self, name: str, found: Estimate) -> Estimate:
        if np.isfinite(found.value):
            return found
        if np.isnan(found.value):
            raise UnjudgeableError(f"{name} is undefined on these rows", expected=self.metric(name).needs)
        raise UnjudgeableError(f"{name} is not a finite number on these rows", expected="scores of a usable size")


def too_few(clusters: float | None, least: int) -> str:
    """Why so many clusters cannot carry an interval, in words; empty where they can, or rows are not clustered."""
    if clusters is None or clusters >= least:
        return ""
    return f"only {clusters:.0f} clusters, at least {least} are asked"


def need_champion(case: Case) -> None:
    """Raises UnjudgeableError where a comparison has nothing to compare with."""
    if case.rows.champion is None:
        raise UnjudgeableError(
            "the evidence has no champion scores",
            expected="a column `champion`",
            hint="evaluate again: the champion of the log is then scored on the same rows",
        )
