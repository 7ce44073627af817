"""lockgate: a policy and evidence in, a decision out; and the pipeline that promotes models that pass.

    from lockgate import Policy, Evidence, judge

    policy = Policy.parse(mapping)
    evidence = Evidence.from_arrays(label=…, challenger=…, champion=…, cluster=…)
    decision = judge(policy, evidence)
    decision.verdict, decision.outcomes[0].message

Exports are imported on first use, so that `import lockgate` does not load NumPy, SciPy and Arrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lockgate.gates.errors import LockgateError
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.evidence.row_ids import hash_row_ids
    from lockgate.gates.judge.engine import judge
    from lockgate.gates.policy.policy import Policy
    from lockgate.gates.records.decision import Decision
    from lockgate.gates.records.outcome import Outcome, Ruling, Verdict
    from lockgate.gates.records.state import State

METAFLOW_PACKAGE_POLICY = "include"
"""Metaflow copies this package, under its own name, into the code package of a flow that imports it."""

_MODULE_OF = {
    "Decision": "records.decision",
    "Evidence": "evidence.evidence",
    "LockgateError": "errors",
    "Outcome": "records.outcome",
    "Policy": "policy.policy",
    "Ruling": "records.outcome",
    "State": "records.state",
    "Verdict": "records.outcome",
    "hash_row_ids": "evidence.row_ids",
    "judge": "judge.engine",
}

__all__ = [
    "Decision",
    "Evidence",
    "LockgateError",
    "Outcome",
    "Policy",
    "Ruling",
    "State",
    "Verdict",
    "hash_row_ids",
    "judge",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lockgate' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"lockgate.gates.{_MODULE_OF[name]}"), name)
