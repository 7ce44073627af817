"""CR2 and Bell–McCaffrey, against matrices written out and against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, stats

from lockgate.gates.stats import clusters
from lockgate.gates.stats.clusters import Units
from lockgate.gates.stats.uncertainty import measure_influence


def clustered_error(
    influence: np.ndarray, *, weight: np.ndarray | None = None, cluster: np.ndarray | None = None
) -> tuple[float, float] | None:
    """Of one group."""
    units = Units.of(influence.size, weight=weight, cluster=cluster, code=None, groups=1)
    uncertainty = measure_influence(influence, units, weight=weight)
    error, df = float(uncertainty.error[0]), float(uncertainty.df[0])
    return None if np.isnan(error) else (error, df)


def t_quantile(level: float, df: float) -> float:
    return float(clusters.t_quantile(level, np.array([df]))[0])


def t_tail(statistic: float, df: float) -> float:
    return float(clusters.t_tail(np.array([statistic]), np.array([df]))[0])


def by_matrices(y: np.ndarray, cluster: np.ndarray, weight: np.ndarray | None = None) -> tuple[float, float]:
    """CR2 of a (weighted) mean and its degrees of freedom, from the definition: a regression on a constant.

    Weights enter as WLS with working variance 1/weight; rows are transformed by √weight first.
    """
    n = y.size
    x = np.ones((n, 1)) if weight is None else np.sqrt(weight)[:, None]
    z = y if weight is None else np.sqrt(weight) * y
    bread = linalg.inv(x.T @ x)
    annihilator = np.eye(n) - x @ bread @ x.T
    residual = annihilator @ z
    variance, columns = 0.0, []
    for code in np.unique(cluster):
        own = cluster == code
        block = annihilator[np.ix_(own, own)]
        values, vectors = linalg.eigh(block)
        adjust = vectors @ np.diag(np.where(values > 1e-10, 1 / np.sqrt(np.maximum(values, 1e-10)), 0)) @ vectors.T
        row = (bread @ x[own].T @ adjust)[0]
        variance += float(row @ residual[own]) ** 2
        columns.append(annihilator[:, own] @ row)
    g = np.array(columns)
    crossed = g @ g.T
    return float(np.sqrt(variance)), float(np.trace(crossed) ** 2 / np.trace(crossed @ crossed))


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = np.ceil(rng.lognormal(1.2, 0.8, 12)).astype(int)
    cluster = np.repeat(np.arange(12), sizes)
    return rng.normal(size=12)[cluster] + rng.normal(size=cluster.size), cluster, rng.uniform(0.2, 3, cluster.size)


@pytest.mark.parametrize("seed", range(4))
def test_unequal_clusters(seed: int) -> None:
    y, cluster, _ = draw(seed)
    assert clustered_error(y - y.mean(), cluster=cluster) == pytest.approx(by_matrices(y, cluster), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_unequal_clusters_with_weights(seed: int) -> None:
    y, cluster, weight = draw(seed)
    influence = y - np.average(y, weights=weight)
    result = clustered_error(influence, weight=weight, cluster=cluster)
    assert result == pytest.approx(by_matrices(y, cluster, weight), rel=1e-9)


def test_the_middle_of_cr2_is_statsmodels() -> None:
    y, cluster, _ = draw(5)
    plain = sm.OLS(y, np.ones_like(y)).fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False})
    sums, sizes = np.bincount(cluster, weights=y - y.mean()), np.bincount(cluster)
    assert plain.bse[0] == pytest.approx(np.sqrt(np.sum(sums**2)) / y.size, rel=1e-12)
    inflated = np.sqrt(np.sum(sums**2 / (1 - sizes / y.size))) / y.size
    assert clustered_error(y - y.mean(), cluster=cluster)[0] == pytest.approx(inflated, rel=1e-12)


def test_equal_clusters_are_statsmodels_and_the_closed_form() -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(9), 7)
    y = rng.normal(size=9)[cluster] + rng.normal(size=63)
    fitted = sm.OLS(y, np.ones(63)).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    error, df = clustered_error(y - y.mean(), cluster=cluster)
    sums = np.bincount(cluster, weights=y - y.mean())
    assert error == pytest.approx(np.sqrt(9 / 8 * np.sum(sums**2)) / 63, rel=1e-12)
    assert error == pytest.approx(fitted.bse[0], rel=1e-12)
    assert df == pytest.approx(8, rel=1e-12)


def test_rows_alone_are_the_ordinary_t() -> None:
    y = np.random.default_rng(1).normal(size=50)
    assert clustered_error(y - y.mean()) == pytest.approx((stats.sem(y), 49), rel=1e-12)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.floats(-5, 5)), min_size=3, max_size=30))
def test_copies_in_one_cluster_are_a_weight(rows: list[tuple[int, int, float]]) -> None:
    cluster, copies, y = (np.array(column) for column in zip(*rows, strict=True))
    influence = y - np.average(y, weights=copies)
    weighted = clustered_error(influence, weight=copies.astype(float), cluster=cluster)
    copied = clustered_error(np.repeat(influence, copies), cluster=np.repeat(cluster, copies))
    assert (weighted is None) == (np.unique(cluster).size < 2)
    assert weighted == (copied and pytest.approx(copied, rel=1e-9, abs=1e-12))


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 3.0, 1e200])
def test_only_ratios_of_weights_count(scale: float) -> None:
    y, cluster, weight = draw(2)
    influence = y - np.average(y, weights=weight)
    item, other = (clustered_error(influence, weight=w, cluster=cluster) for w in (weight, weight * scale))
    assert item == pytest.approx(other, rel=1e-12)


def test_clusters_without_weight_do_not_exist() -> None:
    y, cluster, weight = draw(2)
    weight[cluster < 4] = 0
    kept_values = weight > 0
    influence = y - np.average(y, weights=weight)
    alone = clustered_error(influence[kept_values], weight=weight[kept_values], cluster=cluster[kept_values] - 4)
    assert clustered_error(influence, weight=weight, cluster=cluster) == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    ("weight", "cluster"), [(None, np.zeros(3, int)), (np.array([1.0, 0, 0]), None), (np.array([1e300, 1, 1]), None)]
)
def test_fewer_than_two_clusters_show_nothing(weight: np.ndarray | None, cluster: np.ndarray | None) -> None:
    assert clustered_error(np.array([1.0, -1.0, 0.0]), weight=weight, cluster=cluster) is None


@pytest.mark.parametrize("df", [1.0, 4.5, 80.0, np.inf])
def test_student(df: float) -> None:
    assert t_quantile(0.95, df) == pytest.approx(stats.t.ppf(0.95, df), rel=1e-9)
    assert t_tail(1.3, df) == pytest.approx(stats.t.sf(1.3, df), rel=1e-9)


@pytest.mark.parametrize("light", [1e-4, 1e-9, 1e-12, 1e-15])
def test_one_cluster_with_nearly_all_the_weight_leaves_one_degree_of_freedom(light: float) -> None:
    weight = np.array([1.0, light, light / 3])
    y = np.array([0.3, 1.0, -2.0])
    error, df = clustered_error(y - np.average(y, weights=weight), weight=weight)
    assert df == pytest.approx(1, abs=10 * light)
    assert 0 < error < 4 * np.sqrt(light)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clustering", ["rows", "dense", "sparse"])
def test_groups_at_once_are_each_group_alone(clustering: str, weighted: bool) -> None:
    rng = np.random.default_rng(4)
    code = rng.integers(0, 5, 200)
    code[code == 3] = 2  # an empty group
    weight = rng.uniform(0.2, 3, 200) if weighted else None
    cluster = {"rows": None, "dense": rng.integers(0, 9, 200), "sparse": rng.integers(0, 9, 200) * 10_000}[clustering]
    influence = rng.normal(size=200)
    units = Units.of(200, weight=weight, cluster=cluster, code=code, groups=5)
    uncertainty = measure_influence(influence, units, weight=weight)
    error, df = uncertainty.error, uncertainty.df
    for group in (0, 1, 2, 4):
        own = code == group
        alone = clustered_error(
            influence[own],
            weight=None if weight is None else weight[own],
            cluster=None if cluster is None else np.unique(cluster[own], return_inverse=True)[1],
        )
        assert (error[group], df[group]) == pytest.approx(alone, rel=1e-12)
    assert np.isnan([error[3], df[3]]).all()
