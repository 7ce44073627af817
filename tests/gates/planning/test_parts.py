"""Plans of gates over groups, over rows that change, of clauses and of alternatives; and looks that are left.

Tests of gates/planning/absolutes.py
Tests of gates/planning/comparisons.py
Tests of gates/planning/conditions.py
Tests of gates/planning/groups.py
Tests of gates/planning/kinds.py
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lockgate import Evidence, State, judge
from lockgate.gates.judge.engine import build_case
from lockgate.gates.planning import plan
from lockgate.gates.planning.kinds import Assumptions, plan_gate
from lockgate.gates.planning.planner import count_looks_left
from tests.gates.planning.test_planner import (
    AHEAD,
    SITES,
    allow_for,
    errors_of,
    need_of,
    pilot,
    power_below,
    slow,
    some,
)

CHURN = {"kind": "disagreement", "max": 0.25, "decide": "bound"}
EVEN = {
    "kind": "fairness",
    "by": "site",
    "metric": "accuracy",
    "max": 0.2,
    "decide": "bound",
    "min_rows": 20,
    "small_slice": "inconclusive",
}
FLOOR = {"kind": "threshold", "metric": "accuracy", "min": 0.65, "decide": "bound"}


def clauses(text: str) -> dict[str, Any]:
    return {"kind": "condition", "condition": text}


def either(**checks: Any) -> dict[str, Any]:
    return {"kind": "any_of", "checks": checks}


def passing(make: Any, check: dict[str, Any], *, rows: int, times: int = 200) -> tuple[float, float]:
    """The share of small holdouts on which `judge` passes a gate, and what the plan of a large pilot says."""
    policy, large, rng = make.policy({"gate": check}), pilot(60_000), np.random.default_rng(8)
    chosen = [rng.choice(large.n, rows, replace=False) for _ in range(times)]
    passed = float(np.mean([judge(policy, some(large, index)).verdict == "PROMOTE" for index in chosen]))
    case = build_case(policy, large, State(), None, spent="")
    requirement = plan_gate(
        policy.checks["gate"], case, Assumptions(gains={"accuracy": 0.0}, pilot=True, disagreement=None)
    )
    chance = requirement.chance_at(rows / large.n)
    assert chance is not None
    return passed, chance


@pytest.mark.parametrize(
    ("check", "rows", "exact"),
    [
        (CHURN, 240, True),
        pytest.param({**CHURN, "decide": "point", "max": 0.17}, 240, True, marks=slow),
        (EVEN, 900, False),
        pytest.param({**EVEN, "metric": "brier", "max": 0.08}, 600, False, marks=slow),
        pytest.param({**EVEN, "metric": "recall", "max": 0.06, "decide": "point"}, 1200, False, marks=slow),
        (clauses("n > 0.65 +/- 0.2"), 240, True),
        pytest.param(clauses("d < 0.25 +/- 0.2"), 240, True, marks=slow),
        pytest.param(clauses("n - o > -0.05 +/- 0.2"), 300, True, marks=slow),
        (clauses("n - 1.1 * o > -0.13 +/- 0.2"), 300, True),
        pytest.param(clauses("o > 0.65 +/- 0.2"), 240, True, marks=slow),
        pytest.param(clauses("d < 0.5 +/- 0.0402"), 240, True, marks=slow),
        (clauses("n - 1.1 * o > -0.5 +/- 0.0472"), 240, True),
        pytest.param(clauses("n > 0.65 +/- 0.2 /\\ d < 0.25 +/- 0.2"), 300, False, marks=slow),
        (either(churn=CHURN, floor=FLOOR), 240, False),
        pytest.param(either(churn={**CHURN, "max": 0.17}, floor=FLOOR), 240, True, marks=slow),
    ],
)
def test_judging_passes_as_often_as_planned(make: Any, check: dict[str, Any], rows: int, exact: bool) -> None:
    """Where several must pass, or one of several, the plan says at least how often."""
    passed, chance = passing(make, check, rows=rows)
    assert passed >= chance - 0.1
    if exact:
        assert 0.1 < chance < 0.995
        assert passed == pytest.approx(chance, abs=0.1)


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_a_limit_on_a_quantile_of_errors(make: Any, q: float) -> None:
    large, rng = errors_of(np.random.default_rng(2), 60_000), np.random.default_rng(5)
    quantile = float(np.quantile(np.abs(large.challenger - large.label), q))
    check = {"kind": "threshold", "metric": f"absolute_error@{q}", "max": quantile * 1.15, "decide": "bound"}
    policy = make.policy({"gate": check})
    case = build_case(policy, large, State(), None, spent="")
    requirement = plan_gate(policy.checks["gate"], case, Assumptions(gains={}, pilot=True, disagreement=None))
    passed = 0
    for _ in range(200):
        rows = rng.choice(large.n, 300, replace=False)
        options = {"label": large.label[rows], "challenger": large.challenger[rows], "champion": large.champion[rows]}
        passed += judge(policy, Evidence.from_arrays(task="regression", **options)).verdict == "PROMOTE"
    assert passed / 200 == pytest.approx(requirement.chance_at(300 / large.n), abs=0.1)
    assert 0.2 < passed / 200 < 0.98


def test_a_share_of_rows_that_change_without_a_pilot(make: Any) -> None:
    """Fleiss, Levin and Paik's size, of the share that does not change."""
    need = need_of(make, {**CHURN, "max": 0.1}, disagreement=0.08)
    z, power = stats.norm.isf(0.05), stats.norm.isf(0.2)
    rows = ((z * math.sqrt(0.1 * 0.9) + power * math.sqrt(0.08 * 0.92)) / 0.02) ** 2
    assert need.rows == math.ceil(rows)
    assert (need.truth, need.level, need.chance) == (0.08, 0.95, None)
    assert "a disagreement to assume" in need_of(make, CHURN).why
    assert "does not meet the rule" in need_of(make, CHURN, disagreement=0.3).why
    assert "needs a pilot" in need_of(make, {**CHURN, "beyond": 1.0}, disagreement=0.1).why


