"""Runs of deployed flows: start one, and list the last ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockgate.gates.errors import DeployError
from lockgate.pipelines.deployment.cluster import WORKFLOWS, Cluster, read_annotations
from lockgate.pipelines.deployment.objects import GROUP, PLURALS, VERSION, Document, ObjectKey
from lockgate.pipelines.deployment.target import FLOWS, DeployTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A workflow as Argo describes it. Times are ISO 8601 in UTC; None if not reached yet."""

    flow: str
    name: str
    phase: str
    started: str | None
    finished: str | None

    @property
    def pathspec(self) -> str:
        """The run as Metaflow names it."""
        return f"{self.flow}/argo-{self.name}"


def find_flow(text: str) -> str:
    """Find a flow by its class or its file, in any case. Raises DeployError."""
    for name, flow in FLOWS.items():
        if text.lower() in (name.lower(), flow.file.removesuffix(".py")):
            return name
    raise DeployError(f"unknown flow {text[:60]!r}", expected=f"one of {', '.join(FLOWS)}")


def start_flow(
    cluster: Cluster, target: DeployTarget, flow: str, values: Mapping[str, str], *, user: str
) -> WorkflowRun:
    """Start a deployed flow, as Metaflow's `argo-workflows trigger` does.

    Raises DeployError if it is not deployed, or has no such parameter.
    """
    name = target.template_names()[flow]
    template = cluster.get(ObjectKey(namespace=cluster.namespace, name=name, plural=PLURALS["WorkflowTemplate"]))
    if template is None:
        raise DeployError(f"{flow} is not deployed", where=str(target), hint="`lockgate deploy` deploys it")
    declared = json.loads(read_annotations(template).get("metaflow/parameters", "{}"))
    unknown = [parameter for parameter in values if parameter not in declared]
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
            "arguments": {
                "parameters": [{"name": parameter, "value": json.dumps(value)} for parameter, value in values.items()]
            },
        },
    }
    return WorkflowRun(flow=flow, name=cluster.submit(workflow), phase="Pending", started=None, finished=None)


def list_last_runs(cluster: Cluster, templates: Mapping[str, str], *, count: int) -> dict[str, list[WorkflowRun]]:
    """The last runs of each flow, newest first. `templates`: the name of each flow's template."""
    flows = {template: flow for flow, template in templates.items()}
    by_flow: dict[str, list[tuple[str, WorkflowRun]]] = {flow: [] for flow in templates}
    for workflow in cluster.list_objects(WORKFLOWS):
        flow = flows.get(workflow.get("spec", {}).get("workflowTemplateRef", {}).get("name", ""))
        if flow:
            by_flow[flow].append((str(workflow["metadata"].get("creationTimestamp", "")), _read_run(flow, workflow)))
    return {flow: [run for _, run in _sort_newest(runs)[:count]] for flow, runs in by_flow.items()}


def _sort_newest(runs: Iterable[tuple[str, WorkflowRun]]) -> list[tuple[str, WorkflowRun]]:
    return sorted(runs, key=lambda timed: (timed[0], timed[1].name), reverse=True)


def _read_run(flow: str, workflow: Document) -> WorkflowRun:
    status: dict[str, Any] = workflow.get("status") or {}
    return WorkflowRun(
        flow=flow,
        name=str(workflow["metadata"]["name"]),
        phase=str(status.get("phase") or "Pending"),
        started=status.get("startedAt"),
        finished=status.get("finishedAt"),
    )
