"""Signs in a holdout itself that packs of rows are not independent, or skewed, each with a p-value of known level."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy

from lockgate.gates.stats.scored import Codes, Floats

PERMUTATIONS = 999

_ENTRIES_AT_ONCE = 2_000_000

Statistic = Callable[[Floats], Floats]
"""Series in so many orders (K, B, P) → what is large where packs depend on each other (K, B)."""


def relate_neighbours(series: Floats) -> Floats:
    """Sums of products of neighbours: (…, P) → (…)."""
    products: Floats = (series[..., 1:] * series[..., :-1]).sum(axis=-1)
    return products


def relate_weekdays(weekday: Codes) -> Statistic:
    """Sums of squares between weekdays, of each pack's (P,)."""
    member = (np.arange(7) == weekday[:, None]).astype(np.float64)
    member = member[:, member.any(axis=0)]
    share = member / np.sqrt(member.sum(axis=0))

    def relate(series: Floats) -> Floats:
        squares: Floats = ((series @ share) ** 2).sum(axis=-1)
        return squares

    return relate


def try_order(series: Floats, statistic: Statistic, *, rng: np.random.Generator) -> float:
    """The p-value of a statistic under permutations of the packs, the same for every series.

    Of several series, the first and the mean of all are tried, whichever shows more; p is that of the smaller. Exact
    where packs are exchangeable, whatever the series have in common.

    Args:
        series: standardised gains (K, P), of K pairs of models on the same packs.

    Sources: Wald and Wolfowitz, Annals of Mathematical Statistics 14 (1943), for lag 1 under permutations; Westfall
    and Young, *Resampling-Based Multiple Testing* (1993), for the smaller of two.
    """
    centred = series - series.mean(axis=1, keepdims=True)
    square = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    centred = np.divide(centred, square, out=np.zeros_like(centred), where=square > 0)
    pairs, packs = centred.shape
    at_once = max(1, _ENTRIES_AT_ONCE // max(pairs * packs, 1))
    values = [statistic(centred[:, None, :])]
    for first in range(0, PERMUTATIONS, at_once):
        orders = rng.permuted(np.tile(np.arange(packs), (min(at_once, PERMUTATIONS - first), 1)), axis=1)
        values.append(statistic(centred[:, orders]))
    table = np.concatenate(values, axis=1)  # (K, 1 + B), the first as they are
    tried = np.stack([table[0], table.mean(axis=0)]) if pairs > 1 else table
    ranks = np.stack([_tail_ranks(row) for row in tried])
    smallest = ranks.min(axis=0)
    return float(np.mean(smallest <= smallest[0] + 1e-12))


def _tail_ranks(values: Floats) -> Floats:
    """For each value the share of values that are as large or larger (B,)."""
    rounded = np.round(values, 12)
    ascending = np.sort(rounded)
    ranks: Floats = 1 - np.searchsorted(ascending, rounded, side="left") / rounded.size
    return ranks


def try_shared(influence: Floats, weight: Floats, pack: Codes, packs: int) -> float:
    """The p-value of the F test for what the units of a pack share; 1 where no pack has two units.

    Args:
        influence: sums of influence values of the units that count as independent (U,), 0 in total.
        weight: their weights (U,). pack: the pack of each (U,), 0 … packs − 1.

    Source: Fisher's analysis of variance, weighted.
    """
    live = weight > 0
    influence, weight, pack = influence[live], weight[live], pack[live]
    mass = np.bincount(pack, weights=weight, minlength=packs)
    filled = mass > 0
    sums = np.bincount(pack, weights=influence, minlength=packs)[filled]
    between = float((sums**2 / mass[filled]).sum())
    within = float((influence**2 / weight).sum()) - between
    df_between, df_within = int(filled.sum()) - 1, influence.size - int(filled.sum())
    if df_between < 1 or df_within < 1 or within <= 0:
        return 1.0
    return float(scipy.special.fdtrc(df_between, df_within, between / df_between / (within / df_within)))


def try_skew(series: Floats, *, rng: np.random.Generator) -> float:
    """The p-value of a skew of the gains to the losing side under changes of sign about their mean.

    Args:
        series: standardised gains (P,).
    """
    centred = series - series.mean()
    most = max(1, min(PERMUTATIONS, 4 * _ENTRIES_AT_ONCE // max(centred.size, 1)))
    flipped = rng.choice([-1.0, 1.0], size=(most, centred.size)) * centred
    skews = _skewness(np.concatenate([centred[None, :], flipped]))
    return float(np.mean(skews <= skews[0] + 1e-12))


def measure_skewness(series: Floats) -> float:
    """The skewness of series (P,)."""
    return float(_skewness(series[None, :])[0])


def _skewness(values: Floats) -> Floats:
    """Of each row (B, P) → (B,); 0 without spread."""
    centred = values - values.mean(axis=1, keepdims=True)
    second, third = (centred**2).mean(axis=1), (centred**3).mean(axis=1)
    return np.asarray(np.divide(third, second**1.5, out=np.zeros_like(third), where=second > 0))


def reject_weighted(p: Sequence[float], weights: Sequence[float], level: float) -> list[bool]:
    """Which hypotheses are rejected, with any false rejection at most at `level`: Holm's procedure with weights.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979), section 5.
    """
    rejected = [False] * len(p)
    for number in sorted(range(len(p)), key=lambda number: p[number] / weights[number]):
        left = sum(weight for weight, done in zip(weights, rejected, strict=True) if not done)
        if p[number] > level * weights[number] / left:
            break
        rejected[number] = True
    return rejected
