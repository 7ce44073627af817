"""The in-toto statement, held against the field lists of in-toto's Statement v1 and SLSA's verification summary 1.1."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from lockgate import Decision, judge
from lockgate.gates.errors import LockgateError
from lockgate.gates.records.outcome import Ruling
from lockgate.gates.report.statement import PREDICATE_TYPE, STATEMENT_TYPE, build_statement

NOON = datetime(2024, 5, 1, 12, 0, 0, 5, tzinfo=UTC)
URI = {"type": "string", "pattern": r"^[a-z][a-z0-9+.-]*:[^\s]+$"}  # RFC 3986: a scheme, and no blank
DIGEST = {
    "type": "object",
    "minProperties": 1,
    "properties": {"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
    "additionalProperties": False,
}
PUBLISHED = {
    "type": "object",
    "required": ["_type", "subject", "predicateType", "predicate"],
    "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["digest"],
                "additionalProperties": False,
                "properties": {"name": {"type": "string", "minLength": 1}, "digest": DIGEST},
            },
        },
        "predicateType": {"const": "https://slsa.dev/verification_summary/v1"},
        "predicate": {
            "type": "object",
            "required": [
                "verifier",
                "timeVerified",
                "resourceUri",
                "policy",
                "verificationResult",
                "verifiedLevels",
            ],
            "additionalProperties": False,
            "properties": {
                "verifier": {
                    "type": "object",
                    "required": ["id"],
                    "additionalProperties": False,
                    "properties": {"id": URI},
                },
                "timeVerified": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                "resourceUri": URI,
                "policy": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    "properties": {"uri": URI, "digest": DIGEST},
                },
                "inputAttestations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["digest"],
                        "additionalProperties": False,
                        "properties": {"uri": URI, "digest": DIGEST},
                    },
                },
                "verificationResult": {"enum": ["PASSED", "FAILED"]},
                "verifiedLevels": {
                    "type": "array",
                    "items": {"type": "string", "pattern": "^(?!SLSA_(?!BUILD_LEVEL_[0-3]$))"},
                },
                "dependencyLevels": {"type": "object"},
                "slsaVersion": {"type": "string", "pattern": r"^\d+\.\d+$"},
            },
        },
    },
}


def make_statement(decision: Decision, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "name": "orders/xgb",
        "project": "orders",
        "on_record": True,
        "policy_sha256": "a" * 64,
        "evidence_sha256": "b" * 64,
        "time": NOON,
    }
    return build_statement(decision, **(arguments | changes))


@pytest.fixture(scope="module")
def decision(make: Any) -> Decision:
    facts = make.facts(challenger={"run": "EvaluateNewModel/17", "model": "xgb", "sha256": "c" * 64})
    return judge(make.policy(), make.evidence(champion=None, facts=facts), now=NOON)


def test_it_has_the_published_fields_and_no_others(decision: Decision) -> None:
    statement = make_statement(decision)
    jsonschema.Draft202012Validator(PUBLISHED).validate(json.loads(json.dumps(statement)))
    assert (statement["_type"], statement["predicateType"]) == (STATEMENT_TYPE, PREDICATE_TYPE)
    assert statement["subject"] == [{"name": "orders/xgb", "digest": {"sha256": "c" * 64}}]
    predicate = statement["predicate"]
    assert predicate["inputAttestations"] == [
        {"uri": "metaflow:EvaluateNewModel/17/evidence", "digest": {"sha256": "b" * 64}}
    ]
    assert predicate["policy"]["uri"] == f"lockgate:orders/policies/{'a' * 64}.json"
    assert (predicate["timeVerified"], predicate["resourceUri"]) == ("2024-05-01T12:00:00Z", "lockgate:orders/champion")


def test_passed_is_promote_and_failed_is_all_else(decision: Decision) -> None:
    predicates = {
        ruling: make_statement(decision.model_copy(update={"verdict": ruling}))["predicate"] for ruling in Ruling
    }
    assert {ruling: predicate["verificationResult"] for ruling, predicate in predicates.items()} == {
        Ruling.PROMOTE: "PASSED",
        Ruling.HOLD: "FAILED",
        Ruling.INCONCLUSIVE: "FAILED",
        Ruling.ERROR: "FAILED",
    }
    assert predicates[Ruling.PROMOTE]["verifiedLevels"] == ["LOCKGATE_PROMOTED"]
    assert predicates[Ruling.HOLD]["verifiedLevels"] == ["FAILED"]


def test_advice_is_about_another_resource_than_a_promotion(decision: Decision) -> None:
    assert make_statement(decision, on_record=False)["predicate"]["resourceUri"] == "lockgate:orders/advice"


def test_a_sealed_decision_tells_promoted_or_not_and_nothing_else(decision: Decision) -> None:
    statements = [
        make_statement(decision.model_copy(update={"verdict": ruling}).seal())
        for ruling in (Ruling.HOLD, Ruling.INCONCLUSIVE, Ruling.ERROR)
    ]
    assert statements[0] == statements[1] == statements[2]
    text = json.dumps(make_statement(decision))
    assert not any(outcome.rule in text or outcome.message in text for outcome in decision.outcomes)
    assert decision.reason not in text


def test_times_are_told_in_utc(decision: Decision) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert make_statement(decision, time=elsewhere) == make_statement(decision)
    with pytest.raises(LockgateError, match="no time zone"):
        make_statement(decision, time=NOON.replace(tzinfo=None))


def test_without_a_model_there_is_no_statement(make: Any) -> None:
    with pytest.raises(LockgateError, match="does not say which model"):
        make_statement(judge(make.policy(), make.evidence()))


@pytest.mark.parametrize("run", ["x y", "a/b/c", "a/b\nc", "https://x/y?z", ""])
def test_a_run_that_is_no_pathspec_is_not_made_part_of_an_address(decision: Decision, run: str) -> None:
    odd = decision.model_copy(update={"binding": decision.binding.model_copy(update={"run": run})})
    (attestation,) = make_statement(odd)["predicate"]["inputAttestations"]
    assert re.fullmatch(r"lockgate:orders/evidence/[0-9a-f]{64}", attestation["uri"])
