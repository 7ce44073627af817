"""What an interval allows for, from the published formulas once more: one group, loops and root finding, no product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """Of one estimate: its standard error, degrees of freedom, skewness, and how much worse that may be."""

    error: float
    df: float
    skew: float
    slack: float

    def bounds(self, value: float, level: float) -> tuple[float, float]:
        """Both bounds of the value at the one-sided level."""
        quantile = stats.t.ppf(level, self.df) if np.isfinite(self.df) else stats.norm.ppf(level)
        low, high = (solve_hall(quantile, min(sign * self.skew - self.slack, 0.0)) * self.error for sign in (1.0, -1.0))
        return value - low, value + high

    def p_above(self, distance: float) -> float:
        """The p of a truth that lies so far below the estimate."""
        bent = bend_by_hall(distance / self.error, min(self.skew - self.slack, 0.0))
        return float(stats.t.sf(bent, self.df) if np.isfinite(self.df) else stats.norm.sf(bent))

    def p_below(self, distance: float) -> float:
        """The p of a truth that lies so far above the estimate."""
        mirrored = Allowance(error=self.error, df=self.df, skew=-self.skew, slack=self.slack)
        return mirrored.p_above(distance)


def bend_by_hall(t: float, skew: float) -> float:
    """Hall's polynomial t + k t²/3 + k² t³/27 + k/6 of a studentised mean of skewness k; never above t."""
    return min(t, t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6)


def solve_hall(quantile: float, skew: float) -> float:
    """The studentised mean that Hall's polynomial takes to the quantile."""
    return float(optimize.brentq(lambda t: bend_by_hall(t, skew) - quantile, -1e4, 1e6, xtol=1e-13))


def allow_for_rows(values: np.ndarray) -> Allowance:
    """Of the mean of independent rows: sd/√n, n − 1, the skewness of the mean and its standard error √6/n."""
    n, deviation = values.size, values - values.mean()
    return Allowance(
        error=float(stats.sem(values)),
        df=n - 1.0,
        skew=float(np.sum(deviation**3) / np.sum(deviation**2) ** 1.5),
        slack=float(np.sqrt(6) / n),
    )


def allow_for_clusters(means: np.ndarray, sizes: np.ndarray, *, carrying: np.ndarray | None = None) -> Allowance:
    """Of the weighted mean of clusters: CR2, Bell and McCaffrey's degrees of freedom, and the skewness of the means.

    carrying: the weight of each cluster's rows that carry the estimate, where that is not all of it.
    """
    share = sizes / sizes.sum()
    influence = share * (means - np.sum(share * means))
    carried = sizes if carrying is None else carrying
    leverage = carried / carried.sum()
    of_sums = np.diag(leverage) - np.outer(leverage, leverage)  # of independent rows
    scale = 1 / np.sqrt(1 - leverage)
    omega = scale[:, None] * of_sums * scale[None, :]
    return Allowance(
        error=float(np.sqrt(np.sum(influence**2 / (1 - leverage)))),
        df=float(np.trace(omega) ** 2 / np.trace(omega @ omega)),
        **skewness_of(means, sizes),
    )


def skewness_of(means: np.ndarray, sizes: np.ndarray, *, errors: float = 1.0) -> dict[str, float]:
    """Skewness of the weighted mean of clusters, from that of their plain means, and `errors` of its standard errors.

    The standard error of a normal sample's skewness is Fisher's of 1930.
    """
    count, shape = means.size, np.sum(sizes**3) / np.sum(sizes**2) ** 1.5
    error = np.sqrt(6 * (count - 2) / ((count + 1) * (count + 3)))
    return {"skew": float(stats.skew(means) * shape), "slack": float(errors * error * shape)}
