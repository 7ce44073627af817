"""Labels that bounds for every distribution ask for: ease.ml/ci's, and a betting one that looks at pairs of answers.

All of them speak of a condition on shares of right answers such as `n - o > 0.02 +/- 0.01`: the new model's less the
old one's, with a tolerance, to hold with a probability for all of `steps` looks at the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import scipy

from lockgate.gates.stats.scored import Floats

Adaptivity = Literal["none", "full"]

BETS = 200
"""Bets that the mixture of `betting_rows` divides its stake among."""


def hoeffding_rows(
    clauses: Sequence[tuple[Sequence[float], float]], *, error: float, steps: int, adaptivity: Adaptivity
) -> int:
    """Labels by ease.ml/ci's released estimator: max c² r² ln(1/δ')/(2ε²) over clauses and their variables.

    Args:
        clauses: of a conjunction; each the coefficients c of its variables, and its tolerance ε. The tolerance is
            split evenly over a clause's r variables: `n - o > .02 +/- .01` is ((1, 1), .01), of size 2.
        error: δ, 1 − reliability.
        steps: H looks.
        adaptivity: `none` where developers do not see the result of a look: δ' = δ/(r m H) with m clauses;
            `full` where they see it each time: δ' = δ/(r m 2^H).

    Source: Renggli et al., *Continuous Integration of Machine Learning Models with ease.ml/ci*, MLSys 2019, and its
    released code. Its tool rounds a whole number of labels up to the next; this does not.
    """
    log_looks = math.log(steps) if adaptivity == "none" else steps * math.log(2)
    most = 0.0
    for coefficients, tolerance in clauses:
        r = len(coefficients)
        log_share = math.log(r * len(clauses) / error) + log_looks
        largest = max(abs(c) for c in coefficients)
        most = max(most, largest**2 * r**2 * log_share / (2 * tolerance**2))
    return math.ceil(most)


def bennett_rows(*, disagreement: float, tolerance: float, error: float, steps: int, adaptivity: Adaptivity) -> float:
    """Labels by ease.ml/ci's optimised estimator for n − o where the models disagree on at most `disagreement`.

    (ln H − ln(δ/4))/(p h(ε/p)) with h(u) = (1 + u) ln(1 + u) − u, p the disagreement, H steps; ln 2^H in place of ln H
    under `full` adaptivity. Only rows on which the models disagree need a label. Source: as `hoeffding_rows`, where it
    is in the paper and not in the released code.
    """
    log_looks = math.log(steps) if adaptivity == "none" else steps * math.log(2)
    u = tolerance / disagreement
    return (log_looks - math.log(error / 4)) / (disagreement * ((1 + u) * math.log1p(u) - u))


def betting_log_wealth(won: Floats, lost: Floats, rows: Floats, *, margin: float) -> Floats:
    """ln of an e-value against "the gain is at most `margin`": wealth of a gambler who bets on a larger one.

    Args:
        won, lost: rows that only the new, only the old model gets right, float64 (k,); need not be whole.
        rows: rows in all (k,).
        margin: in [0, 1).

    Returns:
        float64 (k,). Whatever the distribution, and however often it is looked at as rows arrive, it exceeds ln(1/α)
        with probability at most α where the gain is at most `margin`. The stake is divided evenly among 200 bets,
        spaced geometrically from 1e-4 to .999/(1 + margin): bet λ turns 1 into Π (1 + λ(x − margin)), x being 1, −1
        or 0. Source: Waudby-Smith and Ramdas, JRSS B 86 (2024), with a mixture of constant bets.
    """
    gains = _log_growth(margin)
    counts = np.stack([won, lost, rows - won - lost])
    return np.asarray(scipy.special.logsumexp(gains @ counts, axis=0) - math.log(BETS))


def sign_log_wealth(won: Floats, lost: Floats) -> Floats:
    """ln of an e-value against "the gain is at most 0", from the rows that only one model gets right.

    (b + c + 1) ln 2 + ln B(b + 1, c + 1) + ln(1 − I_½(b + 1, c + 1)): the likelihood ratio of a uniform mixture of
    P(won | one of both) over (½, 1] against ½. Arguments and use as `betting_log_wealth`.
    """
    ones = won + 1, lost + 1
    log_tail = np.log(scipy.special.betaincc(*ones, 0.5))
    return np.asarray((won + lost + 1) * math.log(2) + scipy.special.betaln(*ones) + log_tail)


def betting_rows(*, margin: float, gain: float, disagreement: float, error: float, steps: int, power: float) -> float:
    """Rows at which the betting e-value shows a gain beyond `margin` with probability `power`, if `gain` is true.

    Shown means that the log wealth reaches ln(steps/error): each of `steps` looks errs with at most error/steps, at
    any number of rows, for any distribution. The power is a normal approximation of the log wealth around its value
    at the expected counts; .5 gives the rows at which that value itself reaches the level. That is how a tolerance
    reads in `n - o > .02 +/- .01`: margin .02, gain .03. A tolerance of ease.ml/ci's bound is kept with probability
    1 − error, so for like against like give `power` as 1 − error too.

    Args:
        disagreement: share of rows that exactly one model gets right, at least the gain.

    Returns:
        Rows, infinite where the gain is not beyond the margin.
    """
    if gain <= margin:
        return math.inf
    from scipy.optimize import brentq

    level, z = math.log(steps / error), float(scipy.special.ndtri(power))
    shares = np.array([(disagreement + gain) / 2, (disagreement - gain) / 2, 1 - disagreement])
    gains = _log_growth(margin)

    def excess(log_rows: float) -> float:
        rows = math.exp(log_rows)
        of_bet = gains @ shares * rows
        wealth = float(scipy.special.logsumexp(of_bet)) - math.log(BETS)
        slope = np.exp(of_bet - scipy.special.logsumexp(of_bet)) @ gains  # what one row more of each sort adds
        spread = math.sqrt(rows * max(float(shares @ slope**2 - (shares @ slope) ** 2), 0.0))
        return wealth - z * spread - level

    low, high = 0.0, math.log(1e15)
    return math.exp(brentq(excess, low, high, xtol=1e-12)) if excess(low) < 0 < excess(high) else math.inf


def _log_growth(margin: float) -> Floats:
    """What a row on which the new model wins, loses, or neither adds to each bet's log wealth: (bets, 3)."""
    bets = np.geomspace(1e-4, 0.999 / (1 + margin), BETS)
    return np.asarray(np.log1p(bets[:, None] * (np.array([1.0, -1.0, 0.0]) - margin)))