def test_a_pilot_without_a_champion_has_no_rows_that_change(make: Any) -> None:
    for check in (CHURN, clauses("d < 0.2 +/- 0.1"), clauses("n - 1.1 * o > 0 +/- 0.1")):
        need = need_of(make, check, evidence=pilot(champion=None))
        assert "has no champion" in (need.parts[0] if need.parts else need).why


@pytest.mark.parametrize("clusters", [None, 40])
def test_a_clustered_share_grows_with_its_clusters(make: Any, clusters: int | None) -> None:
    evidence = pilot(clusters=clusters)
    need = need_of(make, {**CHURN, "max": 0.24}, evidence=evidence)
    judged = make.judge(CHURN, evidence).outcomes[0]
    assert need.truth == judged.observed
    if clusters:
        changed = (evidence.challenger >= 0.5) != (evidence.champion >= 0.5)
        plain = allow_for(changed.astype(float), clusters)
        _, above = plain.bounds(0.0, 0.95)
        scaled = replace(plain, error=plain.error * (judged.high - judged.observed) / above)  # as the gate's own bound
        assert need.chance == pytest.approx(power_below(scaled, 0.24 - judged.observed), abs=1e-6)
        fewest, most = (math.ceil(rows / evidence.n * clusters) for rows in (need.rows - 1, need.rows))
        assert fewest <= need.clusters <= most
    else:
        assert need.clusters is None


def test_a_half_width_takes_rows_of_its_own(make: Any) -> None:
    evidence = pilot(4000)
    need = need_of(make, clauses("n - o > -0.5 +/- 0.005"), evidence=evidence)
    (clause,) = need.parts
    ours, theirs = ((score >= 0.5) == evidence.label for score in (evidence.challenger, evidence.champion))
    spread = np.std(ours.astype(float) - theirs, ddof=1)
    assert clause.narrow_rows == math.ceil((stats.norm.isf(0.05) * spread / 0.005) ** 2)
    assert clause.rows == need.rows
    assert 1 < need.rows / clause.narrow_rows < 1.05
    loose = need_of(make, clauses("n - o > -0.02 +/- 0.4"), evidence=evidence).parts[0]
    alone = need_of(make, {**AHEAD, "margin": -0.02}, evidence=evidence)
    assert loose.rows == alone.rows
    assert loose.narrow_rows < 20


def test_a_condition_without_a_pilot_is_its_comparison(make: Any) -> None:
    keys = {"schedule": {"kind": "fixed", "looks": 32}, "confidence": 0.9999}
    need = need_of(make, clauses("n - o > 0.02 +/- 0.01"), keys=keys, gain=0.03, disagreement=0.1)
    (clause,) = need.parts
    assert clause.bound_rows == 267_385
    assert (clause.kind, clause.rule, clause.truth) == ("improvement", "accuracy gains at least 0.02", 0.03)
    z = stats.norm.isf(1e-4 / 32)
    assert clause.narrow_rows == math.ceil(z * z * (0.1 - 0.03**2) / 0.01**2)
    assert need.rows == clause.rows >= 28_465
    one_open = need_of(make, clauses("n - o > 0.02 +/- 0.01 /\\ n > 0.8 +/- 0.1"), gain=0.03, disagreement=0.1)
    assert (one_open.rows, one_open.why) == (None, "a clause of it is not planned")
    assert "needs a pilot" in one_open.parts[1].why


