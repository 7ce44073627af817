"""lockgate's gate engine: declared criteria, evidence in, a decision out. Knows nothing of flows or frameworks.

    from gates import Policy, Evidence, judge

    policy = Policy.parse(mapping)
    evidence = Evidence.from_arrays(label=…, challenger=…, champion=…, cluster=…)
    decision = judge(policy, evidence)
    decision.verdict, decision.outcomes[0].message

What is exported is imported when it is first asked for: NumPy, SciPy and Arrow are not loaded by `import gates`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gates.decision import Decision
    from gates.engine import judge
    from gates.errors import LockgateError
    from gates.evidence import Evidence
    from gates.outcome import Outcome, Ruling, Verdict
    from gates.policy import Policy
    from gates.row_ids import hash_row_ids
    from gates.state import State

METAFLOW_PACKAGE_POLICY = "include"  # travel with the code package under this name

_HOME = {
    "Decision": "decision", "Evidence": "evidence", "LockgateError": "errors", "Outcome": "outcome", "Policy": "policy",
    "Ruling": "outcome", "State": "state", "Verdict": "outcome", "hash_row_ids": "row_ids", "judge": "engine",
}  # fmt: skip

__all__ = [
    "Decision", "Evidence", "LockgateError", "Outcome", "Policy", "Ruling", "State", "Verdict", "hash_row_ids", "judge",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gates' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"gates.{_HOME[name]}"), name)
