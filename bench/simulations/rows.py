"""Rows to simulate with. Replications are groups, so that one call of the engine judges thousands of holdouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import special

from lockgate.gates.metrics import METRICS, Family, Metric, Task
from lockgate.gates.metrics.rows import GroupedRows, Groups, Rows
from lockgate.gates.stats.scored import Codes, Floats

MAX_ROWS_AT_ONCE = 500_000
"""How many rows are in memory at once."""

TRUTH_ROWS = 1_000_000
"""The true values of a population are means over samples of this many rows."""

CLASSES, ITEMS, TRIES = 4, 8, 4

Draw = Callable[[np.random.Generator, int], Rows]


def binary(rng: np.random.Generator, n: int) -> Rows:
    """Two models of the same logit with noise; both are overconfident, and too high by .3 on the logit scale."""
    truth = rng.normal(-0.5, 1.5, n)
    label = (rng.random(n) < special.expit(truth)).astype(np.float64)
    challenger, champion = (special.expit(1.2 * truth + 0.3 + rng.normal(0, noise, n)) for noise in (0.6, 0.9))
    return Rows(label=label, challenger=challenger, champion=champion)


def multiclass(rng: np.random.Generator, n: int) -> Rows:
    """Four classes, the scores those of noisy, overconfident logits."""
    logits = rng.normal([0.8, 0.4, 0.0, -0.4], 1.2, (n, CLASSES))
    label = (logits + rng.gumbel(size=(n, CLASSES))).argmax(axis=1).astype(np.float64)
    challenger, champion = (
        special.softmax(1.2 * logits + rng.normal(0, noise, (n, CLASSES)), axis=1) for noise in (0.5, 0.8)
    )
    return Rows(label=label, challenger=challenger, champion=champion)


def regression(rng: np.random.Generator, n: int) -> Rows:
    """Positive, skewed labels; both models' errors grow with the prediction."""
    centre = np.exp(rng.normal(1.0, 0.5, n))
    label = centre * np.exp(rng.normal(0, 0.3, n))
    challenger, champion = (centre * np.exp(rng.normal(0.02, noise, n)) for noise in (0.1, 0.2))
    return Rows(label=label, challenger=challenger, champion=champion)


def ranking(rng: np.random.Generator, n: int) -> Rows:
    """Queries of eight items with relevance 0 … 3; each query is a cluster, as the engine takes it."""
    relevance = np.minimum(rng.poisson(0.8, n), 3).astype(np.float64)
    challenger, champion = (relevance + rng.normal(0, noise, n) for noise in (1.2, 1.5))
    query = np.arange(n) // ITEMS
    return Rows(label=relevance, challenger=challenger, champion=champion, query=query, cluster=query)


def score(rng: np.random.Generator, n: int) -> Rows:
    """Samples of four tries, which are clusters: a sample's tries pass by a chance of its own, for both models alike.

    Every other sample scores 0 or 1; of the rest a try that fails keeps a part of the score.
    """
    sample = np.arange(n) // TRIES
    ease = rng.normal(0.8, 1.5, sample[-1] + 1)[sample]
    partial = np.where(sample % 2, rng.random(n) * 0.9, 0.0)
    challenger, champion = (np.where(rng.random(n) < special.expit(ease + gain), 1.0, partial) for gain in (0.3, 0.0))
    return Rows(label=np.zeros(n), challenger=challenger, champion=champion, query=sample, cluster=sample)


POPULATIONS: dict[str, Draw] = {
    "binary": binary,
    "multiclass": multiclass,
    "regression": regression,
    "ranking": ranking,
    "score": score,
}


def draw_holdouts(draw: Draw, *, n: int, runs: int, seed: int) -> Iterator[GroupedRows]:
    """`runs` independent holdouts of `n` rows, each a group, in splits of at most `MAX_ROWS_AT_ONCE` rows."""
    at_once = max(1, min(runs, MAX_ROWS_AT_ONCE // n))
    for part, first in enumerate(range(0, runs, at_once)):
        holdouts = min(at_once, runs - first)
        rows = draw(np.random.default_rng([seed, part]), n * holdouts)
        yield group_rows(rows, np.repeat(np.arange(holdouts), n), holdouts)


def group_rows(rows: Rows, code: Codes, groups: int) -> GroupedRows:
    """The rows in groups without names."""
    return GroupedRows(rows=rows, groups=Groups(keys=((),) * groups, code=code))


def truths(task: Task, *, parts: int, seed: int) -> dict[str, tuple[float, float]]:
    """For every metric of a task: the challenger's true value, and its difference to the champion's.

    A family is represented by its default number, or else by 10, 2 for tries of a sample, or .9.
    """
    every = [_default_metric(metric) for metric in METRICS[task].values()]

    def values(split: GroupedRows) -> Floats:
        return np.array(
            [
                [metric.linearise(split.scored_by(model)).value[0] for model in ("challenger", "champion")]
                for metric in every
            ]
        )

    values_by_metric = truth(values, POPULATIONS[task], parts=parts, seed=seed)
    return {
        metric.name: (float(ours), float(ours - theirs))
        for metric, (ours, theirs) in zip(every, values_by_metric, strict=True)
    }


def _default_metric(metric: Metric | Family) -> Metric:
    if isinstance(metric, Metric):
        return metric
    whole = 2.0 if metric.task == "score" else 10.0
    return metric.make(metric.default if metric.default is not None else whole if metric.whole else 0.9)


def truth(values: Callable[[GroupedRows], Floats], draw: Draw, *, parts: int, seed: int) -> Floats:
    """True values of a population: means over `parts` samples of a million rows."""
    drawn = (draw(np.random.default_rng([seed, TRUTH_ROWS, part]), TRUTH_ROWS) for part in range(parts))
    return np.asarray(np.mean([values(GroupedRows(rows=rows)) for rows in drawn], axis=0))