def test_all_clauses_take_more_than_any(make: Any) -> None:
    need = need_of(make, clauses("n > 0.65 +/- 0.2 /\\ d < 0.25 +/- 0.2"), evidence=pilot())
    maximum = max(part.rows for part in need.parts)
    assert maximum <= need.rows < 2 * maximum


def test_the_cheapest_alternative_decides(make: Any) -> None:
    keys = {"schedule": {"kind": "fixed", "looks": 10}}
    check = either(better=AHEAD, good=FLOOR, seen={**FLOOR, "decide": "point"}, told=make.check("leakage"))
    need = need_of(make, check, keys=keys, evidence=pilot(), gain=0.01)
    parts = {part.name: part for part in need.parts}
    assert parts["better"].level == parts["good"].level == pytest.approx(1 - 0.05 / 10 / 2)
    assert parts["seen"].level is None
    assert need.cheapest == "seen"
    assert need.rows == parts["seen"].rows
    assert need.chance == max(part.chance for part in need.parts if part.chance is not None)
    assert need.why.endswith("not planned: told")
    unplanned = plan(make.policy({"gate": either(told=make.check("leakage"))}), power=0.8, evidence=pilot())
    assert unplanned.needs[0].why == "no check of it is planned"
    assert unplanned.unplanned == ("gate",)
    harm = need_of(make, either(sites={**SITES, "require": "no_proven_harm"}), evidence=pilot())
    assert (harm.rows, harm.cheapest) == (None, "sites")
    assert "unless harm is proven" in harm.why


def test_groups_are_planned_by_their_pairs(make: Any) -> None:
    need = need_of(make, EVEN, evidence=pilot(6000))
    (outcome,) = make.judge(EVEN, pilot(6000)).outcomes
    assert need.truth == pytest.approx(outcome.observed)
    assert "accuracy in 3 groups" in need.supposed
    assert "of north and south, the hardest pair" in need.shows
    assert need_of(make, {**EVEN, "min_rows": 2000}, evidence=pilot(6000)).rows == 12_000
    tight = need_of(make, {**EVEN, "max": need.truth / 2}, evidence=pilot(6000))
    assert (tight.rows, tight.detectable) == (None, None)
    assert "does not meet the rule" in tight.why
    alone = {"slices": {"site": np.full(6000, "north")}}
    assert "1 groups to compare" in need_of(make, EVEN, evidence=pilot(6000, **alone)).why


@pytest.mark.parametrize("metric", ["accuracy", "brier"])
def test_clustered_groups_scale_with_their_clusters(make: Any, metric: str) -> None:
    check = {**EVEN, "metric": metric}
    small, large = (need_of(make, check, evidence=pilot(n, clusters=n // 50)) for n in (3000, 12_000))
    assert small.clusters == pytest.approx(small.rows / 50, abs=1)
    assert small.rows > need_of(make, check, evidence=pilot(3000)).rows
    assert large.chance >= small.chance


def test_looks_that_are_left(make: Any) -> None:
    check = {**AHEAD, "metric": "brier"}
    policy = make.policy({"gate": check}, schedule={"kind": "fixed", "looks": 2})
    evidence, state, looks = pilot(400), State(), []
    for seed in (11, 12, 13):
        result = plan(policy, power=0.8, evidence=evidence, state=state)
        assert result.looks_left == count_looks_left(policy, evidence, state).remaining
        looks.append((result.looks_left, result.looks))
        state = judge(policy, pilot(400, challenger=pilot(400, seed=seed).challenger), state).state
    assert looks == [
        (2, "all 2 are left at this holdout"),
        (1, "1 of 2 taken at this holdout, 1 left"),
        (0, "2 of 2 taken at this holdout, 0 left; judge on fresh rows"),
    ]
    retired = state.retire_holdouts(state.holdouts)
    assert count_looks_left(policy, evidence, retired).remaining == 0
    assert "retired" in count_looks_left(policy, evidence, retired).text
    assert count_looks_left(policy, pilot(300), retired).remaining == 2
    assert "not counted" in count_looks_left(make.policy({"gate": check}), evidence, state).text
    no_gain = make.policy({"gate": FLOOR}, schedule={"kind": "fixed", "looks": 2})
    assert "no gate asks for a gain" in count_looks_left(no_gain, evidence, state).text
    assert plan(policy, power=0.8, evidence=evidence).looks == ""
