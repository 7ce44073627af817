"""Which gates a selftest can try, and what becomes of the others."""

from __future__ import annotations

from datetime import datetime

from lockgate.gates.errors import PolicyError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.gate.check import Reads
from lockgate.gates.judge.engine import judge
from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest.record import JudgedOnce

DRAWN = frozenset({Reads.CHALLENGER, Reads.BOTH_MODELS, Reads.ROW_IDS})
"""What differs between trials. Gates that also read facts are judged once, on the evidence as it is; those that judge
where the evidence comes from are left out, since no drawn row shows that."""


def select_tried_gates(
    policy: Policy, evidence: Evidence, now: datetime | None
) -> tuple[Policy, tuple[JudgedOnce, ...], tuple[str, ...]]:
    """The policy with the gates that can be tried; those that read facts, judged once; names of those left out."""
    tried = {name: check for name, check in policy.checks.items() if check.sources <= DRAWN}
    if not any(check.severity == "block" for check in tried.values()):
        problem = "no blocking gate looks at scores: there is nothing to try; expected one that does"
        raise PolicyError([f"{problem} @ gate.checks"])
    of_facts = {name: check for name, check in policy.checks.items() if check.sources - DRAWN == {Reads.FACTS}}
    outcomes = judge(policy.model_copy(update={"checks": of_facts}), evidence, now=now).outcomes
    once = tuple(
        JudgedOnce(name=outcome.name, severity=outcome.severity, verdict=str(outcome.verdict), message=outcome.message)
        for outcome in outcomes
    )
    left_out = tuple(name for name, check in policy.checks.items() if Reads.RUN in check.sources)
    return policy.model_copy(update={"checks": tried}), once, left_out
