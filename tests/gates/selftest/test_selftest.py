"""Policies that are known to be good, or to be bad in one way, and what the selftest says of them.

Tests of gates/selftest/findings.py
Tests of gates/selftest/reach.py
Tests of gates/selftest/record.py
Tests of gates/selftest/trials.py
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lockgate import Evidence
from lockgate.gates.errors import EvidenceError, PolicyError
from lockgate.gates.evidence.task import QUERY_TASKS
from lockgate.gates.selftest import Rate, Selftest, selftest
from lockgate.gates.selftest.findings import is_above, smallest_promoted_gain

FEW = 40
ANY_GAIN = {"gain": {"kind": "improvement", "metric": "log_loss", "margin": 0.0}}


@pytest.fixture(scope="module")
def default(make: Any, pair: Evidence, checks: Any) -> Selftest:
    policy = make.policy(checks, schedule={"kind": "fixed", "looks": 5})
    return selftest(policy, pair, trials=FEW)


def test_a_policy_that_is_fit(default: Selftest) -> None:
    assert default.problems == ()
    assert default.promised == pytest.approx(0.01)
    assert default.equal.promotion_rate.count <= 2
    assert default.gains[-1].promotion_rate.share == 1
    assert [gate.name for gate in default.gates if not {"PASS", "FAIL"} <= gate.only] == []
    assert (default.rows, default.clusters, default.metric) == (2000, 50, "log_loss")


def test_a_regression_of_many_margins_is_always_caught(default: Selftest, checks: Any) -> None:
    for regression in default.regressions[-2:]:
        assert regression.gain is not None
        assert regression.gain < -10 * checks["gain"]["margin"]
        assert regression.detection_rate.share == regression.hold_rate.share == 1


def test_larger_gains_are_promoted_more_often(default: Selftest) -> None:
    gains, rates = [gain.gain for gain in default.gains], [gain.promotion_rate.share for gain in default.gains]
    assert gains == sorted(gains)
    assert rates[0] < 0.5
    passing = smallest_promoted_gain(default)
    assert passing is not None
    assert passing.promotion_rate.share >= 0.8


def test_every_plant_is_caught_by_the_gate_that_is_there_for_it(default: Selftest) -> None:
    worst = {trials.kind: trials for trials in default.hidden}
    for kind, gate in {"shifted": "calibrated", "slice site": "sites", "leaked": "leakage"}.items():
        assert worst[kind].fail_rate(gate).share > 0.9


def test_the_same_arguments_give_the_same_answer(make: Any, pair: Evidence) -> None:
    policy = make.policy(ANY_GAIN)
    first, again, other = (selftest(policy, pair, trials=20, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.equal.gain != other.equal.gain


def test_a_policy_that_cannot_pass(make: Any, pair: Evidence, checks: Any) -> None:
    impossible = {**checks, "floor": {**checks["floor"], "min": 0.999}}
    result = selftest(make.policy(impossible), pair, trials=FEW)
    assert not result.fit
    (problem,) = result.problems
    assert "cannot pass on this holdout" in problem
    assert "floor says FAIL" in problem
    assert any(line.startswith("never passes: floor") for line in result.warnings)


def test_a_policy_with_too_few_clusters_cannot_pass_and_says_what_to_do(make: Any, pair: Evidence, checks: Any) -> None:
    (problem, *_) = selftest(make.policy(checks, min_clusters=60), pair, trials=20).problems
    assert "gain is INCONCLUSIVE: it needs more rows or clusters, fewer looks, or a wider margin" in problem


def test_a_policy_that_cannot_fail(make: Any, pair: Evidence, checks: Any) -> None:
    result = selftest(make.policy({"floor": {**checks["floor"], "min": 0.01, "decide": "point"}}), pair, trials=FEW)
    assert not result.fit
    assert "the policy cannot fail" in result.problems[0]
    assert "a useless challenger is promoted in 100% of trials" in result.problems[1]
    assert any(line.startswith("never fails, whatever was planted: floor") for line in result.warnings)
    assert any("no blocking gate asks for a gain" in line for line in result.warnings)
    assert result.promised is None


def test_a_gate_that_only_warns_is_no_reason_to_be_unfit(make: Any, pair: Evidence, checks: Any) -> None:
    warning = {**checks, "high": {**checks["floor"], "min": 0.999, "severity": "warn"}}
    result = selftest(make.policy(warning), pair, trials=20)
    assert result.fit
    assert "never passes: high (it only warns)" in result.warnings


@pytest.mark.slow
def test_any_gain_is_promised_for_one_look_and_kept(make: Any, twins: Any) -> None:
    """At margin 0 the rate is the level itself: exactly, as models that are swapped are equal."""
    result = selftest(make.policy(ANY_GAIN), twins(400, clusters=None), trials=600)
    assert result.promised == pytest.approx(0.05)
    assert stats.binom.cdf(result.equal.promotion_rate.count, 600, 0.05) > 0.005
    assert not is_above(result.equal.promotion_rate, 0.05)


@pytest.mark.slow
def test_clusters_that_are_ignored_are_found_out(make: Any, twins: Any) -> None:
    evidence = twins(1500, clusters=30, by_cluster=1.5)
    results = {
        clusters: selftest(make.policy(ANY_GAIN, clusters=clusters), evidence, trials=200)
        for clusters in ("ignore", "if_present")
    }
    assert not is_above(results["if_present"].equal.promotion_rate, 0.05)
    assert results["if_present"].problems == ()
    assert results["ignore"].equal.promotion_rate.share > 0.15
    (problem,) = results["ignore"].problems
    assert "let clusters count" in problem
    assert "is better than the models by" in results["ignore"].warnings[0]


def test_models_that_differ_in_the_seed_only_and_are_promoted(make: Any, pair: Evidence) -> None:
    poor = np.clip(pair.champion * 0.5, 0.001, 1)
    worse, turned = replace(pair, challenger=poor), replace(pair, challenger=pair.champion, champion=poor)
    result = selftest(make.policy(ANY_GAIN), pair, trials=20, seeds=[worse, turned])
    assert result.seeds is not None
    assert (result.seeds.n, result.seeds.promotion_rate.count) == (2, 1)
    (line,) = [line for line in result.warnings if "another seed" in line]
    assert f"{result.seeds.largest:.2g}" in line


@pytest.mark.nightly
def test_a_guard_that_stops_equal_models_is_named(make: Any, pair: Evidence, checks: Any) -> None:
    tight = {**checks, "calibrated": {**checks["calibrated"], "max": 0.01}}
    result = selftest(make.policy(tight), pair, trials=FEW)
    assert any(line.startswith("calibrated stops an equal model in") for line in result.warnings)


def test_a_regression_that_no_gate_looks_for_is_named(make: Any, pair: Evidence, checks: Any) -> None:
    result = selftest(make.policy({name: checks[name] for name in ("floor", "gain")}), pair, trials=FEW)
    (line,) = [line for line in result.warnings if "trained on" in line]
    assert line.endswith("add a gate of kind leakage")
    assert result.fit


def test_gates_of_the_run_are_left_out_and_named(make: Any, pair: Evidence) -> None:
    traced = {"kind": "provenance", "require": ["finished"]}
    fast = {"kind": "resource", "fact": "model_bytes", "max": 10}
    evidence = replace(pair, facts={"model_bytes": 5})
    result = selftest(make.policy({**ANY_GAIN, "traced": traced, "fast": fast}), evidence, trials=20)
    assert result.left_out == ("traced",)
    assert [gate.name for gate in result.gates] == ["gain"]
    assert [(gate.name, gate.verdict) for gate in result.once] == [("fast", "PASS")]
    assert result.problems == ()
    with pytest.raises(PolicyError, match="nothing to try"):
        selftest(make.policy({"traced": traced}), pair, trials=20)


@pytest.mark.nightly
def test_a_gate_of_facts_that_does_not_pass_keeps_everything_from_being_promoted(make: Any, pair: Evidence) -> None:
    small = {"kind": "resource", "fact": "model_bytes", "max": 3}
    features = {
        "kind": "drift",
        "of": "features",
        "measure": "psi",
        "against": "training",
        "max": 0.2,
        "decide": "point",
    }
    evidence = replace(pair, facts={"model_bytes": 5})
    result = selftest(make.policy({**ANY_GAIN, "small": small, "drift": features}), evidence, trials=20)
    assert [(gate.name, gate.verdict) for gate in result.once] == [("small", "FAIL"), ("drift", "ERROR")]
    assert [line.split(" so ")[0] for line in result.problems] == [
        "small says FAIL of this evidence as it is,",
        "drift says ERROR of this evidence as it is,",
    ]
    either = {"kind": "any_of", "checks": {"small": small, "better": ANY_GAIN["gain"]}}
    result = selftest(make.policy({**ANY_GAIN, "either": {**either, "severity": "warn"}}), evidence, trials=20)
    assert [gate.name for gate in result.once] == ["either"]
    assert result.problems == ()


@pytest.mark.parametrize("column", ["challenger", "champion", "label"])
def test_rows_that_no_gate_could_judge_are_refused(make: Any, pair: Evidence, column: str) -> None:
    changed = replace(pair, **{column: np.full(pair.n, np.nan)})
    with pytest.raises(EvidenceError, match=f"2,000 rows have a {column}"):
        selftest(make.policy(ANY_GAIN), changed, trials=20)


def test_the_progress_is_told_to_the_end(make: Any, pair: Evidence) -> None:
    ticks: list[tuple[int, int]] = []
    result = selftest(
        make.policy(ANY_GAIN), pair, trials=20, tick=lambda completed, total: ticks.append((completed, total))
    )
    total = sum(trials.n for trials in result.all_trials)
    assert ticks == [(number, total) for number in range(1, total + 1)]


@pytest.mark.parametrize("task", ["regression", "multiclass", "ranking", "score"])
def test_other_tasks(make: Any, task: str) -> None:
    rng, n = np.random.default_rng(5), 600
    if task == "multiclass":
        label = rng.integers(0, 3, n)
        scores = [np.exp(2 * np.eye(3)[label] + rng.normal(0, 1, (n, 3))) for _ in range(2)]
        ours, theirs = (score / score.sum(axis=1, keepdims=True) for score in scores)
    else:
        label = rng.normal(size=n) if task == "regression" else rng.integers(0, 4, n)
        ours, theirs = (label + rng.normal(0, 0.5, n) for _ in range(2))
    evidence = Evidence.from_arrays(
        task=task,
        label=None if task == "score" else label,
        challenger=ours,
        champion=theirs,
        query=np.arange(n) // 6 if task in QUERY_TASKS else None,
        classes=["a", "b", "c"] if task == "multiclass" else None,
    )
    metric = {"regression": "mae", "multiclass": "log_loss", "ranking": "ndcg@10", "score": "mean_score"}[task]
    result = selftest(
        make.policy({"gain": {"kind": "improvement", "metric": metric, "margin": 0.0}}), evidence, trials=FEW
    )
    assert result.problems == ()
    assert result.metric == metric
    assert result.gains[-1].promotion_rate.share == 1
    assert {trials.kind for trials in result.hidden} == (set() if task in QUERY_TASKS else {"shifted"})


def test_rates_have_wilsons_interval() -> None:
    assert Rate(count=60, total=100).bounds == pytest.approx((0.5020025868, 0.6905987136))
    assert np.isnan(Rate(count=0, total=0).share)


@pytest.mark.parametrize(
    ("count", "total", "limit"), [(3, 200, 0.0025), (4, 200, 0.0025), (17, 200, 0.05), (20, 200, 0.05)]
)
def test_a_rate_is_above_a_limit_by_the_binomial_tail(count: int, total: int, limit: float) -> None:
    assert is_above(Rate(count=count, total=total), limit) == (stats.binom.sf(count - 1, total, limit) <= 0.01)
    assert not is_above(Rate(count=0, total=total), limit)
