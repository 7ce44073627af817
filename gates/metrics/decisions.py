"""Metrics of 0/1 decisions, `score >= cutoff`, against a 0/1 label: anything that the 2×2 table determines.

`recall@0.3` decides at a score of 0.3, `recall` at 0.5. A table metric is a function of the masses of true positives,
false positives, false negatives and true negatives, with its four partial derivatives. Only the ratios of the masses
matter. The derivatives times the group's mass are the influence values of the rows in the four cells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from lockgate.gates.metrics.carriers import RARER_LABEL, Carriers, Mask, decided_positive, either_positive
from lockgate.gates.metrics.classification import DECISION_CUTOFF
from lockgate.gates.metrics.metric import Family, Hits, Metric, linear_share
from lockgate.gates.stats.ranking import Runs
from lockgate.gates.stats.scored import Codes, Floats, Linear, Scored, ratio


class ConfusionTable(NamedTuple):
    """A number for each cell of the 2×2 table, for S groups: true and false positives, false and true negatives."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats


OfTable = Callable[[ConfusionTable], tuple[Floats, ConfusionTable]]


def linearise_table(function: OfTable, *, cutoff: float) -> Callable[[Scored], Linear]:
    """A metric from a function of the 2×2 table.

    `function(masses)` returns values (S,), NaN where undefined, and their derivatives with respect to the four masses.
    The values must not change when all four are multiplied by a number.
    """

    def linearise(scored: Scored) -> Linear:
        cell = _cell_of_rows(scored, cutoff)
        value, slopes = function(_count_cells(cell, scored.weight, scored.groups))
        gradient = np.stack(slopes, axis=1) * scored.mass[:, None]
        return Linear(value, gradient.ravel()[cell])

    linearise.__doc__ = function.__doc__
    return linearise


def _cell_of_rows(scored: Scored, cutoff: float) -> Codes:
    cell: Codes = (scored.label != 1) + 2 * (scored.score < cutoff).astype(np.intp)  # in the order of Table
    return cell if scored.code is None else cell + 4 * scored.code.astype(np.intp)


def _count_cells(cells: Codes, weight: Floats | None, groups: int) -> ConfusionTable:
    table = np.bincount(cells, weights=weight, minlength=4 * groups).astype(np.float64)
    return ConfusionTable(*table.reshape(-1, 4).T)


def precision(table: ConfusionTable) -> tuple[Floats, ConfusionTable]:
    """Share of positive decisions that are right, TP/(TP + FP); undefined if no decision is positive."""
    tp, fp, _, _ = table
    none, square = np.zeros_like(tp), (tp + fp) ** 2
    return ratio(tp, tp + fp), ConfusionTable(ratio(fp, square), -ratio(tp, square), none, none)


def f1(table: ConfusionTable) -> tuple[Floats, ConfusionTable]:
    """Harmonic mean of precision and recall, 2TP/(2TP + FP + FN); undefined if all three are 0."""
    tp, fp, fn, _ = table
    whole = 2 * tp + fp + fn
    slope = -ratio(2 * tp, whole**2)
    return ratio(2 * tp, whole), ConfusionTable(2 * ratio(fp + fn, whole**2), slope, slope, np.zeros_like(tp))


def balanced_accuracy(table: ConfusionTable) -> tuple[Floats, ConfusionTable]:
    """Mean of recall and specificity; undefined if one label does not occur."""
    tp, fp, fn, tn = table
    positive, negative = tp + fn, tn + fp
    value = (ratio(tp, positive) + ratio(tn, negative)) / 2
    of_tp, of_fn = ratio(fn, positive**2) / 2, -ratio(tp, positive**2) / 2
    return value, ConfusionTable(of_tp, -ratio(tn, negative**2) / 2, of_fn, ratio(fp, negative**2) / 2)


def mcc(table: ConfusionTable) -> tuple[Floats, ConfusionTable]:
    """Matthews' correlation of decision and label, (TP·TN − FP·FN)/√(P·N·P'·N'); 0 where a margin of the table is 0.

    Source: Matthews, Biochimica et Biophysica Acta 405 (1975); the 0 is scikit-learn's convention.
    """
    tp, fp, fn, tn = table
    p, n, decided_positive, decided_negative = tp + fn, fp + tn, tp + fp, fn + tn
    root = np.sqrt(p * n) * np.sqrt(decided_positive * decided_negative)
    value = np.where(p + n > 0, _or_zero(tp * tn - fp * fn, root), np.nan)
    half = value / 2
    over = [_or_zero(half, margin) for margin in (p, n, decided_positive, decided_negative)]
    return value, ConfusionTable(
        _or_zero(tn, root) - over[0] - over[2],
        -_or_zero(fn, root) - over[1] - over[2],
        -_or_zero(fp, root) - over[0] - over[3],
        _or_zero(tp, root) - over[1] - over[3],
    )


