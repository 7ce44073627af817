from __future__ import annotations

import pytest

from lockgate import Policy, Verdict
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    {"fact": "model_bytes", "max": 10},
    {"fact": "peak_memory_mb", "max": 1e9},
    {"max": 1e9},
    {"min": 1e8, "max": 1e9},
]


def failing(make):
    return make.evidence(facts=make.facts(fit_seconds=61))


CHECK = {"kind": "resource", "fact": "predict_cpu_ms_per_1000_p99", "max": 50}


@pytest.mark.parametrize(
    ("value", "minimum", "verdict"),
    [
        (49.999, None, "PASS"),
        (50, None, "PASS"),
        (50.001, None, "FAIL"),
        (0, None, "PASS"),
        (1, 2.0, "FAIL"),
        (2, 2.0, "PASS"),
    ],
)
def test_limits(make, value: float, minimum: float | None, verdict: str) -> None:
    check = {**CHECK, **({"min": minimum} if minimum else {})}
    outcome = make.judge(check, make.evidence(facts=make.facts(predict_cpu_ms_per_1000_p99=value))).outcomes[0]
    assert (outcome.verdict, outcome.observed, outcome.metric) == (verdict, value, "predict_cpu_ms_per_1000_p99")
    assert outcome.level is None


@pytest.mark.parametrize("value", [True, -1, "5", None, [5], 10**400])
def test_what_is_no_measurement(make, value) -> None:
    outcome = make.judge(CHECK, make.evidence(facts=make.facts(predict_cpu_ms_per_1000_p99=value))).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    assert "@ facts.predict_cpu_ms_per_1000_p99" in outcome.message


def test_a_fact_that_is_missing(make) -> None:
    outcome = make.judge(CHECK, make.evidence()).outcomes[0]
    assert (outcome.verdict, "the run did not say" in outcome.message) == (Verdict.ERROR, True)


@pytest.mark.parametrize("keys", [{"fact": "latency"}, {"max": -1}, {"max": True}, {"min": 51}, {"max": float("inf")}])
def test_policy_errors(make, keys) -> None:
    with pytest.raises(PolicyError, match=r"gate\.checks\.gate"):
        Policy.parse(make.mapping({"gate": {**CHECK, **keys}}))
