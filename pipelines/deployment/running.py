"""Runs of what is deployed: starting one, and what became of the last ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.gates.errors import DeployError
from lockgate.pipelines.deployment.cluster import WORKFLOWS, Cluster, notes
from lockgate.pipelines.deployment.objects import GROUP, PLURALS, VERSION, Document, Key
from lockgate.pipelines.deployment.target import FLOWS, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A workflow, as Argo tells of it. Times are ISO 8601, UTC; None where it has not come to that."""

    flow: str
    name: str
    phase: str
    started: str | None
    finished: str | None

    @property
    def pathspec(self) -> str:
        """The run as Metaflow names it."""
        return f"{self.flow}/argo-{self.name}"


def flow_named(text: str) -> str:
    """The flow that is meant: Predict, predict, or its file. Raises DeployError."""
    for name, flow in FLOWS.items():
        if text.lower() in (name.lower(), flow.file.removesuffix(".py")):
            return name
    raise DeployError(f"there is no flow {text[:60]!r}", expected=f"one of {', '.join(FLOWS)}")


def start(cluster: Cluster, target: Target, flow: str, given: Mapping[str, str], *, user: str) -> Run:
    """Start what is deployed of a flow, as Metaflow's `argo-workflows trigger` does.

    Raises DeployError where it is not deployed, or takes no such parameter.
    """
    name = target.template_names()[flow]
    template = cluster.get(Key(namespace=cluster.namespace, name=name, plural=PLURALS["WorkflowTemplate"]))
    if template is None:
        raise DeployError(f"{flow} is not deployed", where=str(target), hint="`lockgate deploy` deploys it")
    declared = json.loads(notes(template).get("metaflow/parameters", "{}"))
    unknown = [one for one in given if one not in declared]
    if unknown:
        raise DeployError(f"{flow} has no parameter {unknown[0]!r}", expected=f"one of {', '.join(sorted(declared))}")
    workflow = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{name}-",
            "annotations": {"metaflow/triggered_by_user": json.dumps({"type": "user", "name": user})},
        },
        "spec": {
            "workflowTemplateRef": {"name": name},
            "arguments": {"parameters": [{"name": one, "value": json.dumps(value)} for one, value in given.items()]},
        },
    }
    return Run(flow=flow, name=cluster.submit(workflow), phase="Pending", started=None, finished=None)


def last(cluster: Cluster, templates: Mapping[str, str], *, count: int) -> dict[str, list[Run]]:
    """The last runs of each flow, newest first; `templates` says the name of each flow's template."""
    flows = {template: flow for flow, template in templates.items()}
    found: dict[str, list[tuple[str, Run]]] = {flow: [] for flow in templates}
    for one in cluster.listed(WORKFLOWS):
        flow = flows.get(one.get("spec", {}).get("workflowTemplateRef", {}).get("name", ""))
        if flow:
            found[flow].append((str(one["metadata"].get("creationTimestamp", "")), _run(flow, one)))
    return {flow: [run for _, run in _newest(runs)[:count]] for flow, runs in found.items()}


def _newest(runs: Iterable[tuple[str, Run]]) -> list[tuple[str, Run]]:
    return sorted(runs, key=lambda one: (one[0], one[1].name), reverse=True)


def _run(flow: str, workflow: Document) -> Run:
    status: dict[str, Any] = workflow.get("status") or {}
    return Run(
        flow=flow,
        name=str(workflow["metadata"]["name"]),
        phase=str(status.get("phase") or "Pending"),
        started=status.get("startedAt"),
        finished=status.get("finishedAt"),
    )
