"""Situations in which a user can be fooled: days that resemble each other, few positive rows, skew.

Each situation draws thousands of holdouts of two equal models at once, as groups that the engine's own functions judge:
how often a look is passed, and how often it is where the challenger truly is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bench.simulations import draws
from bench.simulations.rows import MAX_ROWS_AT_ONCE
from bench.simulations.table import Cell, MeasuredRate, ResultTable
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences, measure_difference
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows
from lockgate.gates.stats.clusters import t_tail
from lockgate.gates.stats.scored import Floats

ALPHA, LOOK = 0.05, 0.0025
MIN_CLUSTERS, MIN_CLASS_ROWS = 10, 20
MAX_ROWS_DRAWN = 30_000_000
"""Holdouts of many rows are drawn less often."""

FEW_ROWS = 100
"""Holdouts of so few rows, one for each cluster, are drawn twice as often."""

ASKED = (0.06, 2 * LOOK)
"""What a rate may be at both levels: at the level of a look twice the nominal one."""

TRUE_GAIN = 5.5
"""The gain for which power is measured, in standard errors that know nothing of order, skew and few rows."""

Draw = Callable[[np.random.Generator, int, float], GroupedRows]
"""(random numbers, holdouts, strength of a true gain) → the holdouts as groups; the models are equal at 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How to draw it, in which metric it fools, and how many rows a holdout has."""

    name: str
    metric: str
    rows: int
    draw: Draw
    unit_gain: float = 1.0  # a strength to start from
    solved: bool = True  # whether the interval is to hold here


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Of each holdout: whether a look passes at both levels, by the gate and by a naive interval."""

    passed: Floats  # (2, runs)
    naive: Floats  # (2, runs)
    short: Floats  # too few clusters or rows of a class
    gain: Floats
    error: Floats  # the naive one


def judge_holdouts(metric: Metric, split: GroupedRows) -> Judged:
    """Judge every group as a holdout of its own."""
    differences = estimate_differences(metric, split)
    information = differences.information
    short = np.zeros(split.groups.count, dtype=bool)
    if information.effective is not None:
        short |= information.effective < MIN_CLUSTERS
    if information.class_rows is not None:
        short |= information.class_rows < MIN_CLASS_ROWS
    p = np.nan_to_num(differences.p_gain(0.0), nan=1.0)
    plain = replace(split, rows=replace(split.rows, ordered=False))
    value, uncertainty = measure_difference(replace(metric, carriers=None), plain)
    gain = metric.gain(value)
    df = np.full_like(gain, np.inf) if metric.method == "delong" and split.rows.plain else uncertainty.df
    naive = np.nan_to_num(t_tail(gain / np.where(uncertainty.error > 0, uncertainty.error, np.nan), df), nan=1.0)
    return Judged(
        passed=np.stack([(p <= alpha) & ~short for alpha in (ALPHA, LOOK)]).astype(np.float64),
        naive=np.stack([naive <= alpha for alpha in (ALPHA, LOOK)]).astype(np.float64),
        short=short.astype(np.float64),
        gain=gain,
        error=uncertainty.error,
    )


