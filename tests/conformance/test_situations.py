"""Situations in which a user can be fooled, at a small size; `make simulate` measures them at full size.

Seeds are fixed. A rate may miss what is asked of it by three standard errors of the simulation.
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.simulations.situations import ALPHA, LOOK, SITUATIONS, Situation, find_strength, measure_situation

BY_NAME = {situation.name: situation for situation in SITUATIONS}
DAYS, EXPONENTIAL = "31 days in order, ρ = 0.4", "exponential bad days, 20 clusters"
AREAS, RECALL = "`auc`, 20 positives of 400", "`recall`, 30 equal days, half of the positives in 2"


def allow(rate: float, runs: int) -> float:
    """The rate and three standard errors of a simulation of so many holdouts."""
    return float(rate + 3 * np.sqrt(rate * (1 - rate) / runs))


@pytest.mark.parametrize(
    ("name", "runs", "naive"),
    [(DAYS, 20_000, 0.13), (EXPONENTIAL, 20_000, 0.1), (AREAS, 5000, 0.04), (RECALL, 1000, 0.15)],
)
def test_equal_models_pass_no_more_often_than_declared(name: str, runs: int, naive: float) -> None:
    judged = measure_situation(BY_NAME[name], runs=runs, strength=0.0, seed=5)
    for alpha, passed in zip((ALPHA, LOOK), judged.passed.mean(axis=1), strict=True):
        assert passed <= allow(alpha, runs)
    assert judged.naive.mean(axis=1)[0] > naive  # what the plain interval does there


def test_positives_in_two_days_pass_nothing_and_those_of_twelve_days_do() -> None:
    two, twelve = (BY_NAME[RECALL.replace("in 2", f"in {days}")] for days in (2, 12))
    assert measure_situation(two, runs=200, strength=0.0, seed=6).short.all()
    judged = measure_situation(twelve, runs=500, strength=3.0, seed=6)
    assert not judged.short.any()
    assert judged.passed[0].mean() > 0.5


@pytest.mark.parametrize(("positives", "short"), [(15, True), (20, False)])
def test_an_area_asks_for_twenty_rows_of_the_rarer_label(positives: int, short: bool) -> None:
    judged = measure_situation(BY_NAME[f"`auc`, {positives} positives of 400"], runs=50, strength=1.0, seed=7)
    assert (judged.short == short).all()
    assert judged.passed[0].any() != short


@pytest.mark.parametrize(("name", "least"), [(DAYS, 0.6), (EXPONENTIAL, 0.8)])
def test_a_true_gain_is_still_seen(name: str, least: float) -> None:
    strength = find_strength(BY_NAME[name], seed=8)
    assert measure_situation(BY_NAME[name], runs=2000, strength=strength, seed=9).passed[0].mean() > least


@pytest.mark.slow
@pytest.mark.parametrize("situation", [known for known in SITUATIONS if known.solved], ids=lambda known: known.name)
def test_equal_models_pass_no_more_often_than_declared_in_any_that_is_solved(situation: Situation) -> None:
    runs = 4000 if situation.rows <= 400 else 400
    judged = measure_situation(situation, runs=runs, strength=0.0, seed=10)
    assert judged.passed[0].mean() <= allow(ALPHA, runs)
