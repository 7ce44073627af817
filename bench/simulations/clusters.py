"""Rows that come in clusters: how often intervals by row and by cluster contain the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from bench.simulations.rows import MAX_ROWS_AT_ONCE, group_rows
from bench.simulations.table import Cell, MeasuredRate, ResultTable
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats.scored import Codes, Floats

LEVEL, SCHEDULED = 0.975, 0.9975
EACH = 20

SETTINGS = (  # metric, clusters, whether all are of one size
    ("mae", 30, True),
    ("mae", 30, False),
    ("mae", 12, True),
    ("mae", 12, False),
    ("mae", 100, False),
    ("log_loss", 30, True),
    ("log_loss", 30, False),
    ("accuracy", 30, True),
    ("accuracy", 30, False),
    ("auc", 30, True),
    ("auc", 30, False),
)


def cluster_coverage(*, runs: int, seed: int = 3) -> ResultTable:
    """Two equal models whose difference on a row is mostly that of the row's cluster."""
    rows = tuple(_line(name, clusters, equal, runs=runs, seed=seed) for name, clusters, equal in SETTINGS)
    return ResultTable(
        title="Rows in clusters",
        description=(
            f"Paired differences of two models alike, {EACH} rows a cluster on average, all of one size or "
            "lognormal (σ = 1), and an intraclass correlation of .5 in what tells the models apart. How often the "
            "two-sided 95% interval holds 0 (asked: .95, by cluster); how often a look at level .9975 shows a gain, "
            "by the plain sandwich formula with z and by CR2 with Bell and McCaffrey's degrees of freedom (asked: at "
            "most .0025)."
        ),
        head=("", "95% by row", "95% by cluster", "false gain at .0025, plain", "false gain at .0025"),
        rows=rows,
        seed=seed,
    )


def _line(name: str, clusters: int, equal: bool, *, runs: int, seed: int) -> tuple[Cell, ...]:
    metric = find_metric(name, "regression" if name == "mae" else "binary")
    at_once = max(1, MAX_ROWS_AT_ONCE // (clusters * EACH))
    coverages: list[Floats] = []
    for part, first in enumerate(range(0, runs, at_once)):
        rng = np.random.default_rng([seed, clusters, equal, part])
        split = _split(rng, metric.name, clusters, min(at_once, runs - first), equal=equal)
        by_cluster = estimate_differences(metric, split)
        by_row = estimate_differences(metric, replace(split, rows=replace(split.rows, cluster=None)))
        low, high = by_cluster.bounds(SCHEDULED)
        gained = low > 0 if metric.higher_is_better else high < 0
        ours, theirs = (metric.linearise(split.scored_by(model)) for model in ("challenger", "champion"))
        sums = split.units.sums(ours.influence - theirs.influence)
        plain = np.sqrt(split.units.total(sums**2)) / split.n
        fooled = metric.gain(by_cluster.value) > special.ndtri(SCHEDULED) * plain
        coverages.append(
            np.stack([_holds_zero(by_row.bounds(LEVEL)), _holds_zero(by_cluster.bounds(LEVEL)), fooled, gained])
        )
    row, cluster, naive, gain = np.concatenate(coverages, axis=1)
    return (
        f"`{name}`, {clusters} clusters, {'equal' if equal else 'lognormal'}",
        MeasuredRate.of(row),
        MeasuredRate.of(cluster, at_least=0.95),
        MeasuredRate.of(naive),
        MeasuredRate.of(gain, at_most=1 - SCHEDULED),
    )


def _holds_zero(bounds: tuple[Floats, Floats]) -> Floats:
    return np.asarray((bounds[0] <= 0) & (bounds[1] >= 0), dtype=np.float64)


def _split(rng: np.random.Generator, name: str, clusters: int, groups: int, *, equal: bool) -> GroupedRows:
    """A split into groups of clusters, in each of which one of the models tends to be better."""
    drawn = np.ones(groups * clusters) if equal else rng.lognormal(-0.5, 1.0, groups * clusters)
    size = np.maximum(np.rint(EACH * drawn), 1).astype(np.intp)
    unit: Codes = np.repeat(np.arange(groups * clusters), size)
    shared = rng.normal(size=(2, groups * clusters))[:, unit]
    noise = np.sqrt(0.5) * (shared + rng.normal(size=(2, unit.size)))
    if name == "mae":
        rows = Rows(label=np.zeros(unit.size), challenger=9 + noise[0], champion=9 + noise[1], cluster=unit % clusters)
    else:
        truth = rng.normal(0, 1.5, unit.size)
        label = (rng.random(unit.size) < special.expit(truth)).astype(np.float64)
        ours, theirs = special.expit(truth + noise)
        rows = Rows(label=label, challenger=ours, champion=theirs, cluster=unit % clusters)
    return group_rows(rows, unit // clusters, groups)