def measure_situation(situation: Situation, *, runs: int, strength: float, seed: int) -> Judged:
    """Draw and judge so many holdouts, in parts that fit into memory."""
    task = "regression" if situation.metric in ("mae", "rmse") else "binary"
    metric = find_metric(situation.metric, task)
    at_once = max(1, MAX_ROWS_AT_ONCE // situation.rows)
    parts = []
    for part, first in enumerate(range(0, runs, at_once)):
        rng = np.random.default_rng([seed, part])
        parts.append(judge_holdouts(metric, situation.draw(rng, min(at_once, runs - first), strength)))
    fields = ("passed", "naive", "short", "gain", "error")
    return Judged(**{name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in fields})


def find_strength(situation: Situation, *, seed: int, runs: int = 400) -> float:
    """The strength at which the true gain is `TRUE_GAIN` naive standard errors."""
    strength = situation.unit_gain
    for _ in range(4):
        judged = measure_situation(situation, runs=runs, strength=strength, seed=seed)
        strength *= TRUE_GAIN / float(np.nanmean(judged.gain) / np.sqrt(np.nanmean(judged.error**2)))
    return strength


def _clusters(
    name: str, clusters: int, effects: Callable[..., Floats], *, solved: bool = True, **more: object
) -> Situation:
    draw = partial(draws.draw_clusters, clusters=clusters, effects=effects, **more)
    return Situation(name=name, metric="mae", rows=clusters, draw=draw, unit_gain=TRUE_GAIN, solved=solved)


def _ordered(rho: float) -> list[Situation]:
    return [
        _clusters(f"{days} days in order, ρ = {rho:g}", days, partial(draws.autoregressive, rho=rho), ordered=True)
        for days in (28, 31, 60, 90)
    ]


SITUATIONS: tuple[Situation, ...] = (
    *(
        Situation(
            name=f"`{metric}`, 30 equal days, half of the positives in {full}",
            metric=metric,
            rows=1200,
            draw=partial(draws.draw_positive_days, days=30, full=full),
            unit_gain=1.0,
        )
        for metric in ("recall", "auc", "average_precision")
        for full in (2, 5, 12)
    ),
    *(
        Situation(
            name=f"`auc`, {positives} positives of 400",
            metric="auc",
            rows=400,
            draw=partial(draws.draw_areas, rows=400, positives=positives),
        )
        for positives in (3, 5, 10, 15, 20, 40)
    ),
    *(situation for rho in (0.0, 0.2, 0.4, 0.6) for situation in _ordered(rho)),
    _clusters("31 days in order, moving average of three", 31, draws.moving_average, ordered=True),
    *(
        Situation(
            name=f"`log_loss`, .5% positives, {n:,} rows",
            metric="log_loss",
            rows=n,
            draw=partial(draws.draw_rare_positives, rows=n, rate=0.005),
            unit_gain=0.01,
        )
        for n in (2000, 10_000, 30_000)
    ),
    *(
        Situation(
            name=f"disasters, {rate:.2%} of {n:,} rows",
            metric="mae",
            rows=n,
            draw=partial(draws.draw_disasters, rows=n, rate=rate),
            unit_gain=TRUE_GAIN,
            solved=rate * n > 6,
        )
        for n, rate in ((1000, 0.005), (3000, 0.003), (5000, 0.002), (10_000, 0.004))
    ),
    *(_clusters(f"exponential bad days, {n} clusters", n, draws.exponential_days) for n in (12, 20, 30, 60)),
    *(
        _clusters(
            f"exponential bad days, {n} clusters of lognormal size",
            n,
            draws.exponential_days,
            sizes=partial(draws.lognormal_sizes, sigma=0.5),
        )
        for n in (20, 30)
    ),
    *(_clusters(f"gamma(.7) bad days, {n} clusters", n, draws.gamma_days) for n in (15, 25, 40)),
    *(
        _clusters(
            f"exponential bad days in order, ρ = {rho:g}, 31",
            31,
            partial(draws.autoregressive, rho=rho, skewed=True),
            ordered=True,
        )
        for rho in (0.2, 0.4)
    ),
    *(_clusters(f"normal effects, {n} equal clusters", n, draws.normal_days) for n in (12, 20, 30, 60)),
    _clusters("normal effects, 30 clusters of lognormal size", 30, draws.normal_days, sizes=draws.lognormal_sizes),
    _clusters("normal effects, 30 clusters, one with half of the rows", 30, draws.normal_days, sizes=draws.one_large),
    _clusters("symmetric heavy tails, 30 clusters", 30, draws.heavy_days),
    Situation(
        name="normal rows, 10,000",
        metric="mae",
        rows=10_000,
        draw=partial(draws.draw_rows, rows=10_000, tail="normal"),
        unit_gain=5.5,
    ),
    Situation(
        name="heavy rows, t of 3, 10,000",
        metric="mae",
        rows=10_000,
        draw=partial(draws.draw_rows, rows=10_000, tail="heavy"),
        unit_gain=5.5,
    ),
    _clusters("lognormal(1) bad days, 30 clusters", 30, draws.lognormal_days, solved=False),
    _clusters("one cluster in twelve disastrous, 25", 25, draws.disastrous_cluster, solved=False),
    _clusters("weekdays shared, 31 days in order", 31, draws.weekdays, ordered=True, solved=False),
    _clusters(
        "exponential bad days in order, ρ = 0.6, 31",
        31,
        partial(draws.autoregressive, rho=0.6, skewed=True),
        ordered=True,
        solved=False,
    ),
)


def situations(*, runs: int, seed: int = 20) -> ResultTable:
    """Equal models in situations that fool a plain interval, and the power that is left."""
    lines = tuple(_line(situation, runs=runs, seed=seed) for situation in SITUATIONS)
    return ResultTable(
        title="Situations in which a user can be fooled",
        description=(
            "Two equal models, a look at margin 0, at level .95 and at .9975 (asked: at most .06 and .0050). Naive: "
            "clusters count as independent, shares are those of all rows, and Student's t, or the normal for an AUC; "
            f"this is what most tools do. INCONCLUSIVE: under {MIN_CLUSTERS} effective clusters, or {MIN_CLASS_ROWS} "
            f"rows of the rarer class. Power: passes at .9975 with a true gain of {TRUE_GAIN:g} naive standard errors. "
            "Where the last column says no, what would be needed is not in these rows: .5% of 1,000 rows are none with "
            "probability .0066, and a day in twelve is none of 25 with .11."
        ),
        head=(
            "",
            "naive at .05",
            "naive at .0025",
            "at .05",
            "at .0025",
            "INCONCLUSIVE",
            "power",
            "naive power",
            "solved",
        ),
        rows=lines,
        seed=seed,
    )


def _line(situation: Situation, *, runs: int, seed: int) -> tuple[Cell, ...]:
    number = SITUATIONS.index(situation)
    runs = 2 * runs if situation.rows <= FEW_ROWS else max(min(runs, MAX_ROWS_DRAWN // situation.rows), 200)
    equal = measure_situation(situation, runs=runs, strength=0.0, seed=seed + 100 * number)
    strength = find_strength(situation, seed=seed + 100 * number + 1)
    better = measure_situation(situation, runs=max(runs // 10, 200), strength=strength, seed=seed + 100 * number + 2)
    asked = ASKED if situation.solved else (None, None)
    return (
        situation.name,
        *(MeasuredRate.of(passed) for passed in equal.naive),
        *(MeasuredRate.of(passed, at_most=limit) for passed, limit in zip(equal.passed, asked, strict=True)),
        MeasuredRate.of(equal.short),
        MeasuredRate.of(better.passed[1]),
        MeasuredRate.of(better.naive[1]),
        "yes" if situation.solved else "no",
    )


CURVE_GAINS = (3.0, 4.0, 5.5)


def looks_in_order(*, runs: int, seed: int = 21) -> ResultTable:
    """What looks at days in order cost: any false promotion, and the power of one look, by correlation and schedule."""
    rows = tuple(
        _curve(days, rho, looks, runs=runs, seed=seed)
        for days in (31, 61)
        for looks in (2, 5, 20)
        for rho in (0.0, 0.2, 0.4)
    )
    return ResultTable(
        title="Looks at days in order",
        description=(
            "Days that resemble the day before, with a correlation of ρ. As many equal challengers as there are "
            "looks, which share half of their variance, each at .05 divided by the looks: is any promoted (asked: at "
            "most .05)? "
            "And the power of one look where the true gain is so many standard errors of independent days. The policy "
            "that ships has two looks at one month."
        ),
        head=("", "any false promotion", *(f"power at {gain:g}" for gain in CURVE_GAINS)),
        rows=rows,
        seed=seed,
    )


def _curve(days: int, rho: float, looks: int, *, runs: int, seed: int) -> tuple[Cell, ...]:
    rng = np.random.default_rng([seed, days, looks, round(10 * rho)])
    effects = partial(draws.autoregressive, rho=rho)
    shared = effects(rng, runs, days)
    level, metric = ALPHA / looks, find_metric("mae", "regression")

    def pass_look(gains: Floats) -> Floats:
        cluster = np.tile(np.arange(days), runs)
        split = draws.compare_losses(gains.ravel(), cluster, runs, ordered=True)
        return estimate_differences(metric, split).p_gain(0.0) <= level

    fooled = np.zeros(runs, dtype=bool)
    for _ in range(looks):
        fooled |= pass_look((shared + effects(rng, runs, days)) / np.sqrt(2))
    powers = [pass_look(effects(rng, runs, days) + gain / np.sqrt(days)) for gain in CURVE_GAINS]
    return (
        f"{days} days, {looks} looks, ρ = {rho:g}",
        MeasuredRate.of(fooled, at_most=ALPHA),
        *(MeasuredRate.of(power) for power in powers),
    )
