"""A compiled WorkflowTemplate, executed on this machine pod by pod.

Each pod is the container's own command in a directory, a home and an environment of its own. Its Python has the
packages of this environment but not this checkout: the project's code comes out of the code package, as in a cluster.
What a template may say is what Metaflow's compiler emits for steps, branches, foreach, retries and the exit handler;
anything else, `@parallel`, switches and lifecycle hooks among it, raises CannotBeExecutedError. Nobody waits between
retries, and a branch is executed after the other.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.harness.argo.node import Node, python_without_the_checkout
from tests.harness.argo.templating import CannotBeExecutedError, Words, fill_in, holds, may_start

__all__ = ["CannotBeExecutedError", "Pod", "WorkflowRun", "execute", "python_without_the_checkout"]

POD_TIMEOUT_S = 900
"""How long a pod has."""

_TASK = {"name", "template", "arguments", "depends", "dependencies", "withParam", "when"}
TaskResult = tuple[bool, dict[str, str]]
"""Whether it succeeded, and its output parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One attempt of one step."""

    name: str
    step: str
    attempt: int
    code: int  # −9: it took too long
    out: str  # stdout and stderr, as the cluster's log has them


@dataclass(slots=True, kw_only=True)
class WorkflowRun:
    """What became of a workflow, its pods in the order in which they ended. Its Metaflow run is `argo-NAME`."""

    name: str
    flow: str
    succeeded: bool = False
    pods: list[Pod] = field(default_factory=list)

    @property
    def status(self) -> str:
        return "Succeeded" if self.succeeded else "Failed"

    @property
    def run(self) -> str:
        return f"{self.flow}/argo-{self.name}"

    @property
    def out(self) -> str:
        return "\n".join(f"--- {pod.step} ({pod.code})\n{pod.out}" for pod in self.pods)

    def find_event(self, event: str) -> dict[str, Any]:
        """The JSON line of an event; there must be one."""
        (line,) = [line for line in self.out.splitlines() if line.startswith("{") and f'"event": "{event}"' in line]
        return dict(json.loads(line))


def execute(
    template: Mapping[str, Any],
    *,
    python: Path,
    node: Mapping[str, str],
    scratch: Path,
    parameters: Mapping[str, str] | None = None,
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    at_once: int = 2,
    seconds: float = POD_TIMEOUT_S,
) -> WorkflowRun:
    """Run a WorkflowTemplate to its end.

    python: from `python_without_the_checkout`. node: variables that the cluster's nodes give, such as credentials.
    secrets: Kubernetes secrets by name, for `envFrom`. parameters: as Argo submits them. at_once: pods. seconds: that
    each of them has.
    """
    on = Node(python=python, scratch=scratch, environment=node, at_once=at_once, seconds=seconds)
    return _Workflow(template, on, parameters or {}, secrets or {}).execute()


class _Workflow:
    def __init__(
        self,
        template: Mapping[str, Any],
        node: Node,
        parameters: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]],
    ) -> None:
        metadata, self._spec = template["metadata"], template["spec"]
        self._namespace = metadata.get("namespace", "default")
        self._node, self._secrets = node, secrets
        self._templates = {template["name"]: template for template in self._spec["templates"]}
        name, created = f"w{uuid.uuid4().hex[:12]}", datetime.now(UTC)
        self._words = {
            "workflow.name": name,
            "workflow.namespace": self._namespace,
            "workflow.creationTimestamp": f"{created:%Y-%m-%dT%H:%M:%SZ}",
            **{f"workflow.parameters.{name}": value for name, value in self._merge_parameters(parameters).items()},
        }
        self._result, self._lock = (
            WorkflowRun(name=name, flow=metadata["annotations"]["metaflow/flow_name"]),
            threading.Lock(),
        )
        self._failures: list[dict[str, str]] = []

    def _merge_parameters(self, parameters: Mapping[str, str]) -> dict[str, str]:
        values = {
            parameter["name"]: parameter.get("value")
            for parameter in self._spec.get("arguments", {}).get("parameters", [])
        }
        if unknown := set(parameters) - set(values):
            raise CannotBeExecutedError(f"parameters {unknown}; expected {set(values)}")
        values |= parameters
        if missing := [name for name, value in values.items() if value is None]:
            raise CannotBeExecutedError(f"no value of parameters {missing}")
        return values

    def execute(self) -> WorkflowRun:
        if self._spec.get("hooks"):
            raise CannotBeExecutedError(f"hooks {sorted(self._spec['hooks'])}")
        self._result.succeeded, _ = self._run(self._spec["entrypoint"], {})
        if handler := self._spec.get("onExit"):
            failures = json.dumps(json.dumps(self._failures))
            self._words |= {"workflow.status": self._result.status, "workflow.failures": failures}
            handled, _ = self._run(handler, {})
            self._result.succeeded &= handled
        return self._result

    def _run(self, name: str, inputs: Mapping[str, str]) -> TaskResult:
        template = self._templates[name]
        words = {**self._words, **{f"inputs.parameters.{key}": value for key, value in inputs.items()}}
        if "dag" in template:
            return self._dag(template, words)
        if "steps" in template:
            return all(self._task(task, words)[0] for group in template["steps"] for task in group), {}
        if "container" not in template:
            raise CannotBeExecutedError(f"template {name} with {sorted(template)}")
        return self._pods(template, words)

    def _dag(self, template: Mapping[str, Any], words: Words) -> TaskResult:
        words, finished = dict(words), set[str]()
        waiting = list(template["dag"]["tasks"])
        while waiting:
            task = next((candidate for candidate in waiting if may_start(candidate, finished)), None)
            if task is None:
                raise CannotBeExecutedError(
                    f"none of {[candidate['name'] for candidate in waiting]} may start after {finished}"
                )
            waiting.remove(task)
            succeeded, outputs = self._task(task, words)
            if not succeeded:  # failFast
                return False, {}
            finished.add(task["name"])
            words |= {f"tasks.{task['name']}.outputs.parameters.{key}": value for key, value in outputs.items()}
        handed_on = template.get("outputs", {}).get("parameters", [])
        return True, {parameter["name"]: fill_in(parameter["valueFrom"]["parameter"], words) for parameter in handed_on}

    def _task(self, task: Mapping[str, Any], words: Words) -> TaskResult:
        if unknown := set(task) - _TASK:
            raise CannotBeExecutedError(f"task {task['name']} has {unknown}")
        if not holds(fill_in(task.get("when") or "", words)):
            return True, {}
        arguments = task.get("arguments", {}).get("parameters", [])
        failed = threading.Event()

        def once(item: str | None) -> TaskResult:
            if failed.is_set():  # failFast
                return False, {}
            item_words = words if item is None else {**words, "item": item}
            result = self._run(
                task["template"],
                {argument["name"]: fill_in(str(argument["value"]), item_words) for argument in arguments},
            )
            if not result[0]:
                failed.set()
            return result

        if "withParam" not in task:
            return once(None)
        items = [
            item if isinstance(item, str) else json.dumps(item)
            for item in json.loads(fill_in(task["withParam"], words))
        ]
        with ThreadPoolExecutor(self._node.at_once) as workers:
            answers = list(workers.map(once, items))
        names = answers[0][1] if answers else ()
        gathered = {name: json.dumps([outputs.get(name) for _, outputs in answers]) for name in names}
        return all(ok for ok, _ in answers), gathered

    def _pods(self, template: Mapping[str, Any], words: Words) -> TaskResult:
        """One pod, and as many more as it may have retries, until one succeeds."""
        limit = int((template.get("retryStrategy") or {}).get("limit", 0))
        container = template["container"]
        command = [*container["command"], *(container.get("args") or ())]
        outputs = template.get("outputs", {}).get("parameters", [])
        paths = {parameter["name"]: parameter["valueFrom"]["path"] for parameter in outputs}
        for attempt in range(limit + 1):
            attempt_words = {**words, "retries": str(attempt)} if "retryStrategy" in template else words
            name = f"{self._result.name}-{template['name']}-{uuid.uuid4().hex[:8]}"
            environment = self._environment(container, attempt_words, name)
            code, output, values = self._node.run(
                [fill_in(word, attempt_words) for word in command], environment, paths
            )
            pod = Pod(name=name, step=template["name"], attempt=attempt, code=code, out=output)
            with self._lock:
                self._result.pods.append(pod)
                if code:
                    self._failures.append(_failure(pod))
            if not code:
                return True, values
        return False, {}

    def _environment(self, container: Mapping[str, Any], words: Words, pod: str) -> dict[str, str]:
        variables: dict[str, str] = {}
        for entry in container.get("envFrom") or ():
            secret = entry["secretRef"]["name"]
            if secret not in self._secrets:
                raise CannotBeExecutedError(f"secret {secret}; expected one of {sorted(self._secrets)}")
            variables |= self._secrets[secret]
        pod_fields = {
            "metadata.namespace": self._namespace,
            "metadata.name": pod,
            "metadata.uid": str(uuid.uuid4()),
            "spec.serviceAccountName": "default",
            "status.hostIP": "127.0.0.1",
        }
        for entry in container.get("env") or ():
            if source := entry.get("valueFrom"):
                path = (source.get("fieldRef") or {}).get("fieldPath")
                if path not in pod_fields:
                    raise CannotBeExecutedError(f"variable {entry['name']} from {source}")
                variables[entry["name"]] = pod_fields[path]
            elif entry.get("value") is not None:
                variables[entry["name"]] = fill_in(str(entry["value"]), words)
        return variables


def _failure(pod: Pod) -> dict[str, str]:
    """As Argo tells an exit handler of it."""
    return {
        "displayName": pod.step,
        "templateName": pod.step,
        "podName": pod.name,
        "phase": "Failed",
        "message": f"Error (exit code {pod.code})",
        "finishedAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
