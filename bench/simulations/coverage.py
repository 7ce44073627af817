"""How often intervals hold the truth, metric by metric, and small samples of counts and areas."""

from __future__ import annotations

import numpy as np
from scipy import special

from bench.simulations.rows import POPULATIONS, every_metric, replicated, truth
from bench.simulations.table import Cell, Rate, Table
from gates.metrics import METRICS, Metric, Task, metric
from gates.metrics.estimate import differences, errors, estimates
from gates.rows import Rows
from gates.stats.scored import Floats

SIZES: dict[Task, tuple[int, int]] = {
    "binary": (300, 2000), "multiclass": (300, 2000), "regression": (300, 2000), "ranking": (800, 4000),
}  # fmt: skip
LEVEL, SCHEDULED = 0.975, 0.9975
"""One-sided levels: of a two-sided 95% interval, and of one look of twenty at .05."""


def metrics(*, runs: int, seed: int = 1) -> Table:
    """Every metric of every task, one model and the paired difference."""
    rows = tuple(
        _of_metric(one, task, n=n, runs=runs if n < 1000 else max(runs // 4, 1), seed=seed)
        for task in METRICS
        for one in every_metric(task)
        for n in SIZES[task]
    )
    return Table(
        title="Intervals of every metric",
        about=(
            "How often two-sided 95% intervals hold the population's value (asked: .95), for one model and for the "
            "paired difference of two; and how often a look at level .9975, one of twenty at .05, shows a gain "
            "larger than the true one (asked: at most .0025). Binary scores are noisy and overconfident, regression "
            "labels skewed, ranking has queries of eight rows, which are clusters."
        ),
        head=("metric", "rows", "one model", "difference", "false gain at .0025"),
        rows=rows,
        seed=seed,
    )


def _of_metric(one: Metric, task: Task, *, n: int, runs: int, seed: int) -> tuple[Cell, ...]:
    value, difference = truth(one, POPULATIONS[task], seed=seed)
    held: list[Floats] = []
    for split in replicated(POPULATIONS[task], n=n, runs=runs, seed=seed):
        single, paired = estimates(one, split), differences(one, split)
        low, high = paired.bounds(SCHEDULED)
        false_gain = low > difference if one.higher_is_better else high < difference
        held.append(
            np.stack([_inside(single.bounds(LEVEL), value), _inside(paired.bounds(LEVEL), difference), false_gain])
        )
    alone, together, gained = np.concatenate(held, axis=1)
    return (
        f"{task} `{one.name}`", f"{n:,}", Rate.of(alone, at_least=0.95), Rate.of(together, at_least=0.95),
        Rate.of(gained, at_most=1 - SCHEDULED),
    )  # fmt: skip


def _inside(bounds: tuple[Floats, Floats], truth: float) -> Floats:
    """Whether the bounds hold the truth; where there are none, nothing is claimed: they do."""
    low, high = bounds
    return np.asarray(~((low > truth) | (high < truth)), dtype=np.float64)


def areas(*, runs: int, seed: int = 2) -> Table:
    """AUC where the rarer class has ten rows."""
    auc = metric("auc", "binary")
    lines: list[tuple[Cell, ...]] = []
    for positives, area in ((10, 0.75), (10, 0.95), (50, 0.95)):
        logit, wald, paired = _areas(auc, positives=positives, area=area, runs=runs, seed=seed)
        lines.append(
            (
                f"{positives} positive rows of {11 * positives}, AUC {area:.2f}".replace("0.", "."),
                Rate.of(wald), Rate.of(logit, at_least=0.95), Rate.of(paired, at_least=0.95),
            )
        )  # fmt: skip
    return Table(
        title="AUC with few positive rows",
        about=(
            "How often two-sided 95% intervals hold the true area of normal scores (asked: .95): DeLong's, the same "
            "on the logit scale, which `threshold` uses, and DeLong's of the difference of two models alike."
        ),
        head=("rows", "one model, plain DeLong", "one model, on the logit scale", "paired difference"),
        rows=tuple(lines),
        seed=seed,
    )


def _areas(auc: Metric, *, positives: int, area: float, runs: int, seed: int) -> tuple[Floats, Floats, Floats]:
    n = 11 * positives
    apart = np.sqrt(2) * special.ndtri(area)

    def draw(rng: np.random.Generator, size: int) -> Rows:
        label = np.tile(np.arange(n) < positives, size // n).astype(np.float64)
        shared = rng.normal(0, np.sqrt(0.7), size) + apart * label
        ours, theirs = (special.ndtr((shared + rng.normal(0, np.sqrt(0.3), size)) / 3) for _ in range(2))
        return Rows(label=label, challenger=ours, champion=theirs)

    held: list[Floats] = []
    for split in replicated(draw, n=n, runs=runs, seed=seed):
        single, paired = estimates(auc, split), differences(auc, split)
        error, _ = errors(auc, split.linear(auc), split)
        wald = np.abs(single.value - area) <= special.ndtri(LEVEL) * error
        held.append(np.stack([_inside(single.bounds(LEVEL), area), wald, _inside(paired.bounds(LEVEL), 0.0)]))
    logit, plain, both = np.concatenate(held, axis=1)
    return logit, plain, both
