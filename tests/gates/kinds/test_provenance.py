"""The kind `provenance`: what a run must say about its code, data and models, and how old it may be.

Tests of gates/gate/age.py
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lockgate import Evidence, Policy, Verdict, judge
from lockgate.gates.errors import PolicyError
from lockgate.gates.evidence.facts import Witness

# for the tests over all kinds: see tests/conformance/own.py
VARIANTS = [
    *({"require": [requirement]} for requirement in ("finished", "committed", "clean", "model", "champion", "data")),
    {"require": ["clean", "data"], "max_age": "12h"},
]


def failing(make):
    return make.evidence(facts=make.facts(code={"commit": "c" * 40, "clean": False}))


NOW = datetime(2024, 6, 1, tzinfo=UTC)
EVERYTHING = ["finished", "committed", "clean", "model", "champion", "data"]
SHA = hashlib.sha256(b"model").hexdigest()
CHAMPION = {"run": "flow/0", "sha256": "a" * 64}
SEEN = Witness(run="flow/1", model_sha256=SHA)


def trace_evidence(make, *, witness: Witness | None = SEEN, champion: bool = True, **facts) -> Evidence:
    """Evidence that meets every requirement, but for what is given."""
    options = {} if champion else {"champion": None}
    evidence = make.evidence(**options)
    trained = hashlib.sha256(evidence.train_row_hashes.astype("<u8").tobytes()).hexdigest()
    report = make.facts(
        **{
            "challenger": {"run": "flow/1", "sha256": SHA},
            "champion": CHAMPION if champion else None,
            "data": {"holdout_sha256": evidence.holdout, "train_sha256": trained},
            "scored_at": "2024-05-31T12:00:00+00:00",
            **facts,
        }
    )
    return replace(make.evidence(facts=report, **options), witness=witness)


def judge_provenance(make, evidence: Evidence, *require: str, now: datetime | None = NOW, **keys):
    check = {"kind": "provenance", "require": list(require), **keys}
    return judge(make.policy({"gate": check, "floor": make.checks["threshold"]}), evidence, now=now).outcomes[0]


def test_everything_is_met(make) -> None:
    for champion in (True, False):
        result = judge_provenance(make, trace_evidence(make, champion=champion), *EVERYTHING, max_age="1d")
        assert (result.verdict, result.observed) == (Verdict.PASS, 0)
        assert [part.name for part in result.parts] == [*EVERYTHING, "age"]
        assert {part.verdict for part in result.parts} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("name", "change", "verdict"),
    [
        ("finished", {"witness": None}, "ERROR"),
        ("finished", {"witness": None, "finished": True, "witnessed": {"run": "flow/1"}}, "ERROR"),
        ("model", {"witness": None}, "ERROR"),
        ("model", {"witness": Witness(run="flow/1", model_sha256=None)}, "ERROR"),
        ("model", {"witness": Witness(run="flow/1", model_sha256="b" * 64)}, "FAIL"),
        ("model", {"challenger": {"run": "flow/1", "sha256": "b" * 64}}, "FAIL"),
        ("model", {"challenger": {"run": "flow/1", "sha256": "short"}}, "ERROR"),
        ("model", {"challenger": None}, "ERROR"),
        ("committed", {"code": {"commit": None, "clean": None}}, "FAIL"),
        ("committed", {"code": {"commit": "main", "clean": True}}, "ERROR"),
        ("committed", {"code": None}, "ERROR"),
        ("clean", {"code": {"commit": "c" * 40, "clean": False}}, "FAIL"),
        ("clean", {"code": {"commit": None, "clean": None}}, "FAIL"),
        ("clean", {"code": {"commit": "c" * 40, "clean": "yes"}}, "ERROR"),
        ("champion", {"champion_fact": None}, "FAIL"),
        ("champion", {"champion_fact": {"run": "", "sha256": "a" * 64}}, "ERROR"),
        ("champion", {"champion_fact": {"run": "flow/0"}}, "ERROR"),
        ("data", {"data": {"holdout_sha256": "b" * 64, "train_sha256": "b" * 64}}, "FAIL"),
        ("data", {"data": None}, "ERROR"),
        ("data", {"data": {"holdout_sha256": "b" * 64}}, "ERROR"),
    ],
)
def test_what_is_not_met(make, name: str, change: dict, verdict: str) -> None:
    facts = {key: value for key, value in change.items() if key not in ("witness", "champion_fact")}
    evidence = trace_evidence(make, **({"witness": change["witness"]} if "witness" in change else {}), **facts)
    if "champion_fact" in change:
        evidence = replace(evidence, facts={**evidence.facts, "champion": change["champion_fact"]})
    result = judge_provenance(make, evidence, name)
    assert (result.verdict, [part.name for part in result.parts]) == (verdict, [name])
    assert result.parts[0].message in result.message


def test_other_training_rows(make) -> None:
    evidence = trace_evidence(make)
    other = replace(evidence, train_row_hashes=evidence.train_row_hashes[:-1])
    result = judge_provenance(make, other, "data")
    assert (result.verdict, "the training rows are others" in result.message) == (Verdict.FAIL, True)
    assert judge_provenance(make, replace(evidence, train_row_hashes=None), "data").verdict == Verdict.ERROR


def test_what_was_seen_is_not_in_the_file(make) -> None:
    """Written and read again, evidence has no witness: nothing in it can stand for one."""
    again = Evidence.from_bytes(trace_evidence(make).to_bytes())
    assert again.witness is None
    assert judge_provenance(make, again, "finished").verdict == Verdict.ERROR


@pytest.mark.parametrize(
    ("scored_at", "now", "verdict"),
    [
        ("2024-05-31T00:00:00+00:00", NOW, "PASS"),
        ("2024-05-30T23:59:59+00:00", NOW, "FAIL"),
        ("2024-06-01T00:05:00+00:00", NOW, "PASS"),
        ("2024-06-01T00:05:01+00:00", NOW, "ERROR"),
        ("2024-05-31T00:00:00", NOW, "ERROR"),
        ("2024-05-31T00:00:00+00:00", None, "ERROR"),
        (None, NOW, "ERROR"),
    ],
)
def test_the_age(make, scored_at, now, verdict: str) -> None:
    result = judge_provenance(make, trace_evidence(make, scored_at=scored_at), "committed", now=now, max_age="1d")
    assert result.verdict == result.parts[1].verdict == verdict


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"require": []}, "at least 1 entry"),
        ({"require": ["clean", "clean"]}, "'clean' is required twice; expected each once"),
        ({"require": ["signed"]}, "'finished', 'committed', 'clean', 'model', 'champion' or 'data'"),
        ({"require": ["clean"], "max_age": "0d"}, "'0d' is no duration"),
    ],
)
def test_policy_errors(make, keys, message: str) -> None:
    with pytest.raises(PolicyError) as err:
        Policy.parse(make.mapping({"gate": {"kind": "provenance", **keys}}))
    assert message in str(err.value)
