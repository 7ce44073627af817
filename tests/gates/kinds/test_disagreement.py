from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from lockgate import Verdict, judge
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"decide": "point"},
    {"max": 0.1},
    {"beyond": 0.2},
    {"max": 0.1, "decide": "point"},
    {"severity": "warn"},
]
EDGES = {
    "nine rows": Verdict.PASS,
    "identical scores": Verdict.PASS,
    "constant scores of both": Verdict.PASS,
    "a challenger that is worse": Verdict.PASS,
    "a spent holdout": Verdict.PASS,
    "a retired holdout": Verdict.PASS,
}


def failing(make):
    return make.evidence(champion=1 - make.arrays()["challenger"])


CHURN = {"kind": "disagreement", "max": 0.1, "decide": "bound"}


def changing(share: float, n: int, **options: Any) -> dict[str, Any]:
    """n rows, of which a share has another decision than before."""
    champion = np.tile([0.2, 0.8], n // 2)
    changed = np.arange(n) < round(share * n)
    return {
        "label": np.tile([0.0, 1, 1, 0], n // 4),
        "challenger": np.where(changed, 1 - champion, champion),
        "champion": champion,
        "row_id": np.arange(n),
        "slices": None,
        **options,
    }


def test_nine_rows_do_not_show_a_small_share(make) -> None:
    decision = make.judge(make.check("disagreement", max=0.2), make.evidence(9))
    assert (decision.outcomes[0].verdict, decision.exit_code) == (Verdict.INCONCLUSIVE, 3)


def test_the_share_has_wilsons_interval(make) -> None:
    (outcome,) = make.judge(CHURN, make.evidence(**changing(0.04, 1000))).outcomes
    low, high = proportion_confint(40, 1000, alpha=0.1, method="wilson")
    assert (outcome.observed, outcome.low, outcome.high) == pytest.approx((0.04, low, high), abs=1e-11)
    assert outcome.verdict == "PASS"


@pytest.mark.parametrize(
    ("share", "n", "verdict"), [(0.05, 1000, "PASS"), (0.09, 200, "INCONCLUSIVE"), (0.15, 1000, "FAIL")]
)
def test_the_bound_decides(make, share: float, n: int, verdict: str) -> None:
    assert make.judge(CHURN, make.evidence(**changing(share, n))).outcomes[0].verdict == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.099, "PASS"), (0.1, "PASS"), (0.101, "FAIL")])
def test_the_point_decides_and_the_limit_is_met(make, share: float, verdict: str) -> None:
    check = {**CHURN, "decide": "point"}
    assert make.judge(check, make.evidence(**changing(share, 1000))).outcomes[0].verdict == verdict


def test_changes_that_come_in_clusters_count_less(make) -> None:
    options = changing(0.05, 1000)
    alone = make.judge(CHURN, make.evidence(**options)).outcomes[0]
    together = make.judge(CHURN, make.evidence(**options, cluster=np.arange(1000) // 50)).outcomes[0]
    assert together.clusters == 20
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_predictions_differ_beyond_a_declared_distance(make) -> None:
    label = np.arange(400.0)
    options = {"label": label, "challenger": label + np.where(label < 20, 2.0, 0.4), "champion": label, "slices": None}
    evidence = make.evidence(400, task="regression", **options)
    outcome = make.judge({**CHURN, "beyond": 1.5}, evidence).outcomes[0]
    assert (outcome.verdict, outcome.observed) == ("PASS", 0.05)
    assert make.judge(CHURN, evidence).outcomes[0].verdict == "ERROR"


def test_decisions_need_no_distance(make) -> None:
    outcome = make.judge({**CHURN, "beyond": 0.1}, make.evidence(**changing(0.04, 1000))).outcomes[0]
    assert outcome.verdict == "ERROR"
    assert "expected no `beyond`" in outcome.message


def test_without_a_champion_there_is_nothing_to_disagree_with(make) -> None:
    policy = make.policy({"churn": CHURN, "floor": make.checks["threshold"]})
    assert judge(policy, make.evidence(champion=None)).outcomes[0].verdict == "SKIP"


@pytest.mark.parametrize("keys", [{"max": 1.0}, {"max": -0.1}, {"beyond": -1}, {"decide": None}])
def test_mistakes(make, keys: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        make.policy({"gate": {**CHURN, **keys}})


def test_a_distance_of_exactly_that_much_is_no_difference(make) -> None:
    options = {"label": np.zeros(40), "challenger": np.full(40, 2.0), "champion": np.full(40, 0.5), "slices": None}
    evidence = make.evidence(40, task="regression", **options)
    shares = [make.judge({**CHURN, "beyond": beyond}, evidence).outcomes[0].observed for beyond in (1.25, 1.5)]
    assert shares == [1.0, 0.0]
