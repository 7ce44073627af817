"""What a policy finds too few of before models score, held against what `judge` says once they have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate import Ruling, judge
from lockgate.gates.judge.shortfall import find_shortfalls

AREA: dict[str, Any] = {"kind": "improvement", "metric": "auc", "margin": 0.0}
LOSS = AREA | {"metric": "log_loss"}
FLOOR: dict[str, Any] = {"kind": "threshold", "metric": "auc", "min": 0.5, "decide": "bound"}
LOOSE: dict[str, Any] = {"kind": "threshold", "metric": "auc", "min": 0.5, "decide": "point"}


def evidence(make: Any, positives: int, *, clusters: int = 30, **columns: Any) -> Any:
    """600 rows, of which the first have the label 1, in clusters of one size. The challenger is much better."""
    rng, label = np.random.default_rng(1), (np.arange(600) < positives).astype(float)
    scores = {"challenger": np.clip(0.2 + 0.6 * label + rng.normal(0, 0.05, 600), 0, 1), "champion": rng.random(600)}
    return make.evidence(label=label, cluster=np.arange(600) % clusters, **(scores | columns))


def list_reasons(policy: Any, rows: Any, *, compared: bool = True) -> list[str]:
    return [shortfall.reason for shortfall in find_shortfalls(policy, rows, compared=compared)]


@pytest.mark.parametrize(("positives", "short"), [(19, True), (20, False), (21, False), (580, False), (581, True)])
@pytest.mark.parametrize(("checks", "compared"), [({"area": AREA}, True), ({"floor": FLOOR}, False)])
def test_rows_of_the_rarer_class(make: Any, positives: int, short: bool, checks: Any, compared: bool) -> None:
    policy, rows = make.policy(checks, min_class_rows=20, min_clusters=5), evidence(make, positives)
    reasons = list_reasons(policy, rows, compared=compared)
    assert reasons == (["only 19 rows of the rarer class, at least 20 are asked (min_class_rows)"] if short else [])
    (outcome,) = judge(policy, rows).outcomes
    assert (outcome.verdict == "INCONCLUSIVE") == short
    assert (reasons[0] in outcome.message) if short else ("rarer class" not in outcome.message)


@pytest.mark.parametrize(("clusters", "short"), [(9, True), (10, False), (11, False)])
@pytest.mark.parametrize("check", [LOSS, AREA])
def test_clusters(make: Any, clusters: int, short: bool, check: Any) -> None:
    policy, rows = make.policy({"gain": check}, min_clusters=10), evidence(make, 300, clusters=clusters)
    reasons = list_reasons(policy, rows)
    assert reasons == (["only 9 clusters, at least 10 are asked (min_clusters)"] if short else [])
    assert (judge(policy, rows).verdict is Ruling.INCONCLUSIVE) == short
    assert find_shortfalls(make.policy({"gain": check}, clusters="ignore"), rows, compared=True) == ()


@pytest.mark.parametrize(
    ("minimum", "reasons"),
    [
        ({"min_rows": 600}, []),
        ({"min_rows": 601}, ["600 rows of the holdout count; asked: 601 (min_rows)"]),
        ({"min_clusters": 30}, []),
        ({"min_clusters": 31}, ["30 clusters; asked: 31 (min_clusters)"]),
        ({"max_missing": 0.0}, []),
    ],
)
def test_rows_that_a_gate_of_the_data_asks_for(make: Any, minimum: Any, reasons: list[str]) -> None:
    policy = make.policy({"data": {"kind": "data", **minimum}})
    assert list_reasons(policy, evidence(make, 300), compared=False) == reasons
    if "max_missing" not in minimum:
        assert (judge(policy, evidence(make, 300)).verdict is Ruling.HOLD) == bool(reasons)


def test_a_reason_of_several_gates_is_said_once(make: Any) -> None:
    policy = make.policy({"area": AREA, "floor": FLOOR, "again": FLOOR}, min_class_rows=50)
    assert len(find_shortfalls(policy, evidence(make, 40), compared=True)) == 1


@pytest.mark.parametrize(
    ("checks", "compared"),
    [
        ({"share": LOSS | {"metric": "accuracy"}}, True),  # every row carries it
        ({"point": LOOSE}, True),  # no bound is asked
        ({"leak": {"kind": "leakage"}, "warning": FLOOR | {"severity": "warn"}}, True),
        ({"area": AREA}, False),  # skipped without a champion
        ({"precise": FLOOR | {"metric": "precision", "min": 0.1}}, True),  # its rows depend on the scores
        ({"leak": {"kind": "leakage"}}, True),
        ({"error": LOSS | {"metric": "rmse"}}, True),  # not of the task: an ERROR of the judge
    ],
)
def test_gates_that_few_rows_do_not_matter_to(make: Any, checks: Any, compared: bool) -> None:
    assert find_shortfalls(make.policy(checks, min_class_rows=50), evidence(make, 40), compared=compared) == ()


def test_the_scores_do_not_matter(make: Any) -> None:
    blank = {"challenger": np.zeros(600), "champion": np.zeros(600)}
    policy = make.policy({"area": AREA, "floor": FLOOR}, min_class_rows=50, min_clusters=40)
    for positives in (0, 40, 600):
        reasons = [
            find_shortfalls(policy, evidence(make, positives, **scores), compared=True) for scores in ({}, blank)
        ]
        assert reasons[0] == reasons[1] != ()
