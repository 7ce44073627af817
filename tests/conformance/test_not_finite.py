"""Numbers that are none, wherever they come from: no gate of any kind promotes on them, and no decision holds one."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate import Evidence, Ruling, Verdict, judge
from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS, Family

RELAXED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
SIZES = st.floats(-1e308, 1e308)


@RELAXED
@given(
    value=st.sampled_from([math.nan, math.inf, -math.inf]),
    column=st.sampled_from(["label", "challenger", "champion", "weight"]),
    rows=st.sets(st.integers(0, 599), min_size=1, max_size=5),
    kind=st.sampled_from(list(KINDS)),
    task=st.sampled_from(["binary", "regression"]),
)
def test_no_input_that_is_not_finite_promotes(
    make: Any, value: float, column: str, rows: set[int], kind: str, task: str
) -> None:
    values = np.array({**make.arrays(), "weight": np.ones(600)}[column], dtype=float)
    values[list(rows)] = value
    decision = make.judge(make.check(kind), make.evidence(task=task, **{column: values}))
    assert decision.verdict == Ruling.ERROR
    assert decision.state.champion is None


@RELAXED
@given(rows=st.lists(st.tuples(SIZES, SIZES, SIZES, st.floats(0, 1e308)), min_size=1, max_size=12))
def test_no_decision_holds_a_number_that_is_none(make: Any, rows: list[tuple[float, ...]]) -> None:
    label, challenger, champion, weight = (np.array(column) for column in zip(*rows, strict=True))
    checks = {
        "limit": {"kind": "threshold", "metric": "rmse", "max": 1e6, "decide": "bound"},
        "gain": {"kind": "improvement", "metric": "mae", "margin": 0.0},
        "site": {**make.checks["slices"], "metric": "rmse", "min_rows": 1},
        "gap": make.check("calibration"),
        "parity": {**make.checks["fairness"], "metric": "mae", "min_rows": 1},
        "churn": {"kind": "disagreement", "max": 0.5, "decide": "bound", "beyond": 0.1},
    }
    sites = (["a", "b"] * len(rows))[: len(rows)]
    evidence = Evidence.from_arrays(
        label=label, challenger=challenger, champion=champion, weight=weight, task="regression", slices={"site": sites}
    )
    with np.errstate(all="ignore"):
        decision = judge(make.policy(checks, min_clusters=2), evidence)
    json.loads(decision.to_json(), parse_constant=pytest.fail)
    assert not any("broke" in outcome.message for outcome in decision.outcomes)


@pytest.mark.parametrize(
    ("check", "score"),
    [
        ({"kind": "threshold", "metric": "rmse", "min": 0.1, "decide": "bound"}, 1e200),
        ({"kind": "improvement", "metric": "rmse", "margin": 0.0}, 1e200),
        ({"kind": "calibration", "measure": "gap", "max": 1e300, "decide": "bound"}, 1.7e308),
    ],
)
def test_a_metric_that_overflows_on_finite_rows_is_an_error(make: Any, check: dict[str, Any], score: float) -> None:
    arrays = {"challenger": np.full(600, score), "label": np.full(600, -1.0), "task": "regression"}
    with np.errstate(all="ignore"):
        assert make.judge(check, make.evidence(**arrays)).outcomes[0].verdict == Verdict.ERROR


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("name", METRICS["binary"])
def test_one_label_is_an_error_where_the_metric_needs_two(make: Any, name: str, label: float) -> None:
    """And nowhere is it a number that is none."""
    value = METRICS["binary"][name]
    metric = value.make(value.default or value.low) if isinstance(value, Family) else value
    check = {"kind": "improvement", "metric": metric.name, "margin": 0.0}
    if metric.incomparable:
        check = {"kind": "threshold", "metric": metric.name, "max": metric.high / 2, "decide": "bound"}
    outcome = make.judge(check, make.evidence(label=np.full(600, label))).outcomes[0]
    if outcome.verdict is Verdict.ERROR:
        assert metric.needs in outcome.message
        assert metric.needs != "at least one row"
    else:
        assert math.isfinite(outcome.observed)
    if metric.needs == "rows of both labels":
        assert outcome.verdict is Verdict.ERROR
