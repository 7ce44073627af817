"""Equal models as they are: draws keep skew and order, and what a policy ignores is found in the holdout itself.

Tests of gates/selftest/advice.py
Tests of gates/selftest/as_is.py
Tests of gates/selftest/dependence.py
Tests of gates/selftest/drawn.py
Tests of gates/selftest/packs.py
Tests of gates/selftest/rates.py
Tests of gates/selftest/views.py
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from lockgate import Evidence
from lockgate.gates.evidence.columns import encode_names
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import estimate_differences
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.selftest import dependence, selftest
from lockgate.gates.selftest.as_is import try_as_they_are
from lockgate.gates.selftest.packs import choose_block_length, correlate_neighbours, draw_blocks, draw_weekdays
from lockgate.gates.selftest.views import View, find_views

GAIN = {"gain": {"kind": "improvement", "metric": "mae", "margin": 0.0}}
LOOKS = {"kind": "fixed", "looks": 20}


def remember(days: int, rho: float, seed: int = 1) -> np.ndarray:
    """An autoregressive series of days."""
    shocks = np.random.default_rng(seed).normal(size=days)
    for day in range(1, days):
        shocks[day] = rho * shocks[day - 1] + np.sqrt(1 - rho**2) * shocks[day]
    return shocks


def make_days(
    gains: np.ndarray, *, each: int = 1, noise: float = 0.0, cluster: str = "day", timed: bool = True
) -> Evidence:
    """Rows of days whose gains are shared by `each` rows."""
    number = np.repeat(np.arange(gains.size), each)
    rng = np.random.default_rng(5)
    days = [(date(2024, 1, 1) + timedelta(days=int(day))).isoformat() for day in number]
    customers = [f"{customer:05d}" for customer in rng.integers(0, 3 * gains.size, number.size)]
    return Evidence.from_arrays(
        task="regression",
        label=np.zeros(number.size),
        challenger=1000 - gains[number] - noise * rng.normal(size=number.size),
        champion=np.full(number.size, 1000.0),
        cluster={"day": days, "customer": customers, "none": None}[cluster],
        time=days if timed else None,
    )


def see(policy: Any, evidence: Evidence, seeds: Any = (), draws: int = 500) -> tuple[Any, dict[tuple[str, str], Any]]:
    drawn, signs = try_as_they_are(policy, evidence, seeds=seeds, seed=1, draws=draws)
    return drawn, {(sign.kind, sign.noun): sign for sign in signs}


def view_of(policy: Any, evidence: Evidence, metric: str = "mae") -> View:
    return find_views(policy, evidence, [metric], seeds=(), rng=np.random.default_rng(0))[0]


@pytest.mark.parametrize("serial", ["ignore", "if_ordered"])
def test_drawn_clusters_are_judged_as_the_engine_judges_their_rows(make: Any, serial: str) -> None:
    """p of a gain above the one on the evidence, on the rows of the drawn clusters themselves."""
    evidence = make_days(remember(30, 0.5), each=4, noise=1.0)
    view = view_of(make.policy(GAIN, serial_dependence=serial), evidence)
    picks = draw_blocks(np.random.default_rng(2), 30, length=4, draws=5)
    p, _ = view.first.p_gain(picks, ordered=view.allowed, min_clusters=2)
    truth = np.mean(1000 - evidence.challenger)
    for pick, expected in zip(picks, p, strict=True):
        rows = (4 * pick[:, None] + np.arange(4)).ravel()
        drawn = Rows(
            label=np.zeros(120),
            challenger=evidence.challenger[rows],
            champion=np.full(120, 1000.0),
            cluster=np.repeat(np.arange(30), 4),
            ordered=serial == "if_ordered",
        )
        judged = estimate_differences(find_metric("mae", "regression"), GroupedRows(rows=drawn))
        assert judged.p_gain(float(truth))[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("cluster", "keys"), [("day", {"clusters": "ignore"}), ("none", {})])
def test_rows_that_count_by_themselves_are_judged_as_the_engine_does(make: Any, cluster: str, keys: Any) -> None:
    evidence = make_days(remember(30, 0.0), each=8, noise=1.0, cluster=cluster)
    view = view_of(make.policy(GAIN, **keys), evidence)
    picks = draw_blocks(np.random.default_rng(2), 30, length=1, draws=5)
    p, _ = view.first.p_gain(picks, ordered=False, min_clusters=2)
    for pick, expected in zip(picks, p, strict=True):
        rows = (8 * pick[:, None] + np.arange(8)).ravel()
        drawn = Rows(label=np.zeros(240), challenger=evidence.challenger[rows], champion=np.full(240, 1000.0))
        judged = estimate_differences(find_metric("mae", "regression"), GroupedRows(rows=drawn))
        assert judged.p_gain(float(np.mean(1000 - evidence.challenger)))[0] == pytest.approx(expected, rel=1e-6)


def test_blocks_keep_neighbours_and_weekdays_keep_weekdays() -> None:
    rng = np.random.default_rng(0)
    picks = draw_blocks(rng, 31, length=4, draws=300)
    assert picks.shape == (300, 31)
    assert np.mean((picks[:, 1:] - picks[:, :-1]) % 31 == 1) == pytest.approx(23 / 30, abs=0.02)
    assert np.bincount(picks.ravel(), minlength=31).min() > 150
    weekday = (np.arange(31) + 2) % 7
    weeks = draw_weekdays(rng, weekday, draws=50)
    for day in range(7):
        assert all(np.unique(weekday[pick[weekday == day]]).size == 1 for pick in weeks)


def test_blocks_are_longer_where_neighbours_resemble_each_other() -> None:
    rows = np.ones(120)
    assert choose_block_length(remember(120, 0.0), rows) == 5
    assert choose_block_length(remember(120, 0.8), rows) > 8
    assert correlate_neighbours(remember(2000, 0.6), np.ones(2000)) == pytest.approx(0.6, abs=0.06)
    assert correlate_neighbours(np.ones(4), np.ones(4)) == 0
    assert correlate_neighbours(np.zeros(9), np.ones(9)) == 0


def test_order_that_the_policy_ignores_makes_it_unfit_and_says_what_to_change(make: Any) -> None:
    evidence = make_days(remember(90, 0.5))
    drawn, signs = see(make.policy(GAIN, schedule=LOOKS, serial_dependence="ignore"), evidence)
    assert signs["order", "cluster"].shown
    assert signs["order", "cluster"].p < 0.01
    assert drawn[0].at_look.share > 2 * drawn[0].promised
    result = selftest(make.policy(GAIN, schedule=LOOKS, serial_dependence="ignore"), evidence, trials=20)
    (problem,) = [line for line in result.problems if "neighbouring clusters" in line]
    assert problem.endswith("let them count (serial_dependence: if_ordered)")
    assert "lag 1: 0." in problem
    allowed, signs = see(make.policy(GAIN, schedule=LOOKS), evidence)
    assert signs["order", "cluster"].allowed
    assert not signs["order", "cluster"].shown
    assert allowed[0].at_look.share < drawn[0].at_look.share
    assert allowed[0].plain_at_look == drawn[0].plain_at_look


def test_pairs_of_other_seeds_show_what_one_pair_does_not(make: Any) -> None:
    policy = make.policy(GAIN, schedule=LOOKS, serial_dependence="ignore")
    pair, *others = (make_days(remember(40, 0.5, seed=seed)) for seed in range(10, 18))
    turned = replace(others[0], challenger=others[0].champion, champion=others[0].challenger)
    alone = see(policy, pair)[1]["order", "cluster"]
    drawn, signs = see(policy, pair, (*others, turned))
    assert (alone.pairs, signs["order", "cluster"].pairs) == (1, 8)
    assert signs["order", "cluster"].p <= 0.002
    assert drawn[0].others_at_look is not None
    assert see(policy, pair, [make_days(remember(9, 0.0))])[1]["order", "cluster"].pairs == 1


def test_weekdays_that_share_effects_are_seen_under_the_shipped_policy(make: Any) -> None:
    gains = np.random.default_rng(3).normal(size=7)[np.arange(35) % 7] + 0.5 * remember(35, 0.0)
    evidence = make_days(gains)
    drawn, signs = see(make.policy(GAIN, schedule=LOOKS), evidence)
    sign = signs["weekday", "cluster"]
    assert sign.shown
    assert sign.value > 0.5
    assert [each.title for each in drawn] == ["3 clusters in a row, as they are", "weekdays as they are"]
    result = selftest(make.policy(GAIN, schedule=LOOKS), evidence, trials=20)
    assert any(line.startswith("weekdays share effects") and "week as cluster" in line for line in result.warnings)
    assert not any("weekdays" in line for line in result.problems)
    assert ("weekday", "cluster") not in see(make.policy(GAIN), make_days(gains[:21]))[1]


@pytest.mark.parametrize(
    ("cluster", "keys", "noun", "change"),
    [
        ("day", {"clusters": "ignore"}, "cluster", "clusters: if_present"),
        ("customer", {}, "date", "declare the date as cluster"),
        ("none", {}, "date", "declare the date as cluster"),
    ],
)
def test_rows_that_share_a_day_which_the_policy_does_not_count(
    make: Any, cluster: str, keys: Any, noun: str, change: str
) -> None:
    policy = make.policy(GAIN, schedule=LOOKS, **keys)
    evidence = make_days(remember(40, 0.0), each=10, noise=2.0, cluster=cluster)
    drawn, signs = see(policy, evidence)
    assert signs["shared", noun].shown
    assert signs["shared", noun].value > 2
    assert next(each for each in drawn if each.noun == noun).exceeds
    problems = selftest(policy, evidence, trials=20).problems
    assert any(change in problem for problem in problems), problems
    quiet = make_days(np.zeros(40), each=10, noise=2.0, cluster=cluster)
    assert not any(sign.shown for sign in see(policy, quiet)[1].values())


def test_losses_that_few_clusters_carry_are_a_warning(make: Any) -> None:
    gains = np.random.default_rng(4).normal(size=30)
    gains[[3, 11]] -= 12
    evidence = make_days(gains, timed=False)
    drawn, signs = see(make.policy(GAIN, schedule=LOOKS), evidence)
    assert signs["skew", "cluster"].shown
    assert drawn[0].title == "clusters as they are"
    assert drawn[0].exceeds_by(4)
    result = selftest(make.policy(GAIN, schedule=LOOKS), evidence, trials=20)
    assert any("few clusters carry large losses" in line for line in result.warnings)
    assert not any("clusters carry" in line for line in result.problems)


def test_independent_rows_are_drawn_in_random_packs(make: Any) -> None:
    evidence = make_days(np.random.default_rng(0).normal(size=5000), cluster="none", timed=False)
    drawn, signs = see(make.policy(GAIN), evidence, draws=400)
    assert {noun for _, noun in signs} == {"row"}
    assert drawn[0].title == "rows as they are"
    assert drawn[0].at_5.share == pytest.approx(0.05, abs=0.035)
    assert drawn[0].plain_at_5.share == pytest.approx(0.05, abs=0.035)


def test_every_gate_must_pass_on_the_same_draw(make: Any) -> None:
    evidence = make_days(np.random.default_rng(0).normal(size=40))
    both = {**GAIN, "rmse": {"kind": "improvement", "metric": "rmse", "margin": 0.0}}
    either = {"either": {"kind": "any_of", "checks": both}}
    rates = [see(make.policy(checks), evidence)[0][0].at_5.count for checks in (both, GAIN, either)]
    assert rates[0] <= rates[1]
    assert rates[2] <= 500


def test_without_a_gate_that_asks_for_a_gain_nothing_is_drawn(make: Any) -> None:
    kept = {"kept": {"kind": "improvement", "metric": "mae", "margin": -0.1}}
    assert try_as_they_are(make.policy(kept), make_days(remember(30, 0.0)), seeds=(), seed=1) == ((), ())


def test_times_that_are_no_dates_have_no_weekdays(make: Any) -> None:
    days = make_days(remember(40, 0.0))
    texts = [f"t{number:03d}" for number in range(40)]
    evidence = Evidence.from_arrays(
        task="regression",
        label=days.label,
        challenger=days.challenger,
        champion=days.champion,
        cluster=texts,
        time=texts,
    )
    signs = see(make.policy(GAIN), evidence)[1]
    assert set(signs) == {("order", "cluster"), ("skew", "cluster")}


def test_p_values_are_those_of_permutations_and_of_fisher() -> None:
    rng = np.random.default_rng(1)
    p = [dependence.try_order(rng.normal(size=(2, 12)), dependence.relate_neighbours, rng=rng) for _ in range(200)]
    assert 0.35 < np.mean(p) < 0.65
    assert dependence.try_order(np.ones((1, 6)), dependence.relate_neighbours, rng=rng) == 1
    from scipy import stats

    values, pack = rng.normal(size=30), np.repeat(np.arange(5), 6)
    expected = stats.f_oneway(*(values[pack == number] for number in range(5))).pvalue
    assert dependence.try_shared(values - values.mean(), np.ones(30), pack, 5) == pytest.approx(expected)
    assert dependence.try_shared(values, np.ones(30), np.arange(30), 30) == 1


def test_weighted_holm() -> None:
    assert dependence.reject_weighted([0.03, 0.04], [3.0, 1.0], 0.05) == [True, True]
    assert dependence.reject_weighted([0.04, 0.04], [3.0, 1.0], 0.05) == [False, False]
    assert dependence.reject_weighted([], [], 0.05) == []


def test_a_gate_of_periods_is_not_judged_by_all_rows_at_once(make: Any) -> None:
    """Drawn holdouts have no periods; with only such a gate there is nothing to draw for, and the gate is named."""
    evidence = replace(make_days(remember(60, 0.0)), period=encode_names("period", ["a", "b", "c"] * 20))
    monthly = {"kind": "periods", "metric": "mae", "margin": 0.0, "require": "every", "min_periods": 3}
    assert try_as_they_are(make.policy({"monthly": monthly}), evidence, seeds=(), seed=0) == ((), ())
    both = make.policy({**GAIN, "monthly": monthly})
    assert try_as_they_are(both, evidence, seeds=(), seed=0) == try_as_they_are(
        make.policy(GAIN), evidence, seeds=(), seed=0
    )
    assert selftest(both, evidence, trials=20).undrawn == ("monthly",)
