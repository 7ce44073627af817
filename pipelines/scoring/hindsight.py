"""What the month after a judgement showed: both models on rows that neither the models nor the judge had seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockgate.gates import runs
from lockgate.gates.metrics import find_metric as metric_named
from lockgate.gates.metrics.estimate import estimate_differences
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.pipelines import data
from lockgate.pipelines.models import load_model

if TYPE_CHECKING:
    from lockgate.pipelines.data import Table
    from lockgate.pipelines.models import Fitted
    from lockgate.pipelines.settings.settings import Settings


def next_month(settings: Settings, table: Table, *, challenger: str, champion: str, metric: str) -> float:
    """challenger − champion, as the metric is written, on the month after `settings.as_of`.

    Args:
        challenger, champion: pathspecs of finished runs.
        metric: a metric of the task.
    """
    month = data.next_period(settings.as_of, settings.data.period)
    split = data.split(table, settings.data, settings.train, month)
    rows = Rows(
        label=split.labels,
        challenger=_model(challenger).score(split.holdout),
        champion=_model(champion).score(split.holdout),
    )
    return estimate_differences(metric_named(metric, settings.data.task), GroupedRows(rows=rows)).of_group().value


def _model(run: str) -> Fitted:
    facts = runs.load_claim(run).evidence.facts["challenger"]
    return load_model(facts["format"], runs.load_model_bytes(run), sha256=facts["sha256"])
