"""Situations in which a user can be fooled: days that resemble each other, few positive rows, skew.

Each situation draws thousands of holdouts of two equal models at once, as groups that the engine's own functions judge:
how often a look is passed, and how often it is where the challenger truly is better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy
from scipy import special

from bench.simulations.rows import MAX_ROWS_AT_ONCE, group_rows
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences, measure_difference
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats.clusters import t_tail
from lockgate.gates.stats.scored import Codes, Floats

ALPHA, LOOK = 0.05, 0.0025
MIN_CLUSTERS, MIN_CLASS_ROWS = 10, 15
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


def _codes(runs: int, each: int) -> Codes:
    return np.repeat(np.arange(runs), each)


def _losses(
    differences: Floats, cluster: Codes | None, runs: int, *, ordered: bool, weight: Floats | None = None
) -> GroupedRows:
    """Holdouts in which the challenger's loss is smaller by `differences` (runs·n,)."""
    n = differences.size // runs
    rows = Rows(
        label=np.zeros(differences.size),
        challenger=1000.0 - differences,
        champion=np.full(differences.size, 1000.0),
        cluster=cluster,
        weight=weight,
        ordered=ordered,
    )
    return group_rows(rows, _codes(runs, n), runs)


def draw_clusters(
    rng: np.random.Generator,
    runs: int,
    strength: float,
    *,
    clusters: int,
    effects: Callable[[np.random.Generator, int, int], Floats],
    sizes: Callable[[np.random.Generator, int, int], Floats] | None = None,
    ordered: bool = False,
) -> GroupedRows:
    """Clusters whose gains are `effects` (runs, clusters) of unit variance and mean 0, each a row with a weight."""
    gains = effects(rng, runs, clusters) + strength / np.sqrt(clusters)
    weight = None if sizes is None else sizes(rng, runs, clusters).ravel()
    cluster = np.tile(np.arange(clusters), runs)
    return _losses(gains.ravel(), cluster, runs, ordered=ordered, weight=weight)


def autoregressive(rng: np.random.Generator, runs: int, clusters: int, *, rho: float, skewed: bool = False) -> Floats:
    """A stationary first-order process of unit variance (runs, clusters); `skewed` draws bad days."""
    shocks = 1 - rng.exponential(size=(runs, clusters)) if skewed else rng.normal(size=(runs, clusters))
    shocks[:, 1:] *= np.sqrt(1 - rho**2)
    return scipy.signal.lfilter([1.0], [1.0, -rho], shocks, axis=1)


def moving_average(rng: np.random.Generator, runs: int, clusters: int) -> Floats:
    """A moving average of three days, of unit variance."""
    shocks = rng.normal(size=(runs, clusters + 2))
    return (shocks[:, 2:] + shocks[:, 1:-1] + shocks[:, :-2]) / np.sqrt(3)


def exponential_days(rng: np.random.Generator, runs: int, clusters: int) -> Floats:
    """Bad days: 1 minus an exponential."""
    return 1 - rng.exponential(size=(runs, clusters))


def gamma_days(rng: np.random.Generator, runs: int, clusters: int, *, shape: float = 0.7) -> Floats:
    return (shape - rng.gamma(shape, size=(runs, clusters))) / np.sqrt(shape)


def lognormal_days(rng: np.random.Generator, runs: int, clusters: int, *, sigma: float = 1.0) -> Floats:
    mean, square = np.exp(sigma**2 / 2), np.exp(2 * sigma**2)
    return (mean - rng.lognormal(0, sigma, size=(runs, clusters))) / np.sqrt(square - mean**2)


def disastrous_cluster(rng: np.random.Generator, runs: int, clusters: int) -> Floats:
    """One cluster in twelve is a disaster of ten standard deviations of the others."""
    gains = rng.normal(size=(runs, clusters)) - 10 * ((rng.random((runs, clusters)) < 1 / 12) - 1 / 12)
    return gains / np.sqrt(1 + 100 * 11 / 144)


def normal_days(rng: np.random.Generator, runs: int, clusters: int) -> Floats:
    return rng.normal(size=(runs, clusters))


def heavy_days(rng: np.random.Generator, runs: int, clusters: int) -> Floats:
    return rng.standard_t(3, size=(runs, clusters)) / np.sqrt(3)


