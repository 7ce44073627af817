"""Metrics of scores without labels: against Inspect's formula of a clustered standard error, and tries one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bench.simulations import coverage
from lockgate import Evidence, Verdict
from lockgate.gates.metrics import find_metric
from lockgate.gates.metrics.estimate import measure_difference, measure_uncertainty
from lockgate.gates.metrics.rows import GroupedRows, Rows
from lockgate.gates.stats.scored import Scored


def by_inspect(score: np.ndarray, cluster: np.ndarray) -> float:
    """What `stderr(cluster=…)` of Inspect says: CR0, times √(G/(G − 1)) for G clusters."""
    names, of_row = np.unique(cluster, return_inverse=True)
    sums = np.bincount(of_row, weights=score - score.mean())
    return float(np.sqrt((sums**2).sum() * names.size / (names.size - 1)) / score.size)


def measure_error(score: np.ndarray, cluster: np.ndarray | None) -> float:
    split = GroupedRows(rows=Rows(label=np.zeros(score.size), challenger=score, cluster=cluster))
    metric = find_metric("mean_score", "score")
    return float(measure_uncertainty(metric, split.linear(metric), split).error[0])


def test_with_clusters_of_one_size_the_error_is_inspects() -> None:
    rng = np.random.default_rng(1)
    for clusters, size in ((2, 3), (12, 1), (30, 5)):
        cluster = np.repeat(np.arange(clusters), size)
        score = rng.random(cluster.size) + rng.random(clusters)[cluster]
        assert measure_error(score, cluster) == pytest.approx(by_inspect(score, cluster), rel=1e-9)
    alone = rng.random(50)  # `stderr()` without clusters is sd/√n
    assert measure_error(alone, None) == pytest.approx(alone.std(ddof=1) / np.sqrt(50), rel=1e-9)


def test_with_clusters_that_differ_in_size_it_is_cr2_and_inspects_is_cr1() -> None:
    """CR2 divides a cluster's sum by √(1 − h), h its share of the rows; CR1 divides all by the same √(1 − 1/G)."""
    cluster = np.repeat(np.arange(6), [1, 2, 3, 5, 8, 20])
    score = np.random.default_rng(2).random(cluster.size) + 0.3 * cluster
    size = np.bincount(cluster)
    sums = np.bincount(cluster, weights=score - score.mean())
    cr0 = np.sqrt((sums**2).sum()) / score.size
    cr2 = np.sqrt((sums**2 / (1 - size / score.size)).sum()) / score.size
    assert measure_error(score, cluster) == pytest.approx(cr2, rel=1e-9)
    assert by_inspect(score, cluster) == pytest.approx(cr0 * np.sqrt(6 / 5), rel=1e-9)
    assert cr2 > by_inspect(score, cluster)


def test_the_difference_of_two_models_is_that_of_their_scores_row_by_row() -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(20), 4)
    ours, theirs = rng.random((2, cluster.size)) + rng.random(20)[cluster]
    split = GroupedRows(rows=Rows(label=np.zeros(80), challenger=ours, champion=theirs, cluster=cluster))
    value, uncertainty = measure_difference(find_metric("mean_score", "score"), split)
    assert value[0] == pytest.approx((ours - theirs).mean(), rel=1e-12)
    assert uncertainty.error[0] == pytest.approx(by_inspect(ours - theirs, cluster), rel=1e-9)


@pytest.mark.parametrize("tries", [1, 2, 3, 5])
def test_pass_hat_is_the_share_of_draws_in_which_all_pass(tries: int) -> None:
    """Samples with five to nine tries, every draw of which is looked at; weights are those of samples."""
    rng = np.random.default_rng(tries)
    query = np.repeat(np.arange(8), rng.integers(5, 10, 8))
    score = np.where(rng.random(query.size) < 0.8, 1.0, 0.999)
    weight = rng.uniform(0.5, 2, 8)
    draws = [list(combinations(score[query == sample] >= 1, tries)) for sample in range(8)]
    expected = np.average([np.mean([all(draw) for draw in every]) for every in draws], weights=weight)
    metric = find_metric(f"pass_hat@{tries}", "score")
    rows = Scored(label=np.zeros(query.size), score=score, query=query, weight=weight[query])
    assert metric.linearise(rows).value[0] == pytest.approx(expected, rel=1e-12)


