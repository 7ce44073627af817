"""Metrics by task and name: the one dict that policies, reports and docs take their names from.

A team's own loss is one function and one entry: write `def late(label, score)` → float64 (n,) in a module here, its
docstring saying what it is, and add to `_ALL`

    Metric.of_loss(late, name="late", task="regression", unit="hours"),

Intervals, weights, clusters, slices, fairness and the paired difference come with it. A share is `Metric.of_hits`;
anything else gives its value and influences (`Linear`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.task import TASKS, Task
from lockgate.gates.metrics import classification, regression
from lockgate.gates.metrics.decisions import DECISIONS
from lockgate.gates.metrics.metric import Family, Metric
from lockgate.gates.metrics.multiclass import MULTICLASS
from lockgate.gates.metrics.quantile import QUANTILE
from lockgate.gates.metrics.ranking import RANKING
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
    ),
    Metric.of_loss(classification.log_loss, name="log_loss", task="binary", unit="nats"),
    Metric.of_loss(classification.brier, name="brier", task="binary", unit="squared probability", high=1.0),
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
)

METRICS: dict[Task, dict[str, Metric | Family]] = {
    task: {one.name: one for one in _ALL if one.task == task} for task in TASKS
}

_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:@([0-9]{1,9}(?:\.[0-9]{1,9})?))?")


def metric(name: str, task: Task) -> Metric:
    """The metric that a policy calls `name`, with its number where it takes one: `auc`, `recall@0.3`, `ndcg@10`.

    Raises:
        UnjudgeableError: no metric of that name for `task`.
    """
    if problem := unknown(name, METRICS[task].values()):
        raise UnjudgeableError(f"{problem} for task {task}", expected=f"one of {', '.join(METRICS[task])}")
    base, _, number = name.partition("@")
    found = METRICS[task][base]
    if isinstance(found, Metric):
        return found
    return found.make(float(number) if number else found.default or 0.0)


def unknown(name: str, among: Iterable[Metric | Family] = _ALL) -> str:
    """Why no metric is called `name`, in words; empty where one is."""
    parts = _NAME.fullmatch(name)
    fitting = [one for one in among if parts and one.name == parts[1]]
    if not parts or not fitting:
        near = get_close_matches(name, [one.name for one in among], n=1)
        return f"unknown metric {name[:80]!r}" + (f", did you mean {near[0]!r}?" if near else "")
    problems = [_misnumbered(one, parts[2]) for one in fitting]
    return "" if "" in problems else problems[0]


def _misnumbered(one: Metric | Family, number: str | None) -> str:
    if isinstance(one, Metric):
        return "" if number is None else f"{one.name} takes no number"
    if number is None:
        return "" if one.default is not None else f"{one.name} needs a number, {one.parameter}: {one.name}@…"
    value = float(number)
    fits = one.low <= value <= one.high and (not one.whole or value == int(value))
    kind = "a whole number" if one.whole else "a number"
    return "" if fits else f"{one.name}@{number}: {one.parameter} is {kind} from {one.low:g} to {one.high:g}"


__all__ = ["METRICS", "Family", "Linear", "Metric", "Task", "metric", "unknown"]
