"""A decision as an in-toto statement, a SLSA verification summary, which others can sign and check.

Statement: https://in-toto.io/Statement/v1. Predicate: https://slsa.dev/verification_summary/v1, fields as in SLSA 1.1.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from lockgate.gates.durations import convert_to_utc
from lockgate.gates.errors import LockgateError
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Ruling

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
SLSA_VERSION = "1.1"
PROMOTED = "LOCKGATE_PROMOTED"
"""The verified level of what passed. SLSA reserves only names that start with SLSA_."""

FAILED = "FAILED"

_PATHSPEC = re.compile(r"[A-Za-z0-9_]+/[A-Za-z0-9_-]+")


def build_statement(
    decision: Decision,
    *,
    name: str,
    project: str,
    on_record: bool,
    policy_sha256: str,
    evidence_sha256: str,
    time: datetime,
) -> dict[str, Any]:
    """The statement about the challenger's bytes: PASSED where the decision is PROMOTE, FAILED otherwise.

    It contains no gate, number or reason, so that it reveals nothing that a sealed decision hides.

    Args:
        decision: as it is reported, sealed or not.
        name: of the model, which is the subject.
        project: whose champion the model would be.
        on_record: whether the decision is in the log. Advice names another resource and cannot pass for a promotion.
        policy_sha256: of the policy's bytes, as they are kept beside the log.
        evidence_sha256: of the evidence file.
        time: of the judgement, with a time zone.

    Raises:
        LockgateError: the evidence does not have the model's digest, or the time has no zone.
    """
    model = decision.binding.model
    if model is None:
        raise LockgateError(
            "no statement can be made: the evidence does not say which model it is about",
            expected="the SHA-256 of its bytes",
            where="facts.challenger.sha256",
        )
    if time.tzinfo is None:
        raise LockgateError("the time of the judgement has no time zone", expected="an aware datetime")
    passed = decision.verdict is Ruling.PROMOTE
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": model}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "verifier": {"id": f"pkg:generic/lockgate@{decision.binding.engine}"},
            "timeVerified": convert_to_utc(time).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "resourceUri": f"lockgate:{project}/{'champion' if on_record else 'advice'}",
            "policy": {
                "uri": f"lockgate:{project}/policies/{policy_sha256}.json",
                "digest": {"sha256": policy_sha256},
            },
            "inputAttestations": [
                {"uri": _evidence_uri(decision, project), "digest": {"sha256": evidence_sha256}},
            ],
            "verificationResult": "PASSED" if passed else FAILED,
            "verifiedLevels": [PROMOTED if passed else FAILED],
            "slsaVersion": SLSA_VERSION,
        },
    }


def _evidence_uri(decision: Decision, project: str) -> str:
    """Where the evidence is: an artifact of the run; for a file, the digest of its rows."""
    run = decision.binding.run
    is_pathspec = run is not None and _PATHSPEC.fullmatch(run)
    return f"metaflow:{run}/evidence" if is_pathspec else f"lockgate:{project}/evidence/{decision.binding.holdout}"
