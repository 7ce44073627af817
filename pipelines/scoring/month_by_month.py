"""What a gate over periods says of a judgement after the fact: the months before the holdout, each predicted afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.gates import runs
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.engine import judge
from lockgate.gates.kinds.periods import Periods
from lockgate.pipelines import data
from lockgate.pipelines.data.settings import RollingHoldout
from lockgate.pipelines.models import load_model
from lockgate.pipelines.scoring.evidence import holdout_columns
from lockgate.pipelines.scoring.train import score_period

if TYPE_CHECKING:
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.outcome import Outcome
    from lockgate.pipelines.data import Table
    from lockgate.pipelines.models import Fitted
    from lockgate.pipelines.promotion.events import Reporter
    from lockgate.pipelines.settings.settings import Settings


def judge_months(
    settings: Settings,
    table: Table,
    policy: Policy,
    *,
    challenger: str,
    champion: str,
    months: int,
    metric: str,
    margin: float,
    report: Reporter,
) -> tuple[Outcome, Outcome]:
    """The outcomes of `require: every` and of `require: mean` on the last `months` months up to `settings.as_of`.

    For each month before the last, the configured model is fitted on the rows before it. Months that the champion was
    trained on are left out, and are too few then. Nothing is logged; levels and clusters are those of `policy`.

    Args:
        challenger, champion: pathspecs of finished runs, of which the challenger's held `settings.as_of` out.
    """
    rolling = settings.model_copy(
        update={"data": settings.data.model_copy(update={"holdout": RollingHoldout(kind="rolling", periods=months)})}
    )
    ours, _ = _load(challenger)
    theirs, since = _load(champion)
    periods = data.list_periods(table, rolling.data, settings.as_of)
    *before, last = (period for period in periods if period >= since)  # of one kind, whose names are in their order
    earlier = [score_period(rolling, table, period, report=report) for period in before]
    splits = [*(period.split for period in earlier), data.split(table, rolling.data, rolling.train, last)]
    evidence = Evidence.from_arrays(
        **holdout_columns(splits),
        challenger=np.concatenate([*(period.scores for period in earlier), ours.score(splits[-1].holdout)]),
        champion=np.concatenate([theirs.score(split.holdout) for split in splits]),
        task=settings.data.task,
    )
    checks = {
        require: Periods(kind="periods", metric=metric, margin=margin, require=require, min_periods=months)
        for require in ("every", "mean")
    }
    every, mean = judge(policy.model_copy(update={"checks": checks}), evidence).outcomes
    return every, mean


def _load(run: str) -> tuple[Fitted, str]:
    """A run's model, and the month that it held out."""
    facts = runs.load_claim(run).evidence.facts
    model = facts["challenger"]
    return load_model(model["format"], runs.load_model_bytes(run), sha256=model["sha256"]), str(facts["as_of"])
