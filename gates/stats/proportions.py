"""Score intervals and exact tests for counts, elementwise over arrays, and Holm's correction for many tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

from lockgate.gates.stats.scored import Floats, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wilson(successes: Floats, n: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Wilson's score intervals of proportions, both bounds at one-sided `level`; NaN where n is 0.

    Args:
        successes: float64 (S,), 0 … n; need not be whole.
        n: float64 (S,).
        level: one-sided confidence of each bound, .5 < level < 1.

    Source: Wilson, JASA 22 (1927).
    """
    z = float(scipy.special.ndtri(level))
    n = np.where(n > 0, n, np.nan)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return np.maximum(0.0, centre - half), np.minimum(1.0, centre + half)


def mcnemar_p(only_challenger: Floats, only_champion: Floats) -> Floats:
    """Exact one-sided p that the challenger is right more often: P(Bin(b + c, ½) >= b); 1 where b is 0."""
    any_won = only_challenger > 0
    return np.where(
        any_won, scipy.special.betainc(np.where(any_won, only_challenger, 1.0), only_champion + 1, 0.5), 1.0
    )


def tango_statistic(only_challenger: Floats, only_champion: Floats, n: Floats, *, difference: Floats) -> Floats:
    """Tango's score statistic for paired differences of proportions; positive above `difference`.

    Args:
        only_challenger, only_champion: rows that only one of the two gets right (b, c), float64 (S,).
        n: rows in all, at least 1 (S,).
        difference: the hypothesised (b − c)/n (S,), strictly between −1 and 1.

    Returns:
        Standard normal deviates (S,); 0 where nothing was observed and nothing was expected.

    Source: Tango, Statistics in Medicine 17 (1998), equations 4 and 5.
    """
    b, c, d = only_challenger, only_champion, difference
    surplus = b - c - n * d
    linear = (2 * n - b + c) * d - b - c
    root = np.maximum(linear * linear - 8 * n * -c * d * (1 - d), 0.0)
    shared = np.maximum((np.sqrt(root) - linear) / (4 * n), 0.0)  # restricted estimate of P(only the champion is right)
    variance = n * (2 * shared + d * (1 - d))
    certain = variance <= 0
    deviate = surplus / np.sqrt(np.where(certain, 1.0, variance))
    return np.where(certain, np.where(surplus == 0, 0.0, np.copysign(np.inf, surplus)), deviate)


def tango(only_challenger: Floats, only_champion: Floats, n: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Tango's score intervals of (b − c)/n, both bounds at one-sided `level`; NaN where n is 0.

    Arguments as `tango_statistic`. A bound that no difference inside (−1, 1) reaches is −1 or 1.
    """
    from scipy.optimize import elementwise

    z = float(scipy.special.ndtri(level))
    b, c, n = (np.asarray(values, dtype=np.float64) for values in (only_challenger, only_champion, n))
    has_rows = n > 0
    rows = np.where(has_rows, n, 1.0)
    point = np.where(has_rows, ratio(b - c, rows), 0.0)
    # both bounds at once: those below the point, then those above
    target, outer = (np.repeat(ends, b.size) for ends in ([z, -z], [1e-12 - 1, 1 - 1e-12]))
    b, c, rows, point, has_rows = (np.tile(values, 2) for values in (b, c, rows, point, has_rows))

    def excess(difference: Floats, b: Floats, c: Floats, n: Floats, target: Floats) -> Floats:
        return tango_statistic(b, c, n, difference=difference) - target

    arguments = b, c, rows, target
    reached = has_rows & (excess(outer, *arguments) * excess(point, *arguments) < 0)
    root = elementwise.find_root(
        excess,
        (np.minimum(outer, point)[reached], np.maximum(outer, point)[reached]),
        args=tuple(values[reached] for values in arguments),
        tolerances={"xatol": 1e-13, "xrtol": 0.0},
    )
    bounds = np.where(has_rows, np.sign(outer), np.nan)
    bounds[reached] = root.x
    low, high = bounds.reshape(2, -1)
    return low, high


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's adjusted p-values, in the same order; an empty array stays empty.

    Args:
        p: float64 (k,), in [0, 1].

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
