"""Metrics by task and name: the one dict where policies, reports and docs look names up.

To add a team's own loss, write a function `late(label, score)` → float64 (n,) in a module of this folder, with a
docstring that says what it measures, and add one entry to `_ALL`:

    Metric.of_loss(late, name="late", task="regression", unit="hours"),

Intervals, weights, clusters, slices, fairness and paired differences then work for it. For a share, use
`Metric.of_hits`. Any other metric returns its value and influence values (`Linear`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.task import TASKS, Task
from lockgate.gates.metrics import classification, regression
from lockgate.gates.metrics.carriers import RARER_LABEL, RARER_LABEL_MOSTLY, Carriers
from lockgate.gates.metrics.decisions import DECISIONS
from lockgate.gates.metrics.metric import Family, Metric
from lockgate.gates.metrics.multiclass import MULTICLASS
from lockgate.gates.metrics.quantile import QUANTILE
from lockgate.gates.metrics.ranking import RANKING
from lockgate.gates.metrics.score import SCORE
from lockgate.gates.stats.scored import Linear

_ALL: tuple[Metric | Family, ...] = (
    Metric(
        name="auc",
        task="binary",
        higher_is_better=True,
        low=0.0,
        high=1.0,
        unit="probability",
        method="delong",
        linearise=classification.auc,
        needs="rows of both labels",
        carriers=RARER_LABEL,
    ),
    Metric(
        name="average_precision",
        task="binary",
        higher_is_better=True,
        low=0.0,
        high=1.0,
        unit="probability",
        method="smooth",
        linearise=classification.average_precision,
        needs="rows with label 1",
        carriers=Carriers(lambda scored: scored.label == 1),
    ),
    Metric.of_loss(classification.log_loss, name="log_loss", task="binary", unit="nats", carriers=RARER_LABEL_MOSTLY),
    Metric.of_loss(
        classification.brier,
        name="brier",
        task="binary",
        unit="squared probability",
        high=1.0,
        carriers=RARER_LABEL_MOSTLY,
    ),
    Metric.of_hits(classification.accuracy, name="accuracy", task="binary"),
    Metric(
        name="ece",
        task="binary",
        higher_is_better=False,
        low=0.0,
        high=1.0,
        unit="probability",
        method="smooth",
        linearise=classification.ece,
        symmetric=True,
        incomparable=classification.ECE_IS_BIASED,
    ),
    Metric(
        name="rmse",
        task="regression",
        higher_is_better=False,
        low=0.0,
        high=math.inf,
        unit="the target's",
        method="smooth",
        linearise=regression.rmse,
    ),
    Metric.of_loss(regression.mae, name="mae", task="regression", unit="the target's"),
    Metric(
        name="mape",
        task="regression",
        higher_is_better=False,
        low=0.0,
        high=math.inf,
        unit="share of the label",
        method="smooth",
        linearise=regression.mape,
        needs="no label of 0",
    ),
    Metric(
        name="r2",
        task="regression",
        higher_is_better=True,
        low=-math.inf,
        high=1.0,
        unit="share of the variance",
        method="smooth",
        linearise=regression.r2,
        needs="labels that differ",
    ),
    *DECISIONS,
    *MULTICLASS,
    *QUANTILE,
    *RANKING,
    *SCORE,
)

METRICS: dict[Task, dict[str, Metric | Family]] = {
    task: {each.name: each for each in _ALL if each.task == task} for task in TASKS
}

_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:@([0-9]{1,9}(?:\.[0-9]{1,9})?))?")


def find_metric(name: str, task: Task) -> Metric:
    """The metric that a policy calls `name`, with its number if it takes one: `auc`, `recall@0.3`, `ndcg@10`.

    Raises:
        UnjudgeableError: no metric of that name for `task`.
    """
    if problem := explain_unknown(name, METRICS[task].values()):
        raise UnjudgeableError(f"{problem} for task {task}", expected=f"one of {', '.join(METRICS[task])}")
    base, _, number = name.partition("@")
    entry = METRICS[task][base]
    if isinstance(entry, Metric):
        return entry
    return entry.make(float(number) if number else entry.default or 0.0)


def explain_unknown(name: str, among: Iterable[Metric | Family] = _ALL) -> str:
    """Why no metric is called `name`, in words; empty if there is such a metric."""
    parts = _NAME.fullmatch(name)
    fitting = [candidate for candidate in among if parts and candidate.name == parts[1]]
    if not parts or not fitting:
        near = get_close_matches(name, [candidate.name for candidate in among], n=1)
        return f"unknown metric {name[:80]!r}" + (f", did you mean {near[0]!r}?" if near else "")
    problems = [_explain_number(candidate, parts[2]) for candidate in fitting]
    return "" if "" in problems else problems[0]


def _explain_number(candidate: Metric | Family, number: str | None) -> str:
    if isinstance(candidate, Metric):
        return "" if number is None else f"{candidate.name} takes no number"
    if number is None:
        return (
            ""
            if candidate.default is not None
            else f"{candidate.name} needs a number, {candidate.parameter}: {candidate.name}@…"
        )
    value = float(number)
    fits = candidate.low <= value <= candidate.high and (not candidate.whole or value == int(value))
    kind = "a whole number" if candidate.whole else "a number"
    return (
        ""
        if fits
        else f"{candidate.name}@{number}: {candidate.parameter} is {kind} from {candidate.low:g} to {candidate.high:g}"
    )


__all__ = ["METRICS", "Family", "Linear", "Metric", "Task", "explain_unknown", "find_metric"]
