"""The probability of showing what is true, and how much larger a sample has to be to reach one.

Every test is one-sided at `alpha`. Shares use the normal z. Estimates with a standard error use the noncentral t, which
matters if there are few clusters (31 days at alpha .0025: t needs a fifth more than z), and equals z if the degrees of
freedom are infinite. Numbers of rows are floats: round them up.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy

from lockgate.gates.stats.clusters import t_quantile
from lockgate.gates.stats.scored import Floats

MAX_TIMES = 1e12
"""A sample that would have to grow by more than this cannot be planned for."""


def paired_power(*, rows: float, disagreement: float, gain: float, margin: float, alpha: float) -> float:
    """Probability that `rows` show a gain beyond `margin` in a paired share of hits.

    Φ((Δ − margin)/√((d − Δ²)/n) − z_α).

    Args:
        rows: n.
        disagreement: d, the share of rows that exactly one of two models gets right, in (0, 1].
        gain: Δ, the true difference of the shares, at most d in size.
        margin: what is asked: 0 for superiority, negative for an allowed loss.
        alpha: one-sided error rate.

    Source: Connor, Biometrics 43 (1987), with the variance of the truth on both sides.
    """
    error = math.sqrt(max(disagreement - gain**2, 0.0) / rows)
    if error == 0:
        return float(gain > margin)
    return float(scipy.special.ndtr((gain - margin) / error - scipy.special.ndtri(1 - alpha)))


def share_power(*, rows: float, share: float, floor: float, alpha: float) -> float:
    """Probability that Wilson's lower bound of a share reaches `floor`.

    It does if the observed share is at least p₀ + z_α √(p₀(1 − p₀)/n), p₀ being `floor`.
    """
    share_needed = floor + float(scipy.special.ndtri(1 - alpha)) * math.sqrt(floor * (1 - floor) / rows)
    error = math.sqrt(share * (1 - share) / rows)
    return float(scipy.special.ndtr((share - share_needed) / error)) if error > 0 else float(share >= share_needed)


def t_power(distance: Floats, error: Floats, df: Floats, *, alpha: float, critical: Floats | None = None) -> Floats:
    """Probability that an estimate is shown to be beyond its limit, elementwise.

    Args:
        distance: how far the truth lies beyond the limit; negative if it lies short of it.
        error: its standard error, not negative; NaN gives NaN.
        df: degrees of freedom, infinite for z.
        alpha: one-sided; .5 means that the point, not a bound, has to be beyond the limit.
        critical: how many errors the estimate must lie beyond the limit; None for the quantile of Student's t.

    Source: noncentral t, as in R's power.t.test.
    """
    moving = error > 0
    ratio = np.divide(distance, error, out=np.zeros_like(error), where=moving)
    quantile = t_quantile(1 - alpha, df) if critical is None else critical
    finite = np.isfinite(df)
    # nctdtr underflows to NaN instead of 0 far out
    of_t = np.nan_to_num(scipy.special.nctdtr(np.where(finite, df, 1.0), ratio, quantile), nan=0.0)
    power = np.where(finite, 1 - of_t, scipy.special.ndtr(ratio - quantile))
    power = np.where(moving, power, (distance > 0).astype(np.float64))
    return np.where(np.isnan(error) | np.isnan(df), np.nan, power)


def t_distance(error: Floats, df: Floats, *, alpha: float, power: float, critical: Floats | None = None) -> Floats:
    """How far beyond its limit the truth must lie to be shown with `power`; the inverse of `t_power`."""
    finite = np.isfinite(df)
    quantile = t_quantile(1 - alpha, df) if critical is None else critical
    of_t = scipy.special.nctdtrinc(np.where(finite, df, 1.0), 1 - power, quantile)
    return np.asarray(error * np.where(finite, of_t, quantile + scipy.special.ndtri(power)))


def times_needed(chance: Callable[[float], float], power: float) -> float:
    """How many times larger a sample has to be for `chance(times)`, which must not decrease, to reach `power`.

    Infinite if 10^12 times are not enough, 10^−12 if hardly any rows are needed.
    """
    from scipy.optimize import brentq

    edge = math.log(MAX_TIMES)
    if not chance(MAX_TIMES) >= power:
        return math.inf
    if chance(1 / MAX_TIMES) >= power:
        return 1 / MAX_TIMES
    return math.exp(brentq(lambda log_times: chance(math.exp(log_times)) - power, -edge, edge, xtol=1e-10))
