from __future__ import annotations

import pytest

from lockgate import Policy, Verdict
from lockgate.gates.errors import PolicyError

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [{"max_difference": 1.0}, {"min_rows": 100_000}, {"max_difference": 0.0}]


def failing(make):
    return make.evidence(facts=make.facts(parity={"rows": 600, "max_difference": 1e-17}))


CHECK = {"kind": "parity", "max_difference": 0, "min_rows": 100}


@pytest.mark.parametrize(
    ("maximum", "difference", "rows", "verdict"),
    [
        (0, 0, 100, "PASS"),
        (0, 5e-324, 100, "FAIL"),  # no tolerance: 0 means bit for bit
        (1e-9, 1e-9, 256, "PASS"),
        (1e-9, 1.0000001e-9, 256, "FAIL"),
        (0, 0, 99, "INCONCLUSIVE"),
        (0, 1, 1, "FAIL"),
    ],
)
def test_difference_and_rows(make, maximum: float, difference: float, rows: int, verdict: str) -> None:
    report = make.facts(parity={"rows": rows, "max_difference": difference, "python": "3.12.1"})
    outcome = make.judge({**CHECK, "max_difference": maximum}, make.evidence(facts=report)).outcomes[0]
    assert (outcome.verdict, outcome.observed, outcome.rows) == (verdict, difference, rows)
    assert "(Python 3.12.1)" in outcome.message


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ({"problem": "the fresh process did not answer within 60 s"}, "scored again: the fresh process did not answer"),
        ({"problem": "x" * 9999}, "x" * 200 + "; expected"),
        ({"rows": 256}, "no difference is given"),
        ({"rows": 256, "max_difference": -1}, "facts.parity.max_difference"),
        ({"rows": True, "max_difference": 0}, "facts.parity.rows"),
        ({"rows": 256, "max_difference": "0"}, "facts.parity.max_difference"),
        ([], "got []; expected a mapping @ facts.parity"),
    ],
)
def test_what_cannot_be_judged(make, report, message: str) -> None:
    outcome = make.judge(CHECK, make.evidence(facts=make.facts(parity=report))).outcomes[0]
    assert outcome.verdict == Verdict.ERROR
    assert message in outcome.message


@pytest.mark.parametrize("keys", [{"max_difference": -1}, {"min_rows": 0}, {"min_rows": 1.5}, {"max_difference": "0"}])
def test_policy_errors(make, keys) -> None:
    with pytest.raises(PolicyError, match=r"gate\.checks\.gate"):
        Policy.parse(make.mapping({"gate": {**CHECK, **keys}}))