def test_pass_hat_is_unbiased() -> None:
    """Samples that pass by a chance of their own: the mean over many of them is the mean of chance to the power k."""
    rng = np.random.default_rng(4)
    chance = rng.random(60_000)
    score = (rng.random((60_000, 4)) < chance[:, None]).astype(float).ravel()
    rows = Scored(label=np.zeros(score.size), score=score, query=np.repeat(np.arange(60_000), 4))
    for tries in (1, 2, 3, 4):
        estimate = find_metric(f"pass_hat@{tries}", "score").linearise(rows).value[0]
        assert estimate == pytest.approx((chance**tries).mean(), abs=0.006)  # four of its standard errors


def make_evidence(**columns) -> Evidence:
    rng = np.random.default_rng(5)
    query = np.repeat(np.arange(60), 3)
    ease = rng.random(60)[query]
    champion = (rng.random(180) < 0.3 + 0.4 * ease).astype(float)
    challenger = np.maximum(champion, rng.random(180) < 0.5)
    return Evidence.from_arrays(
        **{"task": "score", "challenger": challenger, "champion": champion, "query": query} | columns
    )


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("mean_score", "mean_score is better by 0.2"),
        ("mean_score@1", "mean_score@1 is better by 0.2"),
        ("pass_rate@0.5", "pass_rate@0.5 is better by 0.2"),
        ("pass_hat@3", "pass_hat@3 is better by 0.200 (gain 0.113 to 0.304); asked"),
    ],
)
def test_a_gain_is_said_in_words(make, metric: str, says: str) -> None:
    outcome = make.judge(make.check("improvement", metric=metric), make_evidence()).outcomes[0]
    assert outcome.verdict is Verdict.PASS
    assert outcome.message.startswith(says)
    assert outcome.clusters == 60


@pytest.mark.parametrize(
    ("metric", "columns", "problem"),
    [
        ("mean_score@1", {"challenger": np.r_[1.5, -1, np.ones(178)]}, "mean_score@1: 2 scores lie outside 0 … 1; exp"),
        ("mean_score@1", {"champion": np.r_[1.5, np.ones(179)]}, "mean_score@1: 1 scores lie outside 0 … 1; exp"),
        ("pass_hat@2", {"challenger": np.r_[7.0, np.ones(179)]}, "pass_hat@2: 1 scores lie outside 0 … 1; exp"),
        ("pass_hat@4", {}, "pass_hat@4 is undefined on these rows; expected at least 4 tries of every sample"),
        ("pass_hat@2", {"query": None}, "pass_hat@2 is undefined on these rows; expected at least 2 tries of every"),
        ("mean_score", {"challenger": np.r_[np.nan, np.ones(179)]}, "1 rows have a challenger score that is no finite"),
        (
            "mean_score",
            {"cluster": np.arange(180)},
            "120 rows have a cluster other than that of the first row of their",
        ),
        ("accuracy", {}, "unknown metric 'accuracy' for task score; expected one of mean_score, pass_rate, pass_hat"),
    ],
)
def test_what_cannot_be_judged_is_an_error_in_words(make, metric: str, columns: dict, problem: str) -> None:
    outcome = make.judge(make.check("improvement", metric=metric), make_evidence(**columns)).outcomes[0]
    assert outcome.verdict is Verdict.ERROR
    assert problem in outcome.message


def test_every_score_at_the_top_does_not_prove_perfection(make) -> None:
    """Sixty samples without a miss: the bound is that of no miss in sixty trials, not 1."""
    check = make.check("threshold", metric="mean_score@1", min=0.96, decide="bound")
    outcome = make.judge(check, make_evidence(challenger=np.ones(180))).outcomes[0]
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.low == pytest.approx(0.05 ** (1 / 60))


def test_intervals_hold_from_a_dozen_samples_on() -> None:
    """Of 12 and of 300 samples with four tries; docs/simulations.md has the same with ten thousand replications."""
    table = coverage.metrics(task="score", runs=400, parts=1)
    assert table.short == []
    assert len(table.rates) == 24
