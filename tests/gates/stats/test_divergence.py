"""PSI, KS and JS against SciPy and by hand; what their bounds cover; rows that come in pairs, weighted, clustered."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats
from scipy.spatial import distance

from lockgate.gates.stats.cell_shares import (
    MAX_CELLS,
    cell_of,
    pair_codes,
    pair_counts,
    pair_counts_with_rows,
    quantile_edges,
)
from lockgate.gates.stats.divergence import MIN_SHARE, divergence, divergence_bounds, merge_sparse_cells

MEASURES = ["psi", "ks", "js"]
EVEN, SKEWED, TWO = np.ones(20), np.arange(1, 21) ** -1.5, np.array([0.97, 0.03])


def pair_of(reference, compared):
    return pair_counts(np.array(reference, dtype=float), np.array(compared, dtype=float))


def test_psi_by_hand() -> None:
    # (.5 − .4)·ln(.5/.4) + (.3 − .3)·ln 1 + (.2 − .3)·ln(.2/.3)
    expected = 0.1 * math.log(1.25) - 0.1 * math.log(2 / 3)
    assert divergence("psi", pair_of([50, 30, 20], [400, 300, 300])) == pytest.approx(expected, rel=1e-14)


def test_psi_is_both_relative_entropies() -> None:
    p, q = np.random.default_rng(1).integers(1, 50, (2, 12)).astype(float)
    both = stats.entropy(p, q) + stats.entropy(q, p)
    assert divergence("psi", pair_of(p, q)) == pytest.approx(both, rel=1e-12)


def test_an_empty_cell_counts_with_the_floor() -> None:
    expected = (0.5 - MIN_SHARE) * math.log(0.5 / MIN_SHARE) + (0.5 - 1) * math.log(0.5)
    assert divergence("psi", pair_of([5, 5], [0, 10])) == pytest.approx(expected, rel=1e-12)
    assert divergence("psi", pair_of([5, 5, 0], [2, 2, 0])) == 0


@pytest.mark.parametrize("seed", range(5))
def test_js_is_scipys(seed: int) -> None:
    p, q = np.random.default_rng(seed).integers(0, 9, (2, 8)).astype(float)
    expected = distance.jensenshannon(p, q, base=2)
    assert divergence("js", pair_of(p, q)) == pytest.approx(expected, rel=1e-10)


def test_disjoint_distributions_are_1_apart() -> None:
    distance = pair_of([3, 3, 0, 0], [0, 0, 2, 5])
    assert (divergence("js", distance), divergence("ks", distance)) == (1.0, 1.0)
    assert divergence_bounds("js", distance, level=0.95)[1] == divergence_bounds("ks", distance, level=0.95)[1] == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_ks_is_scipys_where_every_value_has_a_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 15, 400) / 4, rng.binomial(15, 0.4, 170) / 4
    edges = np.unique(np.concatenate([first, second]))[:-1]
    counts = [np.bincount(cell_of(values, edges), minlength=edges.size + 1) for values in (first, second)]
    assert divergence("ks", pair_of(*counts)) == pytest.approx(stats.ks_2samp(first, second).statistic, abs=1e-14)


def test_ks_at_quantiles_is_at_most_scipys() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=3000), rng.normal(0.3, 1.2, 2000)
    edges = quantile_edges(first)
    counts = [np.bincount(cell_of(values, edges), minlength=edges.size + 1) for values in (first, second)]
    exact = stats.ks_2samp(first, second).statistic
    assert exact - 1 / MAX_CELLS < divergence("ks", pair_of(*counts)) <= exact


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_shares(measure: str) -> None:
    same = pair_of(EVEN * 50, EVEN * 700)
    low, high = divergence_bounds(measure, same, level=0.95)
    assert divergence(measure, same) == low == 0
    assert 0 < high < 0.2


@pytest.mark.parametrize("measure", MEASURES)
def test_few_rows_show_little_however_alike(measure: str) -> None:
    """Two constants: each of 10 rows may hide a share of 1 − .05^(1/10) = .259 elsewhere."""
    low, high = divergence_bounds(measure, pair_of([10, 0], [10, 0]), level=0.95)
    unseen = 1 - 0.05**0.1
    at_least = {"psi": 1.0, "ks": unseen, "js": float(distance.jensenshannon([1, 0], [1 - unseen, unseen], base=2))}
    assert low == 0
    assert high >= at_least[measure] - 1e-12


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("shape", [EVEN, SKEWED, TWO], ids=["even", "skewed", "two"])
@pytest.mark.parametrize("distance", [0.0, 0.01, 0.25])
@pytest.mark.parametrize("rows", [(20000, 3000), (1000, 300)])
def test_coverage(measure: str, shape, distance: float, rows: tuple[int, int]) -> None:
    """Each bound holds in 95 of 100 samples, near zero and far from it; simulation allows for three standard errors."""
    rng = np.random.default_rng(11)
    p = shape / shape.sum()
    tilted = p * np.exp(distance**0.5 * rng.normal(size=p.size))
    q = tilted / tilted.sum()
    truth = divergence(measure, pair_of(p * 1e12, q * 1e12))
    samples = zip(rng.multinomial(rows[0], p, 250), rng.multinomial(rows[1], q, 250), strict=True)
    result = np.array([divergence_bounds(measure, pair_of(first, second), level=0.95) for first, second in samples])
    assert np.mean(result[:, 0] <= truth + 1e-12) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 250)
    assert np.mean(result[:, 1] >= truth - 1e-12) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 250)


def test_the_upper_bound_is_the_noncentral_chi_squares_near_zero() -> None:
    """N·PSI of 20 nearly even cells is about noncentral χ² with 19 degrees of freedom."""
    rng = np.random.default_rng(2)
    tilted = np.exp(rng.normal(0, 0.12, 20))
    pair = pair_of(rng.multinomial(5000, EVEN / 20), rng.multinomial(5000, tilted / tilted.sum()))
    high = divergence_bounds("psi", pair, level=0.95)[1]
    scaled = divergence("psi", pair) * 2500
    assert 40 < scaled < 100
    assert high * 2500 == pytest.approx(float(special.chndtrinc(scaled, 19, 0.05)), rel=0.02)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_bounds_hold_the_value_and_widen_with_the_level(measure: str) -> None:
    rng = np.random.default_rng(5)
    pair = pair_of(rng.multinomial(900, SKEWED / SKEWED.sum()), rng.multinomial(400, EVEN / 20))
    value, plain, strict = (
        divergence(measure, pair),
        *(divergence_bounds(measure, pair, level=level) for level in (0.9, 0.999)),
    )
    assert 0 <= strict[0] <= plain[0] <= value <= plain[1] <= strict[1]


def test_a_huge_sample_takes_no_time_and_pins_the_value() -> None:
    pair = pair_of(EVEN * 1e9, SKEWED * 1e9)
    low, high = divergence_bounds("psi", pair, level=0.95)
    assert low == pytest.approx(high, rel=1e-3)
    assert low < divergence("psi", pair) < high


def test_merging_never_raises_a_divergence() -> None:
    rng = np.random.default_rng(8)
    for _ in range(50):
        pair = pair_of(*rng.integers(1, 12, (2, 15)))
        small = merge_sparse_cells(pair)
        assert small.reference.size < 15
        assert small.reference.sum() == pytest.approx(1)
        assert all(divergence(name, small) <= divergence(name, pair) + 1e-12 for name in ("psi", "js"))


def rows_of(n: int = 4000):
    rng = np.random.default_rng(4)
    first, second = rng.integers(0, 6, n), rng.integers(0, 6, n)
    return first, np.where(rng.random(n) < 0.7, first, second), rng


def test_unclustered_rows_are_a_multinomial() -> None:
    first, second, _ = rows_of()
    counts = np.bincount(first).astype(float), np.bincount(second).astype(float)
    plain, rows = pair_counts(*counts), pair_counts_with_rows(counts[0], second, weight=None, cluster=None)
    assert rows.compared == pytest.approx(plain.compared)
    assert rows.covariance == pytest.approx(plain.covariance, rel=1e-3, abs=1e-12)
    assert rows.rows == plain.rows


def test_the_covariance_of_pairs_is_that_of_the_rows() -> None:
    first, second, _ = rows_of()
    each = np.hstack([np.eye(6)[first], np.eye(6)[second]])
    expected = np.cov(each.T) / len(each)
    assert pair_codes(first, second, 6, weight=None, cluster=None).covariance == pytest.approx(expected, abs=1e-15)


def test_rows_of_their_own_are_clusters_of_one() -> None:
    first, second, rng = rows_of()
    weight = rng.uniform(0.1, 3, first.size)
    alone = pair_codes(first, second, 6, weight=weight, cluster=None)
    ones = pair_codes(first, second, 6, weight=weight, cluster=np.arange(first.size))
    assert ones.covariance == pytest.approx(alone.covariance, abs=1e-15)
    assert (alone.df, ones.df) == (math.inf, first.size - 1)


def test_copies_in_a_cluster_are_a_weight() -> None:
    first, second, rng = rows_of(500)
    times = rng.integers(1, 5, 500)
    copies = [np.repeat(code, times) for code in (first, second, np.arange(500))]
    weighed = pair_codes(first, second, 6, weight=times.astype(float), cluster=np.arange(500))
    copied = pair_codes(copies[0], copies[1], 6, weight=None, cluster=copies[2])
    assert copied.covariance == pytest.approx(weighed.covariance, abs=1e-15)
    assert copied.compared == pytest.approx(weighed.compared)


@pytest.mark.parametrize("measure", MEASURES)
def test_coverage_with_clusters(measure: str) -> None:
    """60 clusters of 50 rows that share a tendency: rows as independent would say that the scores have moved."""
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(60), 50)
    reference = np.full(8, 12_500.0)
    above, naive = 0, 0
    for _ in range(120):
        tendency = np.repeat(rng.normal(0, 0.5, 60), 50)
        scores = special.ndtr((tendency + rng.normal(0, 1, 3000)) / math.sqrt(1.25))
        code = np.minimum((scores * 8).astype(np.intp), 7)
        value = pair_counts_with_rows(reference, code, weight=None, cluster=cluster)
        above += divergence_bounds(measure, value, level=0.95)[0] > 0
        naive += (
            divergence_bounds(measure, pair_counts_with_rows(reference, code, weight=None, cluster=None), level=0.95)[0]
            > 0
        )
    assert above <= 14
    assert naive > 18
