"""Score intervals and exact tests for counts."""

from __future__ import annotations

import math

from scipy import optimize, special


def wilson(successes: float, n: float, *, level: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion, both bounds at one-sided `level`.

    Args:
        successes: 0 … n.
        n: more than 0.
        level: one-sided confidence of each bound, .5 < level < 1.

    Source: Wilson, JASA 22 (1927).
    """
    z = float(special.ndtri(level))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_p(only_challenger: int, only_champion: int) -> float:
    """Exact one-sided p that the challenger is right more often: P(Bin(b + c, ½) >= b); 1 where b + c is 0."""
    discordant = only_challenger + only_champion
    if discordant == 0 or only_challenger == 0:
        return 1.0
    return float(special.bdtrc(only_challenger - 1, discordant, 0.5))


def tango_statistic(only_challenger: float, only_champion: float, n: int, *, difference: float) -> float:
    """Tango's score statistic for a paired difference of proportions; positive where more was seen than `difference`.

    Args:
        only_challenger, only_champion: rows that only one of the two gets right (b, c).
        n: rows in all, at least 1.
        difference: the hypothesised (b − c)/n, strictly between −1 and 1.

    Returns:
        A standard normal deviate; 0 where nothing was seen and nothing was expected.

    Source: Tango, Statistics in Medicine 17 (1998), equations 4 and 5.
    """
    b, c, d = only_challenger, only_champion, difference
    seen = b - c - n * d
    linear = (2 * n - b + c) * d - b - c
    root = max(linear * linear - 8 * n * -c * d * (1 - d), 0.0)
    shared = max((math.sqrt(root) - linear) / (4 * n), 0.0)  # restricted estimate of P(only the champion is right)
    variance = n * (2 * shared + d * (1 - d))
    if variance <= 0:
        return 0.0 if seen == 0 else math.copysign(math.inf, seen)
    return seen / math.sqrt(variance)


def tango(only_challenger: float, only_champion: float, n: int, *, level: float) -> tuple[float, float]:
    """Tango's score interval of (b − c)/n, both bounds at one-sided `level`. Arguments as `tango_statistic`."""
    z = float(special.ndtri(level))
    point = (only_challenger - only_champion) / n
    edge = 1 - 1e-12

    def bound(outer: float, target: float) -> float:
        def excess(difference: float) -> float:
            return tango_statistic(only_challenger, only_champion, n, difference=difference) - target

        if excess(outer) * excess(point) >= 0:
            return math.copysign(1.0, outer)
        return float(optimize.brentq(excess, outer, point, xtol=1e-13))

    return bound(-edge, z), bound(edge, -z)
