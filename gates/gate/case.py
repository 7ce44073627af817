"""What a gate judges: the evidence, read as the policy wants, and the confidence levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.defects import hash_row_id
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
from lockgate.gates.records.outcome import Information, Verdict
from lockgate.gates.stats.scored import TOLERANCE

MAX_NAMED = 3
"""How many rows or clusters a message names."""

NO_CHAMPION = "no champion was scored on these rows: there is nothing to compare with"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One challenger before the gates. All gates of a policy get the same case."""

    evidence: Evidence
    rows: Rows  # with clusters only where the policy uses them
    confidence: float  # one-sided, of each bound
    scheduled_confidence: float  # of a scheduled comparison: higher, as the looks share the error rate
    min_clusters: int  # effective ones
    min_class_rows: int
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
    def information(self) -> Information:
        """What a number rests on that all rows carry alike."""
        split = self.split()
        clusters = self.clusters
        return Information(
            rows=self.rows.n,
            clusters=clusters,
            effective_clusters=None if clusters is None else float(split.units.effective[0]),
        )

    @property
    def absence(self) -> tuple[Verdict, str]:
        """Verdict and message of a comparison without a champion."""
        return (Verdict.INCONCLUSIVE, self.uncompared) if self.uncompared else (Verdict.SKIP, NO_CHAMPION)

    def explain_shortfall(self, information: Information, metric: Metric | None = None) -> str:
        """Why what an estimate on all rows rests on is too little for an interval; empty where it is enough."""
        few = self.explain_few_clusters(information)
        if few and information.clusters is not None and metric is not None and metric.carriers is not None:
            few += f"; most of it lies in {self._name_largest_clusters(metric)}"
        return few or self.explain_few_class_rows(information)

    def explain_few_clusters(self, information: Information) -> str:
        """Why there are too few effective clusters for an interval; empty where there are enough."""
        effective = information.effective_clusters
        if effective is None or effective >= self.min_clusters - TOLERANCE:
            return ""
        asked = f"at least {self.min_clusters} are asked (min_clusters)"
        if information.clusters is None:
            return f"the rows weigh as much as {effective:.3g} of equal weight, {asked}"
        if effective > information.clusters - 0.05:
            return f"only {information.clusters} clusters, {asked}"
        return f"what carries the metric lies in as few clusters as {effective:.3g} of equal size, {asked}"

    def explain_few_class_rows(self, information: Information) -> str:
        """Why too few rows carry the metric for an interval; empty where there are enough, or all rows do."""
        if information.class_rows is None or information.class_rows >= self.min_class_rows:
            return ""
        rows = f"{information.class_rows} row{'s' * (information.class_rows != 1)}"
        return f"only {rows} of the rarer class, at least {self.min_class_rows} are asked (min_class_rows)"

    def name_heaviest_rows(self, metric: Metric) -> str:
        """The rows that carry most of the variance of a metric's difference, at most three, with their share of it.

        Ids are hashed.
        """
        square = self.split().paired_difference(metric).influence ** 2
        if square.max() <= TOLERANCE**2:
            return "the difference is the same in every row, which shows no spread"
        rows = np.argsort(square)[::-1][:MAX_NAMED]
        count = int(np.searchsorted(np.cumsum(square[rows]), square.sum() / 2)) + 1
        rows = rows[:count]
        names = ", ".join(hash_row_id(self.evidence.row_id[int(row)].as_py()) for row in rows)
        share = square[rows].sum() / square.sum()
        verb = "carries" if rows.size == 1 else "carry"
        return f"{rows.size} of {square.size:,} rows {verb} {share:.0%} of the variance (ids hashed: {names})"

    def _name_largest_clusters(self, metric: Metric) -> str:
        """The clusters that carry most of a metric, at most three: by name where they are days or the like."""
        size, cluster = self.split().carrying_units(metric).size, self.evidence.cluster
        names = []
        for code in np.argsort(size)[::-1][:MAX_NAMED].tolist():
            row = int(np.argmax(self.rows.cluster == code))  # codes may be in the order of time
            name = None if cluster is None else cluster.values[cluster.codes[row]]
            names.append(repr(name) if self.rows.ordered else hash_row_id(name))
        return ", ".join(names) + ("" if self.rows.ordered else " (hashed)")

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

    def compared_metric(self, name: str) -> Metric:
        """`metric`, for a comparison of two models. Raises UnjudgeableError where they cannot be compared in it."""
        metric = self.metric(name)
        if metric.incomparable:
            raise UnjudgeableError(f"two models cannot be compared in {name}", expected=metric.incomparable)
        return metric

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
        metric = self.compared_metric(name)
        key = ("differences", name, *by)
        if key not in self._computed:
            self._computed[key] = estimate_differences(metric, self.split(by))
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


def need_champion(case: Case) -> None:
    """Raises UnjudgeableError where the evidence has no champion scores."""
    if case.rows.champion is None:
        raise UnjudgeableError(
            "the evidence has no champion scores",
            expected="a column `champion`",
            hint="evaluate again: the champion of the log is then scored on the same rows",
        )
