"""What the gates promise, by simulation. Seeds are fixed; the tolerances are four standard errors of the simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gates import Evidence, Verdict, judge
from gates.metrics import METRICS
from gates.metrics.estimate import Rows, difference
from gates.stats.clusters import clustered_error, t_quantile
from gates.stats.multiplicity import holm
from gates.stats.proportions import mcnemar_p, tango


def near(expected: float, runs: int) -> float:
    return 4 * float(np.sqrt(expected * (1 - expected) / runs))


def test_rows_of_a_user_are_not_independent() -> None:
    """20 rows a user, intraclass correlation .5: by row the 95 % interval covers about 46 %, by user 95 %."""
    rng, runs, users, each = np.random.default_rng(0), 1500, 60, 20
    cluster = np.repeat(np.arange(users), each)
    covered = np.zeros(2)
    for _ in range(runs):
        y = (rng.normal(size=users)[cluster] + rng.normal(size=cluster.size)) * np.sqrt(0.5)
        for at, codes in enumerate((None, cluster)):
            error, df = clustered_error(y - y.mean(), cluster=codes)
            covered[at] += abs(y.mean()) <= t_quantile(0.975, df) * error
    assert covered[0] / runs == pytest.approx(0.46, abs=near(0.46, runs))
    assert covered[1] / runs == pytest.approx(0.95, abs=near(0.95, runs))


def test_few_unequal_clusters_keep_a_small_alpha() -> None:
    """Lognormal sizes, 30 clusters, alpha .005: CR2 with Bell–McCaffrey holds it, the plain formula errs far more."""
    rng, runs, alpha = np.random.default_rng(1), 6000, 0.005
    errs = np.zeros(2)
    for _ in range(runs):
        sizes = np.ceil(rng.lognormal(1.0, 1.2, 30)).astype(int)
        cluster = np.repeat(np.arange(30), sizes)
        y = rng.normal(size=30)[cluster] + rng.normal(size=cluster.size)
        error, df = clustered_error(y - y.mean(), cluster=cluster)
        plain = np.sqrt(np.sum(np.bincount(cluster, weights=y - y.mean()) ** 2) * 30 / 29) / y.size
        errs += [y.mean() > t_quantile(1 - alpha, df) * error, y.mean() > stats.norm.ppf(1 - alpha) * plain]
    assert errs[0] / runs <= alpha + near(alpha, runs)
    assert errs[1] / runs > 2.5 * alpha


@pytest.mark.parametrize(("metric", "alpha"), [("auc", 0.05), ("log_loss", 0.05), ("brier", 0.0025), ("ece", 0.05)])
def test_no_gain_is_seldom_promoted(metric: str, alpha: float) -> None:
    """Two equally good models at margin 0."""
    rng, runs = np.random.default_rng(3), 1200
    promoted = 0
    for _ in range(runs):
        truth = rng.normal(size=300)
        label = (rng.random(300) < stats.logistic.cdf(truth)).astype(float)
        scores = stats.logistic.cdf(truth[:, None] + rng.normal(0, 0.7, (300, 2)) + (1.0 if metric == "ece" else 0.0))
        found = difference(METRICS[metric], Rows(label=label, challenger=scores[:, 0], champion=scores[:, 1]))
        low, high = found.bounds(1 - alpha)
        promoted += (low if METRICS[metric].higher_is_better else -high) > 0
    assert promoted / runs <= alpha + near(alpha, runs)
    assert promoted > 0


def test_the_exact_test_never_exceeds_its_level() -> None:
    """P(reject) of McNemar at .0005, n = 10,000, d = 5 %, by the distribution of the discordant rows."""
    for alpha in (0.05, 0.0025, 0.0005):
        for discordant in (20, 137, 500):
            wins = np.arange(discordant + 1)
            rejected = np.array([mcnemar_p(int(b), discordant - int(b)) <= alpha for b in wins])
            assert stats.binom.pmf(wins, discordant, 0.5)[rejected].sum() <= alpha


def test_power_and_family_error_of_a_hundred_looks() -> None:
    """n = 10,000, d = 5 %, 100 looks: any false promotion with at most .05, a gain of one point found in .85."""
    rng, looks, n = np.random.default_rng(5), 100, 10_000
    alpha = 0.05 / looks

    def promoted(gain: float, runs: int) -> np.ndarray:
        b = rng.binomial(n, (0.05 + gain) / 2, runs)
        c = rng.binomial(n - b, (0.05 - gain) / 2 / (1 - (0.05 + gain) / 2))
        return np.array([mcnemar_p(int(x), int(y)) <= alpha for x, y in zip(b, c, strict=True)])

    any_false = promoted(0.0, 300 * looks).reshape(300, looks).any(axis=1).mean()
    assert any_false <= 0.05 + near(0.05, 300)
    assert promoted(0.01, 4000).mean() >= 0.85


def test_tango_keeps_non_inferiority_where_wald_does_not() -> None:
    """A true loss of exactly the margin, n = 1,000, d = 2 %, alpha .001."""
    rng, n, margin, alpha, runs = np.random.default_rng(6), 1000, 0.01, 0.001, 40_000
    b, c = rng.multinomial(n, [0.005, 0.015, 0.98], runs).T[:2]
    pairs, counts = np.unique(np.stack([b, c]), axis=1, return_counts=True)
    passed = np.array([tango(int(x), int(y), n, level=1 - alpha)[0] >= -margin for x, y in pairs.T])
    error = np.sqrt(pairs.sum(axis=0) - (pairs[0] - pairs[1]) ** 2 / n) / n
    wald = (pairs[0] - pairs[1]) / n - stats.norm.ppf(1 - alpha) * error >= -margin
    assert counts[passed].sum() / runs <= 1.5 * alpha + near(alpha, runs)
    assert counts[wald].sum() / runs > 3 * alpha


def test_two_hundred_slices_of_equal_models_seldom_block() -> None:
    """Uncorrected, one of 200 slices is nearly always 'proven' worse; with Holm in about 5 %."""
    rng, runs = np.random.default_rng(7), 600
    statistic = rng.standard_t(59, size=(runs, 200))
    p = stats.t.sf(statistic, 59)
    blocked = np.mean([holm(row).min() <= 0.05 for row in p])
    assert np.mean(p.min(axis=1) <= 0.05) > 0.99
    assert blocked == pytest.approx(0.05, abs=near(0.05, runs))


def test_the_slices_gate_itself(make) -> None:
    rng = np.random.default_rng(8)
    check = make.check(
        "slices", metric="mae", require="no_proven_harm", min_rows=2, margin=0.0, small_slice="block"
    )  # fmt: skip
    policy, site = make.policy({"gate": check}), np.repeat([f"s{i:02}" for i in range(40)], 40)
    blocked = 0
    for _ in range(120):
        scores = 5 + rng.normal(size=(1600, 2))
        evidence = Evidence.from_arrays(
            label=np.zeros(1600), challenger=scores[:, 0], champion=scores[:, 1], slices={"site": site},
            task="regression",
        )  # fmt: skip
        blocked += judge(policy, evidence).outcomes[0].verdict == Verdict.FAIL
    assert blocked / 120 <= 0.05 + near(0.05, 120)
