"""Standard errors of a weighted mean whose rows may come in clusters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray


def clustered_error(
    influence: NDArray[np.float64],
    *,
    weight: NDArray[np.float64] | None = None,
    cluster: NDArray[np.intp] | None = None,
) -> tuple[float, float] | None:
    """Standard error and degrees of freedom of an estimate from its influence values.

    The variance is CR2, the sum over clusters of g²/(1 − h), where g is a cluster's weighted sum of
    influences and h its share of the weight; the degrees of freedom are Bell and McCaffrey's for the mean
    under a working variance of 1/weight, so that copies of a row equal a weight when they share a cluster.
    Rows without clusters are clusters of one: without weights the result is then sd/√n with n − 1.

    Args:
        influence: float64 (n,), centred: its weighted mean is 0.
        weight: float64 (n,), non-negative, any scale; None weighs every row alike.
        cluster: codes 0 … G−1 (n,); None makes every row its own cluster.

    Returns:
        (standard error, degrees of freedom), or None where fewer than two clusters carry weight.

    Source: Bell and McCaffrey, Survey Methodology 28 (2002); Imbens and Kolesár, REStat 98 (2016).
    """
    n = influence.size
    sums = influence if weight is None else influence * weight
    sizes = np.ones(n) if weight is None else weight
    if cluster is not None:
        sums = np.bincount(cluster, weights=sums).astype(np.float64)
        sizes = np.bincount(cluster, weights=sizes).astype(np.float64)
    total = float(sizes.sum())
    carried = sizes > 0
    if np.count_nonzero(carried) < 2:
        return None
    sums, sizes = sums[carried], sizes[carried]
    share = sizes / total
    if share.max() >= 1.0:
        return None
    rest = 1.0 - share
    largest = int(np.argmax(sizes))  # 1 − share would cancel where one cluster has nearly all the weight
    rest[largest] = float(np.delete(sizes, largest).sum()) / total
    variance = float(np.sum((sums / total) ** 2 / rest))
    return math.sqrt(variance), _bell_mccaffrey(share, rest)


def _bell_mccaffrey(share: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    # (trace Ω)² / trace Ω², Ω_gk = (share_g [g = k] − share_g share_k) / √((1 − share_g)(1 − share_k)); trace Ω = 1
    crossed = share**2 / rest
    off_diagonal = 2.0 * float(np.dot(crossed[1:], np.cumsum(crossed)[:-1]))
    return 1.0 / (float(np.sum(share**2)) + off_diagonal)


def t_quantile(level: float, df: float) -> float:
    """The `level` quantile of Student's t; the normal's where `df` is infinite."""
    return float(special.ndtri(level) if math.isinf(df) else special.stdtrit(df, level))


def t_tail(statistic: float, df: float) -> float:
    """P(T >= statistic) under Student's t with `df` degrees of freedom; the normal's where `df` is infinite."""
    return float(special.ndtr(-statistic) if math.isinf(df) else special.stdtr(df, -statistic))
