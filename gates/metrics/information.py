"""What estimates rest on: the rows and clusters that carry the metric, and how far their error is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.records.outcome import Information
from lockgate.gates.stats.scored import Floats
from lockgate.gates.stats.uncertainty import Uncertainty


@dataclass(frozen=True, slots=True, kw_only=True)
class Informations:
    """`Information` of S estimates, as arrays (S,); None for what does not exist for any of them."""

    rows: Floats
    class_rows: Floats | None
    clusters: Floats | None = None
    effective: Floats | None = None
    df: Floats | None = None
    lag_1: Floats | None = None

    @classmethod
    def of(
        cls, split: GroupedRows, metric: Metric | None, uncertainty: Uncertainty | None = None, *, paired: bool = False
    ) -> Informations:
        """What an estimate of the metric rests on in each group; without a metric, all rows.

        uncertainty: None where a test of counts needs none.
        """
        class_rows = None if metric is None else split.class_rows(metric, paired=paired)
        alone = metric is not None and metric.carriers is not None and metric.carriers.alone
        rows = split.n if class_rows is None or not alone else class_rows
        if uncertainty is None:
            return cls(rows=rows, class_rows=class_rows)
        plain = split.rows.plain
        return cls(
            rows=rows,
            class_rows=class_rows,
            clusters=None if split.clusters is None else uncertainty.units,
            effective=None if plain else uncertainty.effective,
            df=uncertainty.df,
            lag_1=uncertainty.lag_1 if split.units.ordered else None,
        )

    def of_group(self, group: int) -> Information:
        """What the estimate of one group rests on."""

        def pick(values: Floats | None) -> float | None:
            return None if values is None or np.isnan(values[group]) else float(values[group])

        class_rows, clusters = pick(self.class_rows), pick(self.clusters)
        return Information(
            rows=int(self.rows[group]),
            class_rows=None if class_rows is None else int(class_rows),
            clusters=None if clusters is None else int(clusters),
            effective_clusters=pick(self.effective),
            degrees_of_freedom=pick(self.df),
            lag_1=pick(self.lag_1),
        )
