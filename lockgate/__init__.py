"""lockgate: a policy and evidence in, a decision out; and the pipeline that promotes models that pass.

    from lockgate import Policy, Evidence, judge

    policy = Policy.parse(mapping)
    evidence = Evidence.from_arrays(label=…, challenger=…, champion=…, cluster=…)
    decision = judge(policy, evidence)
    decision.verdict, decision.outcomes[0].message

In a flow of your own (docs/own-flow.md): `evidence` in a step that is `gated` (`lockgate.metaflow`), `champion` beside
it, `judge_run` when the run has finished, and `admit` before a champion serves; `read_results` reads what other tools
wrote (docs/evaluations.md).

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
    from lockgate.pipelines.gating.champions import AdmittedModel, ChampionModel, admit, champion, judge_run
    from lockgate.pipelines.gating.evidence import evidence
    from lockgate.pipelines.results.reading import read_results

METAFLOW_PACKAGE_POLICY = "include"
"""Metaflow copies this package, under its own name, into the code package of a flow that imports it."""

_MODULE_OF = {
    "AdmittedModel": "pipelines.gating.champions",
    "ChampionModel": "pipelines.gating.champions",
    "Decision": "gates.records.decision",
    "Evidence": "gates.evidence.evidence",
    "LockgateError": "gates.errors",
    "Outcome": "gates.records.outcome",
    "Policy": "gates.policy.policy",
    "Ruling": "gates.records.outcome",
    "State": "gates.records.state",
    "Verdict": "gates.records.outcome",
    "admit": "pipelines.gating.champions",
    "champion": "pipelines.gating.champions",
    "evidence": "pipelines.gating.evidence",
    "hash_row_ids": "gates.evidence.row_ids",
    "judge": "gates.judge.engine",
    "judge_run": "pipelines.gating.champions",
    "read_results": "pipelines.results.reading",
}

__all__ = [
    "AdmittedModel",
    "ChampionModel",
    "Decision",
    "Evidence",
    "LockgateError",
    "Outcome",
    "Policy",
    "Ruling",
    "State",
    "Verdict",
    "admit",
    "champion",
    "evidence",
    "hash_row_ids",
    "judge",
    "judge_run",
    "read_results",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lockgate' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"lockgate.{_MODULE_OF[name]}"), name)
