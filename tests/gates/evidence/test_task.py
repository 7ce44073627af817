"""Every metric of every task, from evidence to outcome: limits, comparisons and slices, with weights and clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lockgate import Evidence, Verdict, judge
from lockgate.gates.evidence.task import QUERY_TASKS
from lockgate.gates.metrics import METRICS, find_metric
from lockgate.gates.metrics.metric import Family

N = 600
CLASSES = ("cat", "dog", "eel")


def _example_number(family: Family) -> float:
    return 3 if family.whole else 1 if family.task == "score" else 0.4


NAMES = [
    (task, f"{name}@{_example_number(result)}" if isinstance(result, Family) else name)
    for task, names in METRICS.items()
    for name, result in names.items()
]


def evidence(task: str, **options) -> Evidence:
    """A challenger that sees better than the champion, three sites, queries of ten."""
    rng = np.random.default_rng(3)
    query = np.arange(N) // 10
    actual: dict = {"slices": {"site": np.array(["north", "south", "west"])[query % 3]}, "task": task}
    if task == "binary":
        label = (rng.random(N) < 0.4).astype(float)
        scores = [np.clip(0.35 + skill * label + rng.normal(0, 0.15, N), 0, 1) for skill in (0.3, 0.1)]
    elif task == "multiclass":
        label = rng.choice(3, N, p=[0.5, 0.3, 0.2]).astype(float)
        scores = [rng.dirichlet(np.ones(3), N) + skill * np.eye(3)[label.astype(int)] for skill in (0.8, 0.2)]
        scores = [score / score.sum(axis=1, keepdims=True) for score in scores]
        actual["classes"] = CLASSES
    elif task == "regression":
        label = 5 + rng.normal(size=N)
        scores = [label + noise * rng.normal(size=N) for noise in (0.5, 1.5)]
    elif task == "score":
        label = None
        scores = [np.where(rng.random(N) < skill, 1.0, rng.random(N)) for skill in (0.9, 0.5)]
        actual["query"] = query
    else:
        label = rng.choice(4, N, p=[0.5, 0.3, 0.15, 0.05]).astype(float)
        scores = [label + noise * rng.normal(size=N) for noise in (1, 4)]
        actual["query"] = query
    return Evidence.from_arrays(**{"label": label, "challenger": scores[0], "champion": scores[1], **actual, **options})


@pytest.mark.parametrize("options", ["plain", "weight", "cluster"])
@pytest.mark.parametrize(("task", "name"), NAMES)
def test_every_metric_is_judged(make, task: str, name: str, options: str) -> None:
    query = np.arange(N) // 10
    extra = {
        "plain": {},
        "weight": {"weight": np.random.default_rng(1).uniform(0.2, 3, N)[query]},
        "cluster": {"cluster": query // 2},
    }[options]
    known_values = find_metric(name, task)
    easy = (
        {"min": max(known_values.low + 0.01, -9.0)}
        if known_values.higher_is_better
        else {"max": min(known_values.high - 0.01, 9.0)}
    )
    checks = {
        "limit": {"kind": "threshold", "metric": name, "decide": "bound", **easy},
        "gain": {"kind": "improvement", "metric": name, "margin": 0.0},
        "sites": {
            "kind": "slices",
            "by": "site",
            "metric": name,
            "margin": 0.0,
            "require": "no_proven_harm",
            "min_rows": 20,
            "small_slice": "inconclusive",
        },
    }
    if known_values.incomparable:
        del checks["gain"], checks["sites"]
    limit, *compared = judge(make.policy(checks), evidence(task, **extra)).outcomes
    assert limit.verdict is Verdict.PASS
    queries = 60 if task in QUERY_TASKS else None
    expected = {"plain": queries, "weight": queries, "cluster": 30}
    assert limit.clusters == expected[options]
    if known_values.incomparable:
        return
    gain, sites = compared
    assert gain.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert sites.verdict is not Verdict.ERROR
    assert len(sites.parts) == 3
    for outcome in (limit, gain, *sites.parts):
        assert all(math.isfinite(number) for number in (outcome.observed, outcome.low, outcome.high))
        assert outcome.low <= outcome.observed <= outcome.high
    indifferent = {"coverage", "selection_rate", "fpr", "specificity"}
    if name.partition("@")[0] not in indifferent:
        assert gain.verdict is Verdict.PASS, gain.message


@pytest.mark.parametrize("clusters", ["if_present", "required", "ignore"])
def test_the_rows_of_a_query_are_never_taken_for_independent(make, clusters: str) -> None:
    check = make.check("threshold", metric="ndcg@5", min=0.1)
    assert make.judge(check, evidence("ranking"), clusters=clusters).outcomes[0].clusters == 60
    own = make.judge(check, evidence("ranking", cluster=np.arange(N) // 20), clusters=clusters).outcomes[0]
    assert own.clusters == (60 if clusters == "ignore" else 30)


def test_ranking_without_queries_cannot_be_judged(make) -> None:
    outcome = make.judge(make.check("threshold", metric="ndcg"), evidence("ranking", query=None)).outcomes[0]
    assert outcome.verdict is Verdict.ERROR
    assert "`query` is missing" in outcome.message


def test_probabilities_that_do_not_sum_to_1_cannot_be_judged(make) -> None:
    wrong = evidence("multiclass").challenger * 0.9
    outcome = make.judge(make.check("threshold", metric="f1_macro"), evidence("multiclass", challenger=wrong)).outcomes[
        0
    ]
    assert outcome.verdict is Verdict.ERROR
    assert outcome.message.startswith("600 rows have challenger probabilities that do not sum to 1 within 1e-06")


@pytest.mark.parametrize(
    ("task", "name", "change", "message"),
    [
        ("regression", "mape", {"label": np.r_[0.0, np.ones(N - 1)]}, "mape"),
        ("regression", "r2", {"label": np.ones(N)}, "r2"),
        ("binary", "precision@0.9", {"challenger": np.full(N, 0.1)}, "precision@0.9"),
        ("multiclass", "auc_ovr_macro", {"label": np.arange(N) % 2}, "auc_ovr_macro"),
    ],
)
def test_an_undefined_metric_is_an_error(make, task: str, name: str, change: dict, message: str) -> None:
    outcome = make.judge(make.check("threshold", metric=name, min=0.1), evidence(task, **change)).outcomes[0]
    assert outcome.verdict is Verdict.ERROR
    assert message in outcome.message


def test_the_order_of_rows_changes_no_byte_of_a_decision(make) -> None:
    order = np.random.default_rng(2).permutation(N)
    for task, name in (("multiclass", "f1_macro"), ("ranking", "ndcg@5"), ("regression", "absolute_error@0.9")):
        scored_rows = evidence(task)
        names = ["label", "challenger", "champion"]
        shuffled = {key: getattr(scored_rows, key)[order] for key in names}
        if task == "ranking":
            shuffled["query"] = (np.arange(N) // 10)[order]
        again = evidence(task, row_id=order, slices={"site": np.array(["a", "b"])[order % 2]}, **shuffled)
        scored_rows = evidence(task, slices={"site": np.array(["a", "b"])[np.arange(N) % 2]})
        check = make.check("improvement", metric=name)
        assert make.judge(check, scored_rows).to_json() == make.judge(check, again).to_json()
