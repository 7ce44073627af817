"""The probability of showing what is true, the rows it takes, and the smallest truth that given rows show.

Every test is one-sided at `alpha`. Shares use the normal z; estimates with a standard error use the noncentral t,
which matters where few clusters carry it (31 days at alpha .0025: t asks for a fifth more than z), and is z where
the degrees of freedom are infinite. Rows come as floats: round them up.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy

from lockgate.gates.stats.clusters import t_quantile
from lockgate.gates.stats.proportions import wilson
from lockgate.gates.stats.scored import Floats

MOST_TIMES = 1e12
"""Growing a sample further than this is no plan."""


def normal_sum(*, alpha: float, power: float) -> float:
    """z_α + z_β: how many standard errors a truth must lie beyond its limit to be shown with `power`."""
    return float(scipy.special.ndtri(1 - alpha) + scipy.special.ndtri(power))


def paired_rows(*, disagreement: float, gain: float, margin: float, alpha: float, power: float) -> float:
    """Rows that show a gain beyond `margin` in a paired share of hits: (z_α + z_β)² (d − Δ²)/(Δ − margin)².

    Args:
        disagreement: d, the share of rows that exactly one of two models gets right, in (0, 1].
        gain: Δ, the true difference of the shares, at most d in size.
        margin: what is asked: 0 for superiority, negative for an allowed loss.
        alpha: one-sided error rate. power: probability of showing it, in (0, 1).

    Returns:
        Rows, infinite where the gain is not beyond the margin.

    Source: Connor, Biometrics 43 (1987), with the variance of the truth on both sides.
    """
    if gain <= margin:
        return math.inf
    total = max(normal_sum(alpha=alpha, power=power), 0.0)
    return total**2 * (disagreement - gain**2) / (gain - margin) ** 2


def paired_power(*, rows: float, disagreement: float, gain: float, margin: float, alpha: float) -> float:
    """Probability that `rows` show it; arguments as `paired_rows`, whose inverse this is."""
    error = math.sqrt(max(disagreement - gain**2, 0.0) / rows)
    if error == 0:
        return float(gain > margin)
    return float(scipy.special.ndtr((gain - margin) / error - scipy.special.ndtri(1 - alpha)))


def paired_gain(*, rows: float, disagreement: float, margin: float, alpha: float, power: float) -> float:
    """The smallest true gain that `rows` show with `power`; NaN where even a gain of d would not be shown.

    The root of n (Δ − margin)² = (z_α + z_β)² (d − Δ²); arguments as `paired_rows`.
    """
    total = max(normal_sum(alpha=alpha, power=power), 0.0) ** 2
    inside = (rows + total) * total * disagreement - rows * total * margin**2
    gain = (rows * margin + math.sqrt(inside)) / (rows + total) if inside >= 0 else math.nan
    return gain if abs(gain) <= disagreement else math.nan


def share_power(*, rows: float, share: float, least: float, alpha: float) -> float:
    """Probability that Wilson's lower bound of a share reaches `least`.

    The bound reaches it where the share seen is at least p₀ + z_α √(p₀(1 − p₀)/n), p₀ being `least`.
    """
    seen = least + float(scipy.special.ndtri(1 - alpha)) * math.sqrt(least * (1 - least) / rows)
    error = math.sqrt(share * (1 - share) / rows)
    return float(scipy.special.ndtr((share - seen) / error)) if error > 0 else float(share >= seen)


def share_rows(*, share: float, least: float, alpha: float, power: float) -> float:
    """Rows that show that a share is at least `least`; infinite where it is not above it.

    ((z_α √(p₀(1 − p₀)) + z_β √(p(1 − p)))/(p − p₀))². Source: Fleiss, Levin and Paik, *Statistical Methods for Rates
    and Proportions*, 3rd edition, 2.3.
    """
    if share <= least:
        return math.inf
    spread = scipy.special.ndtri(1 - alpha) * math.sqrt(least * (1 - least))
    spread += scipy.special.ndtri(power) * math.sqrt(share * (1 - share))
    return float(max(spread, 0.0) / (share - least)) ** 2


def share_shown(*, rows: float, least: float, alpha: float, power: float) -> float:
    """The smallest true share that `rows` show to be at least `least`; NaN where even 1 would not be.

    The truth whose share seen reaches what Wilson's bound asks is, in turn, Wilson's upper bound of that.
    """
    seen = least + float(scipy.special.ndtri(1 - alpha)) * math.sqrt(least * (1 - least) / rows)
    if seen > 1:
        return math.nan
    low, high = wilson(np.array([seen * rows]), np.array([rows]), level=max(power, 1 - power))
    return float((high if power >= 0.5 else low)[0])


def t_power(distance: Floats, error: Floats, df: Floats, *, alpha: float) -> Floats:
    """Probability that an estimate is shown to be beyond its limit, elementwise.

    Args:
        distance: how far the truth lies beyond the limit; negative where it lies short of it.
        error: its standard error, not negative; NaN gives NaN.
        df: degrees of freedom, infinite for z.
        alpha: one-sided; .5 asks the point, not the bound, to be beyond the limit.

    Source: noncentral t, as in R's power.t.test.
    """
    moving = error > 0
    ratio = np.divide(distance, error, out=np.zeros_like(error), where=moving)
    quantile = t_quantile(1 - alpha, df)
    finite = np.isfinite(df)
    # nctdtr underflows to NaN instead of 0 far out
    of_t = np.nan_to_num(scipy.special.nctdtr(np.where(finite, df, 1.0), ratio, quantile), nan=0.0)
    power = np.where(finite, 1 - of_t, scipy.special.ndtr(ratio - quantile))
    power = np.where(moving, power, (distance > 0).astype(np.float64))
    return np.where(np.isnan(error) | np.isnan(df), np.nan, power)


def t_distance(error: Floats, df: Floats, *, alpha: float, power: float) -> Floats:
    """How far beyond its limit the truth must lie to be shown with `power`; the inverse of `t_power`."""
    finite = np.isfinite(df)
    quantile = t_quantile(1 - alpha, df)
    of_t = scipy.special.nctdtrinc(np.where(finite, df, 1.0), 1 - power, quantile)
    return np.asarray(error * np.where(finite, of_t, quantile + scipy.special.ndtri(power)))


def times_needed(chance: Callable[[float], float], power: float) -> float:
    """How many times the present sample makes `chance(times)`, which must not fall, reach `power`.

    Infinite where 10^12 times do not; 10^−12 where hardly anything is needed.
    """
    from scipy.optimize import brentq

    edge = math.log(MOST_TIMES)
    if not chance(MOST_TIMES) >= power:
        return math.inf
    if chance(1 / MOST_TIMES) >= power:
        return 1 / MOST_TIMES
    return math.exp(brentq(lambda at: chance(math.exp(at)) - power, -edge, edge, xtol=1e-10))
