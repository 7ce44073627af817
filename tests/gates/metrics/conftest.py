"""Every metric beside its truth: scikit-learn's, or a definition written out, for rows of its task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from lockgate.gates.evidence.task import QUERY_TASKS, Task
from lockgate.gates.metrics import METRICS, find_metric
from lockgate.gates.metrics.metric import Metric
from lockgate.gates.stats.scored import Linear, Scored

Truth = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]
CLASSES = 4


@dataclass(frozen=True)
class Known:
    """A metric by its full name, and what it must give: `truth(label, score, weight, query)`."""

    task: Task
    name: str
    truth: Truth

    @property
    def metric(self) -> Metric:
        return find_metric(self.name, self.task)

    def sample(self, seed: int, n: int = 90, *, ties: bool = False) -> dict[str, np.ndarray]:
        """Label, score, weight and query (n,) of a model that is fair; weights are alike within a query."""
        rng = np.random.default_rng(seed)
        query = np.arange(n) % max(13, n // 10) if self.task in QUERY_TASKS else np.arange(n)
        weight = rng.uniform(0.2, 4, n)[query]
        if self.task == "binary":
            label = (rng.random(n) < 0.35).astype(float)
            score = np.clip(rng.beta(2, 3, n) * 0.7 + 0.3 * label * rng.random(n), 0.001, 0.999)
        elif self.task == "multiclass":
            label = rng.choice(CLASSES, n, p=[0.4, 0.3, 0.2, 0.1]).astype(float)
            score = rng.dirichlet(np.ones(CLASSES), n) + 0.3 * np.eye(CLASSES)[label.astype(int)]
            score /= score.sum(axis=1, keepdims=True)
        elif self.task == "regression":
            label = rng.normal(size=n)
            score = label + rng.normal(size=n)
        elif self.task == "score":
            label = np.zeros(n)
            score = np.where(rng.random(n) < rng.random(query.max() + 1)[query], 1.0, rng.random(n))
        else:
            label = np.maximum(rng.integers(-2, 4, n), 0).astype(float)
            score = label + rng.normal(0, 2, n)
        return {
            "label": label,
            "score": round_scores(score, self.task) if ties else score,
            "weight": weight,
            "query": query,
        }

    def linear(self, rows: dict[str, Any], **options: Any) -> Linear:
        actual = {name: rows[name] for name in ("label", "score", "weight") if rows.get(name) is not None}
        return self.metric.linearise(
            Scored(**actual, query=rows["query"] if self.task in QUERY_TASKS else None, **options)
        )

    def true(self, rows: dict[str, np.ndarray]) -> float:
        weight = np.ones(rows["label"].size) if rows.get("weight") is None else rows["weight"]
        return float(self.truth(rows["label"], rows["score"], weight, rows["query"]))


def round_scores(score: np.ndarray, task: Task) -> np.ndarray:
    if task != "multiclass":
        return np.round(score, 1)
    coarse = np.floor(score * 8)
    coarse[:, 0] += 8 - coarse.sum(axis=1)
    return coarse / 8


def ece(hit: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """Bin by bin: share of the bin × |mean score − mean label|."""
    total = 0.0
    for k in range(15):
        in_bin = (score * 15 >= k) & ((score * 15 < k + 1) | (k == 14))
        if weight[in_bin].sum() > 0:
            gap = np.average(score[in_bin], weights=weight[in_bin]) - np.average(hit[in_bin], weights=weight[in_bin])
            total += weight[in_bin].sum() / weight.sum() * abs(gap)
    return float(total)


def ks(label: np.ndarray, score: np.ndarray, weight: np.ndarray) -> float:
    """The largest distance of scikit-learn's ROC curve from its diagonal."""
    fpr, tpr, _ = sk.roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    return float(np.max(np.abs(tpr - fpr)))


def at_cutoff(count: Callable[..., float], cutoff: float, **options: Any) -> Truth:
    return lambda y, s, w, q: count(y, (s >= cutoff).astype(float), sample_weight=w, **options)


def at_highest_class(count: Callable[..., float], **options: Any) -> Truth:
    return lambda y, s, w, q: count(y, s.argmax(axis=1), sample_weight=w, **options)


def one_vs_rest(average: str) -> Truth:
    return lambda y, s, w, q: sk.roc_auc_score(
        y, s, multi_class="ovr", average=average, sample_weight=w, labels=np.arange(s.shape[1])
    )


def per_query(score: Callable[[np.ndarray, np.ndarray], float]) -> Truth:
    def truth(y: np.ndarray, s: np.ndarray, w: np.ndarray, q: np.ndarray) -> float:
        queries = np.unique(q)
        return float(
            np.average(
                [score(y[q == query], s[q == query]) for query in queries],
                weights=[w[q == query][0] for query in queries],
            )
        )

    return truth


def ndcg(maximum: int | None) -> Truth:
    def score(y: np.ndarray, s: np.ndarray) -> float:
        # scikit-learn wants two rows; one irrelevant row below all others changes nothing
        return float(sk.ndcg_score([np.append(y, 0)], [np.append(s, s.min() - 1)], k=maximum))

    return per_query(score)


def pass_hat(tries: int) -> Truth:
    """Every way to draw so many tries of a sample, one by one."""

    def score(_: np.ndarray, s: np.ndarray) -> float:
        draws = list(combinations(s == 1, tries))
        return float(np.mean([all(draw) for draw in draws])) if draws else np.nan

    return per_query(score)


