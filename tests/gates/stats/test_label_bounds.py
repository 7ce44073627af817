"""Published numbers of labels, and what a betting bound asks for instead.

Tests of gates/stats/label_bounds.py and bench/label_bounds.py.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.label_bounds import DISAGREEMENTS, bennett_rows, betting_log_wealth, betting_rows, rows_by_method
from lockgate.gates.stats.label_bounds import hoeffding_rows

STEPS = 32
TOLERANCES = (0.1, 0.05, 0.025, 0.01)
TABLE = {  # (reliability, variables) → labels for each tolerance, where developers do not see the results
    (0.99, 1): (404, 1615, 6457, 40355),
    (0.99, 2): (1753, 7012, 28045, 175282),
    (0.9999, 1): (634, 2536, 10141, 63381),
    (0.9999, 2): (2674, 10696, 42782, 267385),
}


@pytest.mark.parametrize(("reliability", "variables"), TABLE)
def test_the_table_of_the_paper(reliability: float, variables: int) -> None:
    rows = tuple(
        hoeffding_rows((1,) * variables, tolerance=tolerance, error=1 - reliability, steps=STEPS)
        for tolerance in TOLERANCES
    )
    assert rows == TABLE[reliability, variables]


def test_the_largest_coefficient_decides() -> None:
    rows = hoeffding_rows((1, -1.1), tolerance=0.01, error=0.01, steps=STEPS)
    assert rows == math.ceil(1.21 * 4 * math.log(2 * STEPS / 0.01) / (2 * 0.01**2))


def test_bennett_where_the_disagreement_is_known() -> None:
    assert int(bennett_rows(disagreement=0.1, tolerance=0.01, error=1e-4, steps=STEPS)) == 29047


def wealth(won: float, lost: float, rows: float, *, margin: float) -> float:
    return float(betting_log_wealth(np.array([won]), np.array([lost]), np.array([rows]), margin=margin)[0])


@pytest.mark.parametrize(("disagreement", "published"), [(0.1, 30729), (0.05, 14511)])
def test_a_betting_bound_instead_of_267_385_rows(disagreement: float, published: int) -> None:
    """At these rows the wealth at the counts expected reaches 32/.0001: where power is one half."""
    expected = {"margin": 0.02, "gain": 0.03, "disagreement": disagreement, "error": 1e-4, "steps": STEPS}
    rows = betting_rows(**expected, power=0.5)
    assert math.ceil(rows) == published
    won, lost = (disagreement + 0.03) / 2, (disagreement - 0.03) / 2
    assert wealth(rows * won, rows * lost, rows, margin=0.02) == pytest.approx(math.log(STEPS / 1e-4), abs=1e-6)
    like_for_like = betting_rows(**expected, power=1 - 1e-4)
    assert 2 < 267_385 / like_for_like < 6


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_power_of_the_betting_bound(power: float) -> None:
    rows = math.ceil(betting_rows(margin=0.02, gain=0.03, disagreement=0.1, error=1e-4, steps=STEPS, power=power))
    counts = np.random.default_rng(5).multinomial(rows, [0.065, 0.035, 0.9], size=20_000).astype(np.float64)
    result = betting_log_wealth(counts[:, 0], counts[:, 1], np.full(20_000, float(rows)), margin=0.02)
    assert (result >= math.log(STEPS / 1e-4)).mean() == pytest.approx(power, abs=0.025)


def test_nobody_gets_rich_while_the_gain_is_at_most_the_margin() -> None:
    """Ville: however often one looks as rows arrive, wealth ever reaches 20 with probability .05 at most."""
    lots, runs = np.random.default_rng(6), 4000
    for gain in (0.02, 0.0):
        maximum = np.full(runs, -np.inf)
        won, lost, rows = np.zeros(runs), np.zeros(runs), np.zeros(runs)
        for step in (50, 100, 200, 400, 800, 1600, 3200, 6400):
            counts = lots.multinomial(step, [(0.1 + gain) / 2, (0.1 - gain) / 2, 0.9], size=runs)
            won, lost, rows = won + counts[:, 0], lost + counts[:, 1], rows + step
            maximum = np.maximum(maximum, betting_log_wealth(won, lost, rows, margin=gain))
        assert 0 < (maximum >= math.log(20)).mean() <= 0.05


def test_wealth_is_a_mean_of_one_where_the_gain_is_the_margin() -> None:
    """An e-value, exactly: over all outcomes of 6 rows."""
    won, lost = np.meshgrid(np.arange(7.0), np.arange(7.0), indexing="ij")
    inside = won + lost <= 6
    won, lost = won[inside], lost[inside]
    ways = np.array([math.comb(6, int(b)) * math.comb(6 - int(b), int(c)) for b, c in zip(won, lost, strict=True)])
    chance = ways * 0.3**won * 0.2**lost * 0.5 ** (6 - won - lost)
    assert chance.sum() == pytest.approx(1)
    assert chance @ np.exp(betting_log_wealth(won, lost, np.full(won.size, 6.0), margin=0.1)) == pytest.approx(1)


def test_more_is_asked_of_a_smaller_distance() -> None:
    rows = [
        betting_rows(margin=0.02, gain=gain, disagreement=0.1, error=1e-4, steps=STEPS, power=0.5)
        for gain in (0.02, 0.021, 0.03, 0.05)
    ]
    assert math.isinf(rows[0])
    assert all(row > other for row, other in pairwise(rows))


def test_the_document_compares_with_these_numbers() -> None:
    page = (Path(__file__).parents[3] / "docs" / "planning.md").read_text(encoding="utf-8")
    columns = [rows_by_method(disagreement) for disagreement in DISAGREEMENTS]
    for method in columns[0]:
        assert f"| {method} | {' | '.join(f'{rows[method]:,}' for rows in columns)} |" in page
