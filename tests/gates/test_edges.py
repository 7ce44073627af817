"""Inputs that other gates were seen to decide wrongly, over every kind."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gates import Evidence, Ruling, Verdict, judge
from gates.kinds import KINDS


def all_kinds(make, **keys):
    return make.policy(dict(make.checks), **keys)


def with_bad(make, column: str, value: float, rows: int = 2):
    values = np.array(make.arrays()[column], dtype=float)
    values[[5, 77, 300, 412][:rows]] = value
    return make.evidence(**{column: values})


def all_errors(make, evidence: Evidence, **keys) -> list[str]:
    """The messages of a decision in which every gate of every kind is ERROR."""
    decision = judge(all_kinds(make, **keys), evidence)
    assert {outcome.verdict for outcome in decision.outcomes} == {Verdict.ERROR}
    assert {outcome.kind for outcome in decision.outcomes} == set(KINDS)
    assert (decision.verdict, decision.exit_code) == (Ruling.ERROR, 2)
    assert decision.state.champion is None
    assert decision.state.holdouts == {}
    return [outcome.message for outcome in decision.outcomes]


@pytest.mark.parametrize("column", ["challenger", "champion"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-9, 1 + 1e-9])
def test_scores_out_of_range(make, column: str, value: float) -> None:
    message = all_errors(make, with_bad(make, column, value))[0]
    assert f"2 rows have a {column} score" in message
    assert "ids hashed" in message
    assert "77" not in message.split("hashed:")[0]


@pytest.mark.parametrize("value", [math.nan, 2.0, 0.5, -1.0, math.inf])
def test_labels_outside_the_set(make, value: float) -> None:
    assert "4 rows have a label that is neither 0 nor 1" in all_errors(make, with_bad(make, "label", value, 4))[0]


@pytest.mark.parametrize("column", ["label", "challenger", "champion"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_regression_wants_finite_numbers(make, column: str, value: float) -> None:
    bad = with_bad(make, column, value)
    arrays = {"label": bad.label, "challenger": bad.challenger, "champion": bad.champion}
    found = make.judge(
        {"kind": "improvement", "metric": "mae", "margin": 0.0}, make.evidence(task="regression", **arrays)
    ).outcomes[0]
    assert found.verdict == Verdict.ERROR
    assert "no finite number" in found.message


@pytest.mark.parametrize("weight", [np.full(600, -1.0), np.full(600, math.nan), np.zeros(600), np.full(600, math.inf)])
def test_weights_that_weigh_nothing_right(make, weight: np.ndarray) -> None:
    assert "weight" in all_errors(make, make.evidence(weight=weight))[0]


def test_zero_rows(make) -> None:
    none: list[float] = []
    empty = Evidence.from_arrays(label=none, challenger=none, champion=none, slices={"site": none and ["a"]})
    assert "no rows" in all_errors(make, empty)[0]


def test_the_same_row_twice(make) -> None:
    ids = np.arange(600)
    ids[10] = 11
    assert "1 rows have a row_id that another row has too" in all_errors(make, make.evidence(row_id=ids))[0]


def test_a_champion_in_the_facts_without_its_column(make) -> None:
    facts = make.facts(champion={"sha256": "a" * 64, "run": "flow/1"})
    assert "the column `champion` is missing" in all_errors(make, make.evidence(champion=None, facts=facts))[0]


def test_clusters_that_the_policy_requires(make) -> None:
    assert "requires clusters" in all_errors(make, make.evidence(), clusters="required")[0]


def test_one_class(make) -> None:
    evidence = make.evidence(label=np.zeros(600))
    for metric, verdict in (("auc", "ERROR"), ("average_precision", "ERROR"), ("log_loss", "FAIL"), ("ece", "FAIL")):
        limits = {"min": 0.5} if verdict == "ERROR" else {"max": 1e-9}
        check = {"kind": "threshold", "metric": metric, "decide": "point", **limits}
        assert make.judge(check, evidence).outcomes[0].verdict == verdict


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["challenger", "champion"])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_nan_never_passes_a_gate(make, kind: str, column: str, task: str) -> None:
    bad = with_bad(make, column, math.nan, 1)
    arrays = {"label": bad.label, "challenger": bad.challenger, "champion": bad.champion, "task": task}
    assert make.judge(make.check(kind), make.evidence(**arrays)).verdict == Ruling.ERROR


@pytest.mark.parametrize("check", ["threshold", "improvement", "slices", "calibration"])
def test_a_metric_that_overflows_is_an_error(make, check: str) -> None:
    """Finite rows whose metric is not: squares of 1e200."""
    metric = {"measure": "gap"} if check == "calibration" else {"metric": "rmse"}
    scores = np.full(600, 1e200 if check != "calibration" else 1.7e308)
    limits = {"threshold": {"min": 0.0}, "calibration": {"max": 1e300}}.get(check, {})
    evidence = make.evidence(task="regression", challenger=scores, label=np.full(600, -1.0))
    with np.errstate(all="ignore"):
        assert make.judge(make.check(check, **metric, **limits), evidence).outcomes[0].verdict == Verdict.ERROR


ODD = st.sampled_from([math.nan, math.inf, -math.inf])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ODD, column=st.sampled_from(["label", "challenger", "champion", "weight"]), rows=st.sets(
    st.integers(0, 599), min_size=1, max_size=5), kind=st.sampled_from(list(KINDS)), task=st.sampled_from(
    ["binary", "regression"]))  # fmt: skip
def test_no_input_that_is_not_finite_promotes(make, value, column, rows, kind, task) -> None:
    values = np.array({**make.arrays(), "weight": np.ones(600)}[column], dtype=float)
    values[list(rows)] = value
    decision = make.judge(make.check(kind), make.evidence(task=task, **{column: values}))
    assert decision.verdict == Ruling.ERROR
    assert decision.state.champion is None
    assert finite(json.loads(decision.to_json()))


def finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(finite(held) for held in value.values())
    if isinstance(value, list):
        return all(finite(held) for held in value)
    return not isinstance(value, float) or (math.isfinite(value) and value == float(f"{value:.12g}"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308), st.floats(-1e308, 1e308), st.floats(0, 1e308)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_json_has_no_nan_whatever_the_numbers(make, rows) -> None:
    label, challenger, champion, weight = (np.array(column) for column in zip(*rows, strict=True))
    checks = {
        "limit": {"kind": "threshold", "metric": "rmse", "max": 1e6, "decide": "bound"},
        "gain": {"kind": "improvement", "metric": "mae", "margin": 0.0},
        "site": {**make.checks["slices"], "metric": "rmse", "min_rows": 1},
        "gap": make.check("calibration"),
    }
    evidence = Evidence.from_arrays(
        label=label, challenger=challenger, champion=champion, weight=weight, task="regression",
        slices={"site": ["a", "b"] * (len(rows) // 2) + ["a"] * (len(rows) % 2)},
    )  # fmt: skip
    with np.errstate(all="ignore"):
        decision = judge(make.policy(checks, min_clusters=2), evidence)
    text = decision.to_json()
    assert finite(json.loads(text))
    assert not {"NaN", "Infinity", "Infin"} & set(text.replace('"', " ").replace(":", " ").replace(",", " ").split())
    assert not any("broke" in outcome.message for outcome in decision.outcomes)
