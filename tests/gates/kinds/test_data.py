"""The kind `data`: enough rows, few gaps, the required columns, and how old the newest row is.

Tests of gates/kinds/data_measures.py
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lockgate import Evidence, Policy, Verdict, judge
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"min_rows": 700},
    {"min_clusters": 5},
    {"max_missing": 0.0},
    {"label_rate": {"min": 0.1, "max": 0.2}},
    {"label_rate": {"min": 0.1, "max": 0.9}},
    {"require_columns": ["x", "y"]},
    {"banned_columns": ["x", "z"]},
    {"types": {"x": "name"}},
    {"max_age": "12h"},
    {"max_age": "900d"},
    {"require_columns": ["agee", "sites"]},
    {"require_columns": ["agent", "si te"]},
    {"require_columns": ["A-g_e", "site"]},
    {"banned_columns": ["agee", "sites", "agent"]},
    {"banned_columns": ["a g-e"]},
    {"types": {"age": "number"}},
    {"require_columns": [f"r{index}" for index in range(5)]},
    {"require_columns": ["r" * 100, *(f"r{index}" for index in range(5))]},
    {"label_rate": {"min": 0.5, "max": 0.5}},
]


def failing(make):
    """The banned column is a feature."""
    outcome = {"kind": "number", "train": {"cells": [9]}, "holdout": {"cells": [600]}}
    return make.evidence(facts=make.facts(features={"outcome": outcome}))


NOW = datetime(2024, 6, 1, tzinfo=UTC)


def data(make, evidence=None, *, now: datetime | None = NOW, **keys):
    policy = make.policy({"gate": {"kind": "data", **keys}, "floor": make.checks["threshold"]})
    return judge(policy, evidence if evidence is not None else make.evidence(), now=now).outcomes[0]


def column(kind: str, *, missing=(0, 0)):
    counts = {"train": {"cells": [100], "missing": missing[0]}, "holdout": {"cells": [600], "missing": missing[1]}}
    return {"kind": kind, "values": ["a"], **counts} if kind == "name" else {"kind": kind, **counts}


def of_features(make, **features):
    return make.evidence(facts=make.facts(features=features))


@pytest.mark.parametrize(("minimum", "verdict"), [(599, "PASS"), (600, "PASS"), (601, "FAIL")])
def test_rows(make, minimum: int, verdict: str) -> None:
    result = data(make, min_rows=minimum)
    assert (result.verdict, result.observed, result.metric) == (verdict, 600, "min_rows")
    assert [part.name for part in result.parts] == ["min_rows"]


def test_rows_of_weight_0_do_not_count(make) -> None:
    weighed = make.evidence(weight=(np.arange(600) < 200).astype(float), cluster=np.arange(600) // 10)
    assert data(make, weighed, min_rows=201).verdict == Verdict.FAIL
    assert data(make, weighed, min_clusters=20).verdict == Verdict.PASS
    assert data(make, weighed, min_clusters=21).verdict == Verdict.FAIL


def test_clusters_are_asked_for_and_not_there(make) -> None:
    assert data(make, min_clusters=5).verdict == Verdict.ERROR


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({"min": 0.25}, "PASS"),
        ({"max": 0.25}, "PASS"),
        ({"min": 0.2500001}, "FAIL"),
        ({"max": 0.2499999}, "FAIL"),
        ({"min": 0.1, "max": 0.9}, "PASS"),
    ],
)
def test_the_rate_of_the_label(make, limits, verdict: str) -> None:
    evidence = make.evidence(label=(np.arange(600) < 150).astype(float))
    result = data(make, evidence, label_rate=limits)
    assert (result.verdict, result.observed) == (verdict, 0.25)


def test_the_rate_of_the_label_is_by_weight(make) -> None:
    label = (np.arange(600) < 150).astype(float)
    assert data(make, make.evidence(label=label, weight=1 + 2 * label), label_rate={"min": 0.5}).observed == 0.5


def test_a_regression_has_no_rate(make) -> None:
    evidence = Evidence.from_arrays(label=np.arange(9.0), challenger=np.arange(9.0), task="regression")
    result = data(make, evidence, label_rate={"min": 0.5})
    assert (result.verdict, "task binary" in result.message) == (Verdict.ERROR, True)


@pytest.mark.parametrize(
    ("missing", "verdict", "observed"),
    [
        ((0, 0), "PASS", 0),
        ((25, 0), "PASS", 0.2),
        ((26, 0), "FAIL", 26 / 126),
        ((0, 150), "PASS", 0.2),
        ((0, 151), "FAIL", 151 / 751),
    ],
)
def test_the_largest_share_that_is_missing(make, missing, verdict: str, observed: float) -> None:
    result = data(make, of_features(make, a=column("number"), b=column("name", missing=missing)), max_missing=0.2)
    assert result.verdict == verdict
    assert result.observed == pytest.approx(observed)
    if observed:
        assert f"'b' misses {observed:.4g} of its values" in result.message


def test_required_and_banned_columns(make) -> None:
    evidence = of_features(make, dep_time=column("number"), Carrier=column("name"), delay_min=column("number"))
    assert data(make, evidence, require_columns=["carrier", "Dep-Time"]).verdict == Verdict.PASS
    absent = data(make, evidence, require_columns=["carrier", "dep_times", "origin"])
    assert (absent.verdict, absent.observed) == (Verdict.FAIL, 2)
    assert "'dep_times', 'origin' ('dep_time' is near 'dep_times')" in absent.message
    matches = data(make, evidence, banned_columns=["dep time", "delays_min"])
    assert (matches.verdict, matches.observed) == (Verdict.FAIL, 1)
    assert (
        "1 features are banned: 'dep_time' (not banned, but look: 'delay_min' is near 'delays_min')" in matches.message
    )
    assert data(make, evidence, banned_columns=["arr_delay"]).verdict == Verdict.PASS


def test_types(make) -> None:
    evidence = of_features(make, hour=column("number"), origin=column("name"))
    assert data(make, evidence, types={"hour": "number", "origin": "name"}).verdict == Verdict.PASS
    result = data(make, evidence, types={"hour": "name", "minute": "number", "origin": "name"})
    assert (result.verdict, result.observed) == (Verdict.FAIL, 2)
    assert "'hour' is a number, 'minute' is no feature" in result.message


@pytest.mark.parametrize(
    ("newest", "verdict", "days"),
    [
        ("2024-05-22", "PASS", 10),
        ("2024-05-21 23:59:59", "FAIL", 10 + 1 / 86400),
        ("2024-05-22T02:00:00+02:00", "PASS", 10),
        ("2024-06-01T00:00:00Z", "PASS", 0),
        ("2024-06-01 14:00", "PASS", 0),
        ("2024-06-03", "ERROR", None),
        ("soon", "ERROR", None),
    ],
)
def test_the_age_of_the_newest_row(make, newest: str, verdict: str, days: float | None) -> None:
    zone = "Z" if newest.endswith("Z") else "+02:00" if newest.endswith("+02:00") else ""
    times = [f"2023-01-01T00:00:00{zone}"] * 599 + [newest]
    result = data(make, make.evidence(time=times), max_age="10d")
    assert result.verdict == verdict
    if days is not None:
        assert result.observed == pytest.approx(days)


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"as_of": "2024-05"}, "PASS"),
        ({"as_of": "2024-06"}, "PASS"),
        ({"as_of": "2024-04"}, "FAIL"),
        ({"as_of": "2024-07"}, "ERROR"),
        ({"as_of": "2024-13"}, "ERROR"),
        ({"as_of": 5}, "ERROR"),
        ({"as_of": "0000-01"}, "ERROR"),
        ({}, "ERROR"),
        ({"scored_at": "2024-05-30T00:00:00+00:00"}, "PASS"),
        ({"scored_at": "2024-05-21T00:00:00+00:00"}, "FAIL"),
        ({"as_of": "2024-04", "scored_at": "2024-05-30T00:00:00+00:00"}, "FAIL"),
    ],
)
def test_the_age_of_rows_without_time(make, facts, verdict: str) -> None:
    assert data(make, make.evidence(facts=make.facts(**facts)), max_age="10d").verdict == verdict


def test_an_age_needs_the_time_of_the_judgement(make) -> None:
    result = data(make, make.evidence(facts=make.facts(as_of="2024-05")), now=None, max_age="10d")
    assert (result.verdict, "needs the time of the judgement" in result.message) == (Verdict.ERROR, True)


def test_the_worst_measure_decides(make) -> None:
    keys = {"min_rows": 100, "min_clusters": 3, "max_missing": 0.5, "label_rate": {"min": 0.9}}
    result = data(make, **keys)
    assert result.verdict == Verdict.ERROR
    assert {part.name: part.verdict for part in result.parts} == {
        "min_rows": "PASS",
        "min_clusters": "ERROR",
        "max_missing": "PASS",
        "label_rate": "FAIL",
    }
    assert "1 ERROR, 1 FAIL, 2 PASS" in result.message


@pytest.mark.parametrize("report", [None, [], {"a": 5}, {"a": column("text")}, {"a": {"kind": "number", "train": {}}}])
def test_features_that_cannot_be_read(make, report) -> None:
    assert data(make, make.evidence(facts=make.facts(features=report)), max_missing=0.5).verdict == Verdict.ERROR


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "nothing is asked of the data; expected one of banned_columns, label_rate"),
        ({"min_rows": 0}, "greater than or equal to 1"),
        ({"max_missing": 1.5}, "less than or equal to 1"),
        ({"label_rate": {}}, "neither min nor max is given"),
        ({"label_rate": {"min": 0.6, "max": 0.5}}, "min is above max"),
        ({"label_rate": {"mn": 0.6}}, "'min' or 'max'"),
        ({"max_age": "10 days"}, "'10 days' is no duration; expected days or hours, as in 90d"),
        ({"max_age": 10}, "valid string"),
        ({"types": {"a": "float"}}, "'number' or 'name'"),
        ({"banned_columns": []}, "at least 1 entry"),
    ],
)
def test_policy_errors(make, keys, message: str) -> None:
    with pytest.raises(PolicyError) as err:
        Policy.parse(make.mapping({"gate": {"kind": "data", **keys}}))
    assert message in str(err.value)
    assert "gate.checks.gate" in str(err.value)


def test_hours(make) -> None:
    for hours, verdict in ((23, "FAIL"), (24, "PASS")):
        evidence = make.evidence(time=[(NOW - timedelta(days=1)).isoformat()] * 600)
        assert data(make, evidence, max_age=f"{hours}h").verdict == verdict


@pytest.mark.parametrize("where", ["train", "holdout"])
def test_rows_of_which_none_is_counted_have_no_share(make, where: str) -> None:
    evidence = of_features(make, a=column("number"), b={**column("number"), where: {"cells": [0]}})
    result = data(make, evidence, max_missing=0.5)
    assert (result.verdict, result.parts[0].message) == (
        Verdict.ERROR,
        "no row is counted; expected at least one @ facts.features.b",
    )
