"""Holdouts of two equal models, drawn by the thousand: what tells the models apart has order, skew, or few rows.

Every `draw_…` takes random numbers, how many holdouts, and the strength of a true gain, 0 for equal models.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from scipy import special

from bench.simulations.rows import group_rows
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats.scored import Codes, Floats


def number_holdouts(runs: int, each: int) -> Codes:
    """The holdout of each row (runs·each,)."""
    return np.repeat(np.arange(runs), each)


def compare_losses(
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
    return group_rows(rows, number_holdouts(runs, n), runs)


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
    return compare_losses(gains.ravel(), cluster, runs, ordered=ordered, weight=weight)


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
    return compare_losses(gains + strength * np.sqrt(rate / rows), None, runs, ordered=False)


def draw_rows(rng: np.random.Generator, runs: int, strength: float, *, rows: int, tail: str) -> GroupedRows:
    """Independent rows whose gains are normal, or Student's t of three degrees of freedom."""
    gains = rng.normal(size=runs * rows) if tail == "normal" else rng.standard_t(3, size=runs * rows)
    return compare_losses(gains + strength / np.sqrt(rows), None, runs, ordered=False)


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
    return group_rows(Rows(label=label, challenger=challenger, champion=champion), number_holdouts(runs, rows), runs)


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
    return group_rows(rows_of, number_holdouts(runs, rows), runs)


def draw_positive_days(
    rng: np.random.Generator, runs: int, strength: float, *, days: int, full: int, each: int = 40
) -> GroupedRows:
    """Days of `each` rows; half of the rows of `full` days are positive, 1 in 400 elsewhere. Models differ by day."""
    day = np.tile(np.repeat(np.arange(days), each), runs)
    group = number_holdouts(runs, days * each)
    chosen = rng.random((runs, days)).argsort(axis=1) < full
    rate = np.where(chosen, 0.5, 0.0025).ravel()[group * days + day]
    label = (rng.random(day.size) < rate).astype(np.float64)
    effects = rng.normal(size=(2, runs * days))[:, group * days + day]
    truth = 1.2 * label - 0.6
    ours, theirs = (truth + effects[model] + rng.normal(size=day.size) for model in range(2))
    ours = ours + strength * (label - 0.5)
    rows = Rows(label=label, challenger=special.expit(ours), champion=special.expit(theirs), cluster=day)
    return group_rows(rows, group, runs)