def mrr(maximum: int) -> Truth:
    def score(y: np.ndarray, s: np.ndarray) -> float:
        ranked = sorted(range(y.size), key=lambda row: (-s[row], y[row] > 0))
        return next((1 / rank for rank, row in enumerate(ranked, 1) if y[row] > 0 and rank <= maximum), 0.0)

    return per_query(score)


def quantile(q: float) -> Truth:
    def truth(y: np.ndarray, s: np.ndarray, w: np.ndarray, _: np.ndarray) -> float:
        size = np.abs(y - s)
        order = np.argsort(size)
        reached = np.cumsum(w[order]) / w.sum()
        lower = size[order][np.searchsorted(reached, q - 1e-12)]
        return float(lower + size[order][np.searchsorted(reached, q + 1e-12)]) / 2

    return truth


NAN = {"zero_division": np.nan}
KNOWN = tuple(
    Known(task, name, truth)
    for task, truths in {
        "binary": {
            "auc": lambda y, s, w, q: sk.roc_auc_score(y, s, sample_weight=w),
            "average_precision": lambda y, s, w, q: sk.average_precision_score(y, s, sample_weight=w),
            "log_loss": lambda y, s, w, q: sk.log_loss(y, s, sample_weight=w, labels=[0, 1]),
            "brier": lambda y, s, w, q: sk.brier_score_loss(y, s, sample_weight=w, pos_label=1),
            "accuracy": at_cutoff(sk.accuracy_score, 0.5),
            "ece": lambda y, s, w, q: ece(y, s, w),
            "precision@0.3": at_cutoff(sk.precision_score, 0.3, **NAN),
            "recall": at_cutoff(sk.recall_score, 0.5, **NAN),
            "recall@0.3": at_cutoff(sk.recall_score, 0.3, **NAN),
            "f1@0.4": at_cutoff(sk.f1_score, 0.4, **NAN),
            "specificity@0.4": at_cutoff(sk.recall_score, 0.4, pos_label=0, **NAN),
            "fpr@0.4": lambda y, s, w, q: 1 - sk.recall_score(y, s >= 0.4, pos_label=0, sample_weight=w, **NAN),
            "mcc@0.4": at_cutoff(sk.matthews_corrcoef, 0.4),
            "balanced_accuracy@0.4": at_cutoff(sk.balanced_accuracy_score, 0.4),
            "selection_rate@0.4": lambda y, s, w, q: np.average(s >= 0.4, weights=w),
            "ks": lambda y, s, w, q: ks(y, s, w),
        },
        "multiclass": {
            "accuracy": at_highest_class(sk.accuracy_score),
            "log_loss": lambda y, s, w, q: sk.log_loss(y, s, sample_weight=w, labels=np.arange(s.shape[1])),
            "brier": lambda y, s, w, q: sk.brier_score_loss(y, s, sample_weight=w, labels=np.arange(s.shape[1])),
            **{
                f"{share}_{average}": at_highest_class(getattr(sk, f"{share}_score"), average=average, **NAN)
                for share in ("precision", "recall", "f1")
                for average in ("macro", "weighted")
            },
            "balanced_accuracy": at_highest_class(sk.balanced_accuracy_score),
            "mcc": at_highest_class(sk.matthews_corrcoef),
            "auc_ovr_macro": one_vs_rest("macro"),
            "auc_ovr_weighted": one_vs_rest("weighted"),
            "ece": lambda y, s, w, q: ece((s.argmax(axis=1) == y).astype(float), s.max(axis=1), w),
        },
        "regression": {
            "rmse": lambda y, s, w, q: sk.root_mean_squared_error(y, s, sample_weight=w),
            "mae": lambda y, s, w, q: sk.mean_absolute_error(y, s, sample_weight=w),
            "mape": lambda y, s, w, q: sk.mean_absolute_percentage_error(y, s, sample_weight=w),
            "r2": lambda y, s, w, q: sk.r2_score(y, s, sample_weight=w),
            "median_absolute_error": lambda y, s, w, q: sk.median_absolute_error(y, s, sample_weight=w),
            "absolute_error@0.9": quantile(0.9),
            "pinball@0.9": lambda y, s, w, q: sk.mean_pinball_loss(y, s, sample_weight=w, alpha=0.9),
            "coverage": lambda y, s, w, q: np.average(y <= s, weights=w),
        },
        "ranking": {"ndcg": ndcg(None), "ndcg@3": ndcg(3), "mrr": mrr(10**9), "mrr@2": mrr(2)},
        "score": {
            "mean_score": lambda y, s, w, q: np.average(s, weights=w),
            "mean_score@1": lambda y, s, w, q: np.average(s, weights=w),
            "pass_rate@0.5": lambda y, s, w, q: np.average(s >= 0.5, weights=w),
            "pass_hat@1": pass_hat(1),
            "pass_hat@2": pass_hat(2),
        },
    }.items()
    for name, truth in truths.items()
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test of `known_metric` with every metric, of `smooth` with those whose influences make their errors."""
    for expected, value in {
        "known_metric": KNOWN,
        "smooth": [item for item in KNOWN if item.metric.method != "quantile"],
    }.items():
        if expected in metafunc.fixturenames:
            metafunc.parametrize(expected, value, ids=[f"{item.task}-{item.name}" for item in value])


@pytest.fixture(scope="session")
def by_name() -> dict[str, Known]:
    """Every metric by `task-name`, for tests that draw their own rows."""
    return {f"{item.task}-{item.name}": item for item in KNOWN}


@pytest.fixture(scope="session")
def unknown() -> set[tuple[str, str]]:
    """(task, name) of the metrics that have no truth here."""
    actual = {(task, name) for task, names in METRICS.items() for name in names}
    return actual - {(item.task, item.name.partition("@")[0]) for item in KNOWN}