def weekdays(rng: np.random.Generator, runs: int, clusters: int) -> Floats:
    """Half of the variance is the weekday's, drawn anew in every holdout."""
    shared = rng.normal(size=(runs, 7))[:, np.arange(clusters) % 7]
    return (shared + rng.normal(size=(runs, clusters))) / np.sqrt(2)


def lognormal_sizes(rng: np.random.Generator, runs: int, clusters: int, *, sigma: float = 1.0) -> Floats:
    return rng.lognormal(0, sigma, size=(runs, clusters))


def one_large(_: np.random.Generator, runs: int, clusters: int) -> Floats:
    """One cluster has half of the rows."""
    sizes = np.ones((runs, clusters))
    sizes[:, clusters // 2] = clusters - 1
    return sizes


def draw_disasters(rng: np.random.Generator, runs: int, strength: float, *, rows: int, rate: float) -> GroupedRows:
    """A challenger that is a little better on most rows, and disastrous on a share `rate`: equal in the mean."""
    disaster = rng.random(runs * rows) < rate
    gains = 0.02 * rng.normal(size=runs * rows) + np.where(disaster, -1.0, rate / (1 - rate))
    return _losses(gains + strength * np.sqrt(rate / rows), None, runs, ordered=False)


def draw_rows(rng: np.random.Generator, runs: int, strength: float, *, rows: int, tail: str) -> GroupedRows:
    """Independent rows whose gains are normal, or Student's t of three degrees of freedom."""
    gains = rng.normal(size=runs * rows) if tail == "normal" else rng.standard_t(3, size=runs * rows)
    return _losses(gains + strength / np.sqrt(rows), None, runs, ordered=False)


def draw_rare_positives(rng: np.random.Generator, runs: int, strength: float, *, rows: int, rate: float) -> GroupedRows:
    """Log loss of two models of a constant risk, champion too high and challenger too low by as much loss."""

    def excess(p: float) -> float:
        return float(special.rel_entr(rate, p) + special.rel_entr(1 - rate, 1 - p))

    low = rate / 2
    high = float(scipy.optimize.brentq(lambda p: excess(p) - excess(low), rate, 20 * rate))
    label = (rng.random(runs * rows) < rate).astype(np.float64)
    noise = np.exp(0.1 * rng.normal(size=(2, runs * rows)))
    challenger, champion = np.clip(low * noise[0], 1e-6, 0.9), np.clip(high * noise[1], 1e-6, 0.9)
    champion = np.where(label == 1, champion * np.exp(-strength * 20), champion)
    return group_rows(Rows(label=label, challenger=challenger, champion=champion), _codes(runs, rows), runs)


def draw_areas(
    rng: np.random.Generator, runs: int, strength: float, *, rows: int, positives: int, separation: float = 1.5
) -> GroupedRows:
    """Two models that see the truth through noise of their own, on few positive rows."""
    label = np.zeros((runs, rows))
    label[:, :positives] = 1
    truth = separation * label + 0.7 * rng.normal(size=(runs, rows))
    ours, theirs = (truth + 0.7 * rng.normal(size=(runs, rows)) for _ in range(2))
    ours += strength * label
    rows_of = Rows(label=label.ravel(), challenger=special.expit(ours.ravel()), champion=special.expit(theirs.ravel()))
    return group_rows(rows_of, _codes(runs, rows), runs)


def draw_positive_days(
    rng: np.random.Generator, runs: int, strength: float, *, days: int, full: int, each: int = 40
) -> GroupedRows:
    """Days of `each` rows; half of the rows of `full` days are positive, 1 in 400 elsewhere. Models differ by day."""
    day = np.tile(np.repeat(np.arange(days), each), runs)
    group = _codes(runs, days * each)
    chosen = rng.random((runs, days)).argsort(axis=1) < full
    rate = np.where(chosen, 0.5, 0.0025).ravel()[group * days + day]
    label = (rng.random(day.size) < rate).astype(np.float64)
    effects = rng.normal(size=(2, runs * days))[:, group * days + day]
    truth = 1.2 * label - 0.6
    ours, theirs = (truth + effects[model] + rng.normal(size=day.size) for model in range(2))
    ours = ours + strength * (label - 0.5)
    rows = Rows(label=label, challenger=special.expit(ours), champion=special.expit(theirs), cluster=day)
    return group_rows(rows, group, runs)


def _clusters(
    name: str, clusters: int, effects: Callable[..., Floats], *, solved: bool = True, **more: object
) -> Situation:
    draw = partial(draw_clusters, clusters=clusters, effects=effects, **more)
    return Situation(name=name, metric="mae", rows=clusters, draw=draw, unit_gain=TRUE_GAIN, solved=solved)


def _ordered(rho: float) -> list[Situation]:
    return [
        _clusters(f"{days} days in order, ρ = {rho:g}", days, partial(autoregressive, rho=rho), ordered=True)
        for days in (28, 31, 60, 90)
    ]


SITUATIONS: tuple[Situation, ...] = (
    *(
        Situation(
            name=f"`{metric}`, 30 equal days, half of the positives in {full}",
            metric=metric,
            rows=1200,
            draw=partial(draw_positive_days, days=30, full=full),
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
            draw=partial(draw_areas, rows=400, positives=positives),
        )
        for positives in (3, 5, 10, 15, 20, 40)
    ),
    *(situation for rho in (0.0, 0.2, 0.4, 0.6) for situation in _ordered(rho)),
    _clusters("31 days in order, moving average of three", 31, moving_average, ordered=True),
    *(
        Situation(
            name=f"`log_loss`, .5% positives, {n:,} rows",
            metric="log_loss",
            rows=n,
            draw=partial(draw_rare_positives, rows=n, rate=0.005),
            unit_gain=0.01,
        )
        for n in (2000, 10_000, 30_000)
    ),
    *(
        Situation(
            name=f"disasters, {rate:.2%} of {n:,} rows",
            metric="mae",
            rows=n,
            draw=partial(draw_disasters, rows=n, rate=rate),
            unit_gain=TRUE_GAIN,
        )
        for n, rate in ((1000, 0.005), (3000, 0.003), (5000, 0.002), (10_000, 0.004))
    ),
    *(_clusters(f"exponential bad days, {n} clusters", n, exponential_days) for n in (12, 20, 30, 60)),
    *(
        _clusters(
            f"exponential bad days, {n} clusters of lognormal size",
            n,
            exponential_days,
            sizes=partial(lognormal_sizes, sigma=0.5),
        )
        for n in (20, 30)
    ),
    *(_clusters(f"gamma(.7) bad days, {n} clusters", n, gamma_days) for n in (15, 25, 40)),
    *(
        _clusters(
            f"exponential bad days in order, ρ = {rho:g}, 31",
            31,
            partial(autoregressive, rho=rho, skewed=True),
            ordered=True,
        )
        for rho in (0.2, 0.4)
    ),
    *(_clusters(f"normal effects, {n} equal clusters", n, normal_days) for n in (12, 20, 30, 60)),
    _clusters("normal effects, 30 clusters of lognormal size", 30, normal_days, sizes=lognormal_sizes),
    _clusters("normal effects, 30 clusters, one with half of the rows", 30, normal_days, sizes=one_large),
    _clusters("symmetric heavy tails, 30 clusters", 30, heavy_days),
    Situation(
        name="normal rows, 10,000",
        metric="mae",
        rows=10_000,
        draw=partial(draw_rows, rows=10_000, tail="normal"),
        unit_gain=5.5,
    ),
    Situation(
        name="heavy rows, t of 3, 10,000",
        metric="mae",
        rows=10_000,
        draw=partial(draw_rows, rows=10_000, tail="heavy"),
        unit_gain=5.5,
    ),
    _clusters("lognormal(1) bad days, 30 clusters", 30, lognormal_days, solved=False),
    _clusters("one cluster in twelve disastrous, 25", 25, disastrous_cluster, solved=False),
    _clusters("weekdays shared, 31 days in order", 31, weekdays, ordered=True, solved=False),
    _clusters(
        "exponential bad days in order, ρ = 0.6, 31",
        31,
        partial(autoregressive, rho=0.6, skewed=True),
        ordered=True,
        solved=False,
    ),
)
