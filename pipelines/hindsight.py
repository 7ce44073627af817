"""What the month after a judgement showed: the two models on rows that neither of them, nor the judge, had seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gates import runs
from gates.metrics import METRICS
from gates.metrics.estimate import Rows, difference
from pipelines import data
from pipelines.models import load_model

if TYPE_CHECKING:
    from pipelines.data import Table
    from pipelines.models import Fitted
    from pipelines.settings import Settings


def next_month(settings: Settings, table: Table, *, challenger: str, champion: str, metric: str) -> float:
    """challenger − champion, as the metric is written, on the month after `settings.as_of`.

    Args:
        challenger, champion: pathspecs of finished runs.
        metric: a metric of the task.
    """
    month = data.next_period(settings.as_of)
    split = data.split(table, settings.data, settings.train, month)
    rows = Rows(
        label=split.labels,
        challenger=_model(challenger).score(split.holdout),
        champion=_model(champion).score(split.holdout),
    )
    return difference(METRICS[metric], rows).value


def _model(run: str) -> Fitted:
    told = runs.claim(run).evidence.facts["challenger"]
    return load_model(told["format"], runs.model_bytes(run), sha256=told["sha256"])
