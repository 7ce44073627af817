"""Which gates what is planted in scores can reach, and what the others say."""

from __future__ import annotations

from datetime import datetime

from lockgate.gates.errors import PolicyError
from lockgate.gates.evidence.evidence import Evidence
from lockgate.gates.judge.engine import judge
from lockgate.gates.kinds import AnyCheck
from lockgate.gates.kinds.any_of import AnyOf
from lockgate.gates.kinds.drift import Drift
from lockgate.gates.policy.policy import Policy
from lockgate.gates.selftest.record import Once

OF_THE_RUN = ("provenance", "parity")
"""Kinds that judge where the evidence comes from: no row shows that, so they are left out."""

OF_FACTS = ("data", "resource")
"""Kinds that nothing planted in scores reaches, as feature drift: they are judged once, on the evidence as it is."""


def of_rows(
    policy: Policy, evidence: Evidence, now: datetime | None
) -> tuple[Policy, tuple[Once, ...], tuple[str, ...]]:
    """The gates that look at rows; what those say that read facts; the names of those that judge the run."""
    apart = {name: {_reads(one) for one in _alternatives(check)} for name, check in policy.checks.items()}
    kept = {name: check for name, check in policy.checks.items() if apart[name] == {"rows"}}
    if not any(check.severity == "block" for check in kept.values()):
        said = "no blocking gate looks at scores: there is nothing to try; expected one that does"
        raise PolicyError([f"{said} @ gate.checks"])
    of_facts = {name: check for name, check in policy.checks.items() if apart[name] - {"rows"} == {"facts"}}
    seen = judge(policy.model_copy(update={"checks": of_facts}), evidence, now=now).outcomes
    once = tuple(
        Once(name=one.name, severity=one.severity, verdict=str(one.verdict), message=one.message) for one in seen
    )
    left_out = tuple(name for name in policy.checks if "run" in apart[name])
    return policy.model_copy(update={"checks": kept}), once, left_out


def _alternatives(check: AnyCheck) -> tuple[AnyCheck, ...]:
    return tuple(check.checks.values()) if isinstance(check, AnyOf) else (check,)


def _reads(check: AnyCheck) -> str:
    if check.kind in OF_THE_RUN:
        return "run"
    features = isinstance(check, Drift) and check.of == "features"  # counted in the holdout, not in drawn rows
    return "facts" if check.kind in OF_FACTS or features else "rows"
