"""Intervals and tests of counts, exactly: by summing the probabilities of all possible counts."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from bench.simulations.table import MeasuredRate, ResultTable
from lockgate.gates.stats import proportions
from lockgate.gates.stats.scored import Floats

ONE_SIDED_LEVEL = 0.975


def shares() -> ResultTable:
    """Wilson's interval for one share."""
    rows = []
    for n in (20, 50, 300, 2000):
        hits = np.arange(n + 1.0)
        low, high = proportions.wilson(hits, np.full(n + 1, float(n)), level=ONE_SIDED_LEVEL)
        half = special.ndtri(ONE_SIDED_LEVEL) * np.sqrt(hits / n * (1 - hits / n) / n)
        for share in (0.5, 0.9, 0.99):
            chance = stats.binom.pmf(hits, n, share)
            probability = chance[(low <= share) & (share <= high)].sum()
            wald = chance[np.abs(hits / n - share) <= half].sum()
            mean = _average(n, share, low, high)
            rows.append(
                (f"{n:,} rows, share {share:g}", _exact(wald), _exact(probability), _exact(mean, at_least=0.95))
            )
    return ResultTable(
        title="One share: Wilson's interval",
        description=(
            "The probability that a two-sided 95% interval holds the true share. For a discrete count it swings "
            "around its mean from one share to the next, so what is asked (.95) is asked of the mean over shares "
            "within one standard error of the one named."
        ),
        head=("", "Wald", "Wilson", "Wilson, mean of near shares"),
        rows=tuple(rows),
        seed=0,
    )


def _average(n: int, share: float, low: Floats, high: Floats) -> float:
    spread = np.sqrt(share * (1 - share) / n)
    near = np.linspace(max(share - spread, 0.5 / n), min(share + spread, 1 - 0.5 / n), 401)[:, None]
    hits = np.arange(n + 1.0)
    return float((stats.binom.pmf(hits, n, near) * ((low <= near) & (near <= high))).sum(axis=1).mean())


def compare_pairs() -> ResultTable:
    """Tango's interval and the exact McNemar test, at the levels of one look and of a corrected one."""
    rows = []
    for n, d, margin in ((1_000, 0.02, -0.01), (1_000, 0.05, -0.01), (10_000, 0.05, -0.01), (200, 0.10, -0.05)):
        for alpha in (0.05, 0.0025, 0.0001):
            won, lost, chance = _counts(n, d, gain=margin)
            z = special.ndtri(1 - alpha)
            tango = proportions.tango_statistic(won, lost, np.full_like(won, n), difference=np.full_like(won, margin))
            gap, spread = (won - lost) / n, np.sqrt(np.maximum(won + lost - (won - lost) ** 2 / n, 0.0)) / n
            fooled, wald = chance[tango >= z].sum(), chance[gap - z * spread >= margin].sum()
            won, lost, chance = _counts(n, d, gain=0.0)
            exact = chance[proportions.mcnemar_p(won, lost) <= alpha].sum()
            rows.append(
                (
                    f"{n:,} rows, d = {d:.0%}, margin {margin:g}",
                    f"{alpha:g}",
                    _exact(wald / alpha),
                    _exact(fooled / alpha, at_most=1.1),
                    _exact(exact / alpha, at_most=1.0),
                )
            )
    return ResultTable(
        title="Two models' shares: Tango and McNemar",
        description=(
            "Error rates over the level asked for. Non-inferiority where the challenger truly loses exactly the "
            "margin, by Wald's interval and by Tango's, which is approximate (asked: at most 1.1); and superiority "
            "at margin 0 where there is no gain, by the exact McNemar test (asked: at most 1). d is the share of rows "
            "that exactly one of the two gets right."
        ),
        head=("", "level", "Wald ÷ level", "Tango ÷ level", "McNemar ÷ level"),
        rows=tuple(rows),
        seed=0,
    )


def _counts(n: int, d: float, *, gain: float) -> tuple[Floats, Floats, Floats]:
    """All pairs of counts with a probability that matters, and these probabilities."""
    up, down = (d + gain) / 2, (d - gain) / 2
    most_won, most_lost = (int(stats.binom.isf(1e-12, n, share)) + 1 for share in (up, down))
    won, lost = (grid.ravel().astype(np.float64) for grid in np.mgrid[: most_won + 1, : most_lost + 1])
    chance = stats.binom.pmf(won, n, up) * stats.binom.pmf(lost, n - won, down / (1 - up))
    return won, lost, np.asarray(chance)


def _exact(value: float, *, at_least: float | None = None, at_most: float | None = None) -> MeasuredRate:
    nominal = at_most if at_least is None else at_least
    return MeasuredRate(value=float(value), runs=0, nominal=nominal, side="at most" if at_least is None else "at least")
