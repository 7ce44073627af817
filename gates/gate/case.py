"""What a gate judges: the evidence, read as the policy wants, and the confidence levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import (
    Difference,
    Differences,
    Estimate,
    Estimates,
    estimate_differences,
    estimate_metric,
)
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows, Rows, cross_columns
from lockgate.gates.records.outcome import Verdict

NO_CHAMPION = "no champion yet: there is nothing to compare with"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One challenger before the gates. All gates of a policy get the same case."""

    evidence: Evidence
    rows: Rows  # with clusters only where the policy uses them
    confidence: float  # one-sided, of each bound
    scheduled_confidence: float  # of a scheduled comparison: higher, as the looks share the error rate
    min_clusters: int
    no_champion: bool  # nothing to compare with yet: comparisons are skipped
    spent: str  # why no further scheduled comparison can pass on this holdout; empty where one can
    uncompared: str = ""  # why it is unknown whether there is a champion: comparisons then show nothing
    now: datetime | None = None  # the time of the judgement, where it was given
    # results that several gates of a policy ask for: `split`, `estimates` and `differences` compute each once
    _computed: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.evidence.facts

    @property
    def clusters(self) -> int | None:
        """How many clusters have rows that count; None where rows are not clustered."""
        counts = self.split().clusters
        return None if counts is None else int(counts[0])

    @property
    def absence(self) -> tuple[Verdict, str]:
        """Verdict and message of a comparison without a champion."""
        return (Verdict.INCONCLUSIVE, self.uncompared) if self.uncompared else (Verdict.SKIP, NO_CHAMPION)

    @property
    def few_clusters(self) -> str:
        """Why there are too few clusters for an interval; empty where there are enough."""
        return explain_few_clusters(self.clusters, self.min_clusters)

    def share_error_rate(self, parts: int) -> Case:
        """The same case with both error rates divided by `parts` (Bonferroni)."""
        return replace(
            self,
            confidence=1 - (1 - self.confidence) / parts,
            scheduled_confidence=1 - (1 - self.scheduled_confidence) / parts,
        )

    def split(self, by: Sequence[str] = ()) -> GroupedRows:
        """The rows, grouped by the values of slice columns; without columns they are one group.

        Raises:
            UnjudgeableError: the evidence does not have a column, or there are too many groups.
        """
        for name in by:
            if name not in self.evidence.slices:
                names = ", ".join(self.evidence.slices) or "none"
                raise UnjudgeableError(f"no slice column {name!r} in the evidence", expected=f"one of: {names}")
        key = ("split", *by)
        if key not in self._computed:
            columns = [self.evidence.slices[name] for name in by]
            self._computed[key] = (
                GroupedRows(rows=self.rows, groups=cross_columns(columns)) if by else GroupedRows(rows=self.rows)
            )
        computed: GroupedRows = self._computed[key]
        return computed

    def metric(self, name: str) -> Metric:
        """The metric of that name. Raises UnjudgeableError where the task has none."""
        return find_metric(name, self.evidence.task)

    def estimates(self, name: str, by: Sequence[str] = ()) -> Estimates:
        """The challenger's metric in each group of `split(by)`; NaN where it is undefined."""
        key = ("estimates", name, *by)
        if key not in self._computed:
            self._computed[key] = estimate_metric(self.metric(name), self.split(by))
        computed: Estimates = self._computed[key]
        return computed

    def differences(self, name: str, by: Sequence[str] = ()) -> Differences:
        """challenger − champion in each group of `split(by)`; NaN where it is undefined."""
        need_champion(self)
        key = ("differences", name, *by)
        if key not in self._computed:
            self._computed[key] = estimate_differences(self.metric(name), self.split(by))
        computed: Differences = self._computed[key]
        return computed

    def estimate(self, name: str) -> Estimate:
        """The challenger's metric on all rows. Raises UnjudgeableError where it is undefined."""
        return self._require_defined(name, self.estimates(name).of_group())

    def difference(self, name: str) -> Difference:
        """challenger − champion on all rows. Raises UnjudgeableError where it is undefined."""
        difference = self.differences(name).of_group()
        self._require_defined(name, difference)
        return difference

    def _require_defined(self, name: str, estimate: Estimate) -> Estimate:
        if np.isfinite(estimate.value):
            return estimate
        if np.isnan(estimate.value):
            raise UnjudgeableError(f"{name} is undefined on these rows", expected=self.metric(name).needs)
        raise UnjudgeableError(f"{name} is not a finite number on these rows", expected="scores of a usable size")


def explain_few_clusters(clusters: float | None, min_clusters: int) -> str:
    """Why there are too few clusters for an interval; empty where there are enough, or rows are not clustered."""
    if clusters is None or clusters >= min_clusters:
        return ""
    return f"only {clusters:.0f} clusters, at least {min_clusters} are asked"


def need_champion(case: Case) -> None:
    """Raises UnjudgeableError where the evidence has no champion scores."""
    if case.rows.champion is None:
        raise UnjudgeableError(
            "the evidence has no champion scores",
            expected="a column `champion`",
            hint="evaluate again: the champion of the log is then scored on the same rows",
        )
