"""Facts are claims: whatever they are, a gate that needs them judges or is an ERROR with one clear line."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate import Evidence, Verdict, judge
from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence import facts

NOW = datetime(2024, 6, 1, tzinfo=UTC)
NUMBER = {"kind": "number", "edges": [1, 2.5], "train": {"cells": [1, 2, 3]}, "holdout": {"cells": [4, 5, 6]}}
NAME = {"kind": "name", "values": ["a", "b"], "train": {"cells": [1, 2], "other": 3, "missing": 4}}
HUGE = 10**400


@pytest.mark.parametrize("value", [0, 3, 3.5, 1e300])
def test_a_number(value: float) -> None:
    assert facts.parse_number({"fit_seconds": value}, "fit_seconds") == value


@pytest.mark.parametrize("value", [True, False, -1, -1e-300, float("nan"), float("inf"), HUGE, "3", None, [3], {}])
def test_what_is_no_number(value) -> None:
    with pytest.raises(UnjudgeableError, match=r"^got .* @ facts\.fit_seconds$"):
        facts.parse_number({"fit_seconds": value}, "fit_seconds")


def test_what_the_run_did_not_say() -> None:
    message = "^the run did not say; expected a value @ facts.fit_seconds \\(evaluate again\\)$"
    with pytest.raises(UnjudgeableError, match=message):
        facts.parse_number({}, "fit_seconds")


def test_distributions() -> None:
    result = facts.parse_distribution({**NUMBER, "note": "unknown keys are left alone"}, path="features.x")
    assert (result.train.rows, result.edges) == (6, (1.0, 2.5))
    assert facts.parse_distribution(NAME, path="features.y").train.rows == 10
    assert facts.parse_distribution({"kind": "number", "train": {"cells": [0]}}, path="features.z").train.rows == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "text"}, "got 'text'; expected 'number' or 'name' @ facts.features.x.kind"),
        ({"edges": [2, 1]}, "the edges do not ascend; expected distinct numbers, ascending @ facts.features.x"),
        ({"edges": [1, 1]}, "the edges do not ascend; expected distinct numbers, ascending @ facts.features.x"),
        ({"edges": [1, True]}, "got True; expected a finite number @ facts.features.x.edges.1"),
        ({"edges": [1, HUGE]}, "expected a finite number @ facts.features.x.edges.1"),
        ({"edges": [1]}, "3 cells are counted; expected 2 @ facts.features.x"),
        ({"train": {"cells": [1, 2]}}, "2 cells are counted; expected 3 @ facts.features.x"),
        (
            {"train": {"cells": [1, 2, -1]}},
            "expected greater than or equal to 0 @ facts.features.x.train.cells.2",
        ),
        ({"train": {"cells": [1, 2, 0.5]}}, "got 0.5; expected a finite whole number @ facts.features.x.train.cells.2"),
        (
            {"train": {"cells": [1, 2, 3], "missing": None}},
            "expected a finite whole number @ facts.features.x.train.missing",
        ),
        ({"train": [1, 2, 3]}, "got [1, 2, 3]; expected a mapping @ facts.features.x.train"),
        ({"train": {"cells": [2**60, 2, 3]}}, "@ facts.features.x.train.cells.0"),
    ],
)
def test_what_is_no_distribution(change: dict, message: str) -> None:
    with pytest.raises(UnjudgeableError) as err:
        facts.parse_distribution({**NUMBER, **change}, path="facts.features.x")
    assert message in str(err.value)


def test_a_value_that_is_there_twice() -> None:
    with pytest.raises(UnjudgeableError, match="a value occurs twice"):
        facts.parse_distribution({**NAME, "values": ["a", "a"]}, path="facts.features.y")


@pytest.mark.parametrize("report", [None, {}, [], "features", {str(index): NUMBER for index in range(10_001)}])
def test_what_are_no_features(report) -> None:
    with pytest.raises(UnjudgeableError):
        facts.check_features(report, path="facts.features")


def test_a_moment() -> None:
    assert facts.parse_time({"scored_at": "2024-06-01T02:00:00+02:00"}, "scored_at") == NOW
    for value in ("2024-06-01", "2024-06-01T00:00:00", "yesterday", "", 17, None, "9" * 5000):
        with pytest.raises(UnjudgeableError, match=r"ISO 8601 with a time zone"):
            facts.parse_time({"scored_at": value}, "scored_at")


def test_every_fact_that_a_gate_reads_is_documented() -> None:
    root = Path(facts.__file__).parents[1]
    contents = set()
    for file in (*root.glob("kinds/*.py"), root / "evidence/facts.py"):
        text = file.read_text(encoding="utf-8")
        contents |= set(re.findall(r"facts(?:\.get\(|\[|, )\"(\w+)\"", text))
    assert {"parity", "champion", "code", "scored_at", "features", "scores"} <= contents
    assert {name for name in contents if f"`{name}`" not in (facts.__doc__ or "")} == set()


DRIFT = {"kind": "drift", "of": "features", "measure": "psi", "against": "training", "max": 0.2, "decide": "bound"}
MEASURED = (
    "predict_cpu_ms_per_1000_p50",
    "predict_cpu_ms_per_1000_p99",
    "predict_ms_per_1000_p50",
    "predict_ms_per_1000_p99",
    "model_bytes",
    "fit_seconds",
    "peak_memory_mb",
)
CHECKS = {
    "features": DRIFT,
    "champions": {**DRIFT, "against": "champion", "measure": "js", "decide": "point"},
    "some": {**DRIFT, "measure": "ks", "columns": ["age"], "decide": "point"},
    "scores": {**DRIFT, "of": "scores", "measure": "ks"},
    "data": {
        "kind": "data",
        "max_missing": 0.1,
        "require_columns": ["age"],
        "banned_columns": ["late"],
        "types": {"age": "number"},
        "max_age": "30d",
    },
    **{fact: {"kind": "resource", "fact": fact, "max": 1e9} for fact in MEASURED},
    "provenance": {
        "kind": "provenance",
        "max_age": "1d",
        "require": ["finished", "committed", "clean", "model", "champion", "data"],
    },
    "parity": {"kind": "parity", "max_difference": 0.1, "min_rows": 10},
}

KEYS = (
    "kind",
    "edges",
    "values",
    "train",
    "holdout",
    "cells",
    "other",
    "missing",
    "features",
    "rows",
    "commit",
    "clean",
    "run",
    "sha256",
    "max_difference",
    "problem",
    "age",
    "x",
)
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=4),
        st.sampled_from([HUGE, "a" * 64, "number", "name", "2024-05-01T00:00:00+00:00"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)


def paths(content: object, position: tuple = ()):
    """Every place in the facts, as keys from the top."""
    yield position
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from paths(value, (*position, key))


def whole(make) -> dict:
    """Facts of which every gate can be judged."""
    report = make.facts()
    hashes = report.pop("train_row_hashes")
    model = {"run": "flow/1", "sha256": "a" * 64}
    report |= {
        "champion": {**model, "features": report["features"]},
        "challenger": model,
        "as_of": "2024-05",
        "scored_at": "2024-05-31T23:00:00+00:00",
        "model_bytes": 5,
        "data": {"holdout_sha256": "b" * 64, "train_sha256": "b" * 64},
        "predict_cpu_ms_per_1000_p50": 1,
        "predict_cpu_ms_per_1000_p99": 2,
        "predict_ms_per_1000_p50": 1,
        "predict_ms_per_1000_p99": 2,
        "peak_memory_mb": 3.5,
    }
    return {**json.loads(json.dumps(report)), "train_row_hashes": hashes}


def test_whole_facts_can_be_judged(make) -> None:
    decision = judge(make.policy(CHECKS), make.evidence(facts=whole(make)), now=NOW)
    actual = {outcome.name: outcome.verdict for outcome in decision.outcomes}
    assert {name for name, verdict in actual.items() if verdict is Verdict.ERROR} == {"provenance"}  # of no run
    assert [part.name for part in decision.outcomes[-2].parts if part.verdict is Verdict.ERROR] == ["finished", "model"]


@pytest.mark.nightly
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_facts_of_any_kind_break_no_gate(make, data) -> None:
    report = deepcopy(whole(make))
    hashes = report.pop("train_row_hashes")
    places = st.sampled_from([index for index in paths(report) if index])
    for *above, last in data.draw(st.lists(places, min_size=1, max_size=3)):
        inner = report
        for key in above:
            other = (key in inner) if isinstance(inner, dict) else isinstance(inner, list) and key in range(len(inner))
            inner = inner[key] if other else {}
        if isinstance(inner, dict) and data.draw(st.integers(0, 4)) == 0:
            inner.pop(last, None)
        elif isinstance(inner, dict) or (isinstance(inner, list) and last in range(len(inner))):
            inner[last] = data.draw(JUNK)
    evidence = Evidence.from_bytes(make.evidence(facts={**report, "train_row_hashes": hashes}).to_bytes())
    decision = judge(make.policy(CHECKS), evidence, now=NOW)
    for outcome in decision.outcomes:
        assert "the gate broke" not in outcome.message, outcome
        assert "\n" not in outcome.message
    json.loads(decision.to_json())
