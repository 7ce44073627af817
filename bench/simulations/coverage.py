"""How often intervals contain the truth, for each metric, and in small samples of counts and areas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from scipy import special

from bench.simulations.rows import POPULATIONS, draw_holdouts, truth, truths
from bench.simulations.table import Cell, MeasuredRate, ResultTable
from lockgate.gates.kinds.calibration import CALIBRATION_MEASURES
from lockgate.gates.metrics import Linear, Metric, Task, find_metric
from lockgate.gates.metrics.estimate import estimate_differences, estimate_linear, estimate_metric, measure_uncertainty
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats.scored import Floats, Scored

SIZES: dict[Task, tuple[int, int]] = {
    "binary": (300, 2000),
    "multiclass": (300, 2000),
    "regression": (300, 2000),
    "ranking": (800, 4000),
    "score": (48, 1200),
}
LEVEL, SCHEDULED = 0.975, 0.9975
"""One-sided levels: of a two-sided 95% interval, and of one of twenty looks at .05."""


def metrics(*, task: Task, runs: int, parts: int = 4, seed: int = 1) -> ResultTable:
    """Every metric of a task, for one model and for the paired difference, on the same replications."""
    true = truths(task, parts=parts, seed=seed)
    small, large = SIZES[task]
    true_values = {
        n: _rates(true, task, n=n, runs=times, seed=seed) for n, times in ((small, runs), (large, max(runs // 5, 1)))
    }
    return ResultTable(
        title=f"Intervals of metrics: {task}",
        description=(
            f"{ABOUT[task]} How often two-sided 95% intervals hold the population's value, for one model and for the "
            "paired difference of two (asked: .95); how often the one-sided 95% bound of one model is better than its "
            "true value, so that it would pass a limit which it misses (asked: at most .05); and how often a look at "
            "level .9975, one of twenty at .05, shows a gain larger than the true one (asked: at most .0025)."
        ),
        head=("metric", "rows", "one model", "difference", "false pass at .05", "false gain at .0025"),
        rows=tuple((f"`{name}`", f"{n:,}", *true_values[n][name]) for name in true for n in true_values),
        seed=seed,
    )


ABOUT: dict[Task, str] = {
    "binary": "Two noisy models, overconfident and somewhat too high.",
    "multiclass": "Four classes, two noisy and overconfident models.",
    "regression": "Positive, skewed labels; errors grow with the prediction.",
    "ranking": "Queries of eight rows, which are clusters.",
    "score": "Samples of four tries, which are clusters: 12 and 300 of them.",
}


def _rates(
    true: Mapping[str, tuple[float, float]], task: Task, *, n: int, runs: int, seed: int
) -> dict[str, tuple[MeasuredRate, MeasuredRate, MeasuredRate, MeasuredRate]]:
    hits_by_metric: dict[str, list[Floats]] = {name: [] for name in true}
    for split in draw_holdouts(POPULATIONS[task], n=n, runs=runs, seed=seed):
        for name, (value, difference) in true.items():
            metric = find_metric(name, task)
            single, paired = estimate_metric(metric, split), estimate_differences(metric, split)
            inside = _inside(single.bounds(LEVEL), value), _inside(paired.bounds(LEVEL), difference)
            better = _better(metric, single.bounds(0.95), value), _better(metric, paired.bounds(SCHEDULED), difference)
            hits_by_metric[name].append(np.stack([*inside, *better]))
    return {name: _to_rates(*np.concatenate(parts, axis=1)) for name, parts in hits_by_metric.items()}


def _to_rates(
    alone: Floats, together: Floats, passed: Floats, gained: Floats
) -> tuple[MeasuredRate, MeasuredRate, MeasuredRate, MeasuredRate]:
    return (
        MeasuredRate.of(alone, at_least=0.95),
        MeasuredRate.of(together, at_least=0.95),
        MeasuredRate.of(passed, at_most=0.05),
        MeasuredRate.of(gained, at_most=1 - SCHEDULED),
    )


def _better(metric: Metric, bounds: tuple[Floats, Floats], truth: float) -> Floats:
    """Whether the bounds show the metric, or its difference, as better than it is."""
    low, high = bounds
    return np.asarray(low > truth if metric.higher_is_better else high < truth, dtype=np.float64)


def _inside(bounds: tuple[Floats, Floats], truth: float) -> Floats:
    """Whether the bounds contain the truth. Missing bounds claim nothing, so they do."""
    low, high = bounds
    return np.asarray(~((low > truth) | (high < truth)), dtype=np.float64)


def areas(*, runs: int, seed: int = 2) -> ResultTable:
    """AUC if the rarer class has ten rows."""
    auc = find_metric("auc", "binary")
    lines: list[tuple[Cell, ...]] = []
    for positives, area in ((10, 0.75), (10, 0.95), (50, 0.95)):
        logit, wald, paired = _areas(auc, positives=positives, area=area, runs=runs, seed=seed)
        lines.append(
            (
                f"{positives} positive rows of {11 * positives}, AUC {area:.2f}".replace("0.", "."),
                MeasuredRate.of(wald),
                MeasuredRate.of(logit, at_least=0.95),
                MeasuredRate.of(paired, at_least=0.95),
            )
        )
    return ResultTable(
        title="AUC with few positive rows",
        description=(
            "How often two-sided 95% intervals hold the true area of normal scores (asked: .95): DeLong's, the same "
            "on the logit scale, which `threshold` uses, and DeLong's of the difference of two models alike."
        ),
        head=("rows", "one model, plain DeLong", "one model, on the logit scale", "paired difference"),
        rows=tuple(lines),
        seed=seed,
    )


def _areas(auc: Metric, *, positives: int, area: float, runs: int, seed: int) -> tuple[Floats, Floats, Floats]:
    n = 11 * positives
    separation = np.sqrt(2) * special.ndtri(area)

    def draw(rng: np.random.Generator, size: int) -> Rows:
        label = np.tile(np.arange(n) < positives, size // n).astype(np.float64)
        shared = rng.normal(0, np.sqrt(0.7), size) + separation * label
        ours, theirs = (special.ndtr((shared + rng.normal(0, np.sqrt(0.3), size)) / 3) for _ in range(2))
        return Rows(label=label, challenger=ours, champion=theirs)

    hits: list[Floats] = []
    for split in draw_holdouts(draw, n=n, runs=runs, seed=seed):
        single, paired = estimate_metric(auc, split), estimate_differences(auc, split)
        error = measure_uncertainty(auc, split.linear(auc), split).error
        wald = np.abs(single.value - area) <= special.ndtri(LEVEL) * error
        hits.append(np.stack([_inside(single.bounds(LEVEL), area), wald, _inside(paired.bounds(LEVEL), 0.0)]))
    logit, plain, both = np.concatenate(hits, axis=1)
    return logit, plain, both


def calibration(*, runs: int, seed: int = 11) -> ResultTable:
    """What the gate `calibration` measures, except for the ECE, which is a metric."""
    lines: list[tuple[Cell, ...]] = []
    for (task, measure), linearise in CALIBRATION_MEASURES.items():
        true = float(truth(partial(_challenger, linearise), POPULATIONS[task], parts=1, seed=seed)[0])
        for n in (100, 1000):
            hits = np.empty(runs)
            for run in range(runs):
                split = GroupedRows(rows=POPULATIONS[task](np.random.default_rng([seed, n, run]), n))
                estimate = estimate_linear(linearise(split.scored_by("challenger")), split)
                hits[run] = _inside(estimate.bounds(LEVEL), true)[0]
            lines.append((f"{task} `{measure}`", f"{n:,}", MeasuredRate.of(hits, at_least=0.95)))
    return ResultTable(
        title="Calibration",
        description=(
            "How often two-sided 95% intervals of the measures of `calibration` hold the true value (asked: .95)."
        ),
        head=("measure", "rows", "95% interval"),
        rows=tuple(lines),
        seed=seed,
    )


def _challenger(linearise: Callable[[Scored], Linear], split: GroupedRows) -> Floats:
    return linearise(split.scored_by("challenger")).value