def _or_zero(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def recall(label: Floats, score: Floats, *, cutoff: float) -> Hits:
    """Share of label 1 that is decided positive: the true positive rate, sensitivity."""
    return Hits((score >= cutoff).astype(np.float64), label == 1)


def specificity(label: Floats, score: Floats, *, cutoff: float) -> Hits:
    """Share of label 0 that is decided negative: the true negative rate."""
    return Hits((score < cutoff).astype(np.float64), label != 1)


def fpr(label: Floats, score: Floats, *, cutoff: float) -> Hits:
    """Share of label 0 that is decided positive: the false positive rate."""
    return Hits((score >= cutoff).astype(np.float64), label != 1)


def selection_rate(label: Floats, score: Floats, *, cutoff: float) -> Hits:  # noqa: ARG001 (hits are of label and score)
    """Share of rows decided positive. Neither direction is better: "higher" only says how its gain is counted."""
    return Hits((score >= cutoff).astype(np.float64))


def ks(scored: Scored) -> Linear:
    """Largest |TPR − FPR| over all cutoffs, the two-sample Kolmogorov–Smirnov statistic of both labels' scores.

    Undefined in a group with rows of one label only. The influence is that of TPR − FPR at the cutoff with the maximum
    (the lowest of several), which does not move to first order. A maximum is too high on average, here by a third of a
    standard error or more: the low bound allows for that (method "supremum").
    Source: Conover, Practical Nonparametric Statistics.
    """
    runs = Runs.of(scored)
    per_hit, per_miss = (ratio(np.ones_like(whole), whole) for whole in (runs.all_hits, runs.all_misses))
    gap = runs.cumulative(runs.misses) * runs.of_run(per_miss) - runs.cumulative(runs.hits) * runs.of_run(per_hit)
    first, filled = np.cumsum(runs.in_group) - runs.in_group, runs.in_group > 0
    value = np.full(scored.groups, np.nan)
    value[filled] = np.maximum.reduceat(np.abs(gap), first[filled])
    largest = np.append(np.flatnonzero(np.abs(gap) == runs.of_run(value)), 0)  # none in an undefined group
    widest = largest[np.minimum(np.searchsorted(largest[:-1], first), largest.size - 1)]
    starts = widest if runs.lengths is None else (np.cumsum(runs.lengths) - runs.lengths)[widest]
    above = (scored.score > scored.spread(scored.score[scored.order[starts]])).astype(np.float64)
    positive = scored.label == 1
    tpr, rate = (linear_share(Hits(above, among), scored) for among in (positive, ~positive))
    return Linear(np.minimum(value, 1.0), (tpr.influence - rate.influence) * scored.spread(np.sign(gap[widest])))


def _table_metric(
    cutoff: float,
    *,
    name: str,
    function: OfTable,
    low: float,
    unit: str,
    needs: str,
    find_carriers: Callable[..., Mask] | None,
) -> Metric:
    carriers = RARER_LABEL if find_carriers is None else Carriers(partial(find_carriers, cutoff=cutoff), by_score=True)
    return Metric(
        name=f"{name}@{cutoff:.12g}",
        task="binary",
        higher_is_better=True,
        low=low,
        high=1.0,
        unit=unit,
        method="smooth",
        linearise=linearise_table(function, cutoff=cutoff),
        needs=needs,
        carriers=carriers,
    )


def _share(
    cutoff: float, *, name: str, count: Callable[..., Hits], unit: str, needs: str, higher_is_better: bool = True
) -> Metric:
    hits = partial(count, cutoff=cutoff)
    return Metric.of_hits(
        hits,
        name=f"{name}@{cutoff:.12g}",
        task="binary",
        unit=unit,
        needs=needs,
        higher_is_better=higher_is_better,
        carriers=CARRIERS_OF_SHARE.get(name),
    )


_POSITIVE, _NEGATIVE = Carriers(lambda scored: scored.label == 1), Carriers(lambda scored: scored.label != 1)
CARRIERS_OF_SHARE = {"recall": _POSITIVE, "specificity": _NEGATIVE, "fpr": _NEGATIVE}


def _family(name: str, make: Callable[[float], Metric]) -> Family:
    return Family(
        name=name,
        task="binary",
        parameter="the score from which on a decision is positive",
        default=DECISION_CUTOFF,
        low=0.0,
        high=1.0,
        whole=False,
        make=make,
    )


DECISIONS: tuple[Metric | Family, ...] = (
    *(
        _family(
            name,
            partial(
                _table_metric,
                name=name,
                function=function,
                low=low,
                unit=unit,
                needs=needs,
                find_carriers=find_carriers,
            ),
        )
        for name, function, low, unit, needs, find_carriers in (
            ("precision", precision, 0.0, "share of positive decisions", "positive decisions", decided_positive),
            ("f1", f1, 0.0, "harmonic mean of shares", "rows with label 1 or positive decisions", either_positive),
            ("balanced_accuracy", balanced_accuracy, 0.0, "mean of shares", "rows of both labels", None),
            ("mcc", mcc, -1.0, "correlation", "at least one row", None),
        )
    ),
    *(
        _family(name, partial(_share, name=name, count=count, unit=unit, needs=needs, higher_is_better=name != "fpr"))
        for name, count, unit, needs in (
            ("recall", recall, "share of label 1", "rows with label 1"),
            ("specificity", specificity, "share of label 0", "rows with label 0"),
            ("fpr", fpr, "share of label 0", "rows with label 0"),
            ("selection_rate", selection_rate, "share of rows", "at least one row"),
        )
    ),
    Metric(
        name="ks",
        task="binary",
        higher_is_better=True,
        low=0.0,
        high=1.0,
        unit="difference of shares",
        method="supremum",
        linearise=ks,
        needs="rows of both labels",
        carriers=RARER_LABEL,
    ),
)
