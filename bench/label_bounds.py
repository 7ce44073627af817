"""Rows that different bounds ask for, for one condition: the table of docs/planning.md.

    python -m bench.label_bounds

The condition is that of the paper on ease.ml/ci: `n - o > 0.02 +/- 0.01` at reliability .9999 for 32 looks at the same
rows, n and o being the shares of right answers of the new and the old model, which differ on a share d of the rows.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from scipy.optimize import brentq

from lockgate.gates.stats.label_bounds import hoeffding_rows
from lockgate.gates.stats.sample_size import paired_power, times_needed
from lockgate.gates.stats.scored import Floats

MARGIN, TOLERANCE, ERROR, LOOKS = 0.02, 0.01, 1e-4, 32
GAIN = MARGIN + TOLERANCE
DISAGREEMENTS = (0.1, 0.05)

BETS = 200
"""Bets that the mixture of `betting_rows` divides its stake among."""


def rows_by_method(disagreement: float) -> dict[str, int]:
    """Rows that each method asks for where the models differ on this share of the rows."""

    def betting(power: float) -> float:
        return betting_rows(margin=MARGIN, gain=GAIN, disagreement=disagreement, error=ERROR, steps=LOOKS, power=power)

    def planned_rows(power: float) -> float:
        return times_needed(
            lambda rows: paired_power(
                rows=rows, disagreement=disagreement, gain=GAIN, margin=MARGIN, alpha=ERROR / LOOKS
            ),
            power,
        )

    rows = {
        "ease.ml/ci, released": hoeffding_rows((1, 1), tolerance=TOLERANCE, error=ERROR, steps=LOOKS),
        "ease.ml/ci, Bennett, d known": bennett_rows(
            disagreement=disagreement, tolerance=TOLERANCE, error=ERROR, steps=LOOKS
        ),
        "betting e-value, power .5": betting(0.5),
        "betting e-value, power .9999": betting(1 - ERROR),
        "score test as planned, power .8": planned_rows(0.8),
        "score test as planned, power .9999": planned_rows(1 - ERROR),
    }
    return {method: math.ceil(count) for method, count in rows.items()}


def bennett_rows(*, disagreement: float, tolerance: float, error: float, steps: int) -> float:
    """Labels by ease.ml/ci's optimised estimator for n − o where the models disagree on at most `disagreement`.

    (ln H − ln(δ/4))/(p h(ε/p)) with h(u) = (1 + u) ln(1 + u) − u, p the disagreement, H steps. Only rows on which the
    models disagree need a label. Source: as `hoeffding_rows`; it is in the paper and not in the released code.
    """
    u = tolerance / disagreement
    return (math.log(steps) - math.log(error / 4)) / (disagreement * ((1 + u) * math.log1p(u) - u))


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


def main() -> None:
    """Print the table, one row per method."""
    columns = [rows_by_method(disagreement) for disagreement in DISAGREEMENTS]
    for method in columns[0]:
        print(f"| {method} | {' | '.join(f'{rows[method]:,}' for rows in columns)} |")  # noqa: T201


def _log_growth(margin: float) -> Floats:
    """What a row on which the new model wins, loses, or neither adds to each bet's log wealth: (bets, 3)."""
    bets = np.geomspace(1e-4, 0.999 / (1 + margin), BETS)
    return np.asarray(np.log1p(bets[:, None] * (np.array([1.0, -1.0, 0.0]) - margin)))


if __name__ == "__main__":
    main()
