"""A compiled WorkflowTemplate, executed on this machine pod by pod.

Each pod is the container's own command in a directory, a home and an environment of its own. Its Python has the
packages of this environment but not this checkout: the project's code comes out of the code package, as in a cluster.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sysconfig
import threading
import uuid
import venv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SECONDS = 120
"""How long a pod has."""

# Metaflow writes what a pod hands on to fixed places, which pods here would share.
_OWN_OUTPUTS = """
import builtins, os
_open = builtins.open
def _own(file, *args, **kwargs):
    if isinstance(file, str) and file.startswith("/mnt/out/"):
        file = os.path.join(os.environ["POD_OUT"], file.removeprefix("/mnt/out/"))
    return _open(file, *args, **kwargs)
builtins.open = _own
"""


class CannotBeExecutedError(Exception):
    """Something in the template that this harness does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One attempt of one step."""

    step: str
    attempt: int
    code: int
    out: str  # stdout and stderr, as the cluster's log has them


@dataclass(slots=True, kw_only=True)
class Executed:
    """What became of a workflow. Its Metaflow run is `argo-NAME`."""

    name: str
    flow: str
    succeeded: bool = False
    pods: list[Pod] = field(default_factory=list)

    @property
    def run(self) -> str:
        return f"{self.flow}/argo-{self.name}"

    @property
    def out(self) -> str:
        return "\n".join(f"--- {one.step} ({one.code})\n{one.out}" for one in self.pods)

    def said(self, event: str) -> dict[str, Any]:
        """The JSON line of an event; there must be one."""
        (line,) = [line for line in self.out.splitlines() if line.startswith("{") and f'"event": "{event}"' in line]
        return dict(json.loads(line))


def python_without_the_checkout(folder: Path) -> Path:
    """The bin/ of an environment with the packages of this one, and none that is installed from a checkout."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "packages.pth").write_text(
        sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8"
    )  # its .pth do not count
    (site / "sitecustomize.py").write_text(_OWN_OUTPUTS, encoding="utf-8")
    return folder / "bin"


def execute(
    template: Mapping[str, Any], *, python: Path, node: Mapping[str, str], scratch: Path,
    parameters: Mapping[str, str] | None = None, secrets: Mapping[str, Mapping[str, str]] | None = None,
) -> Executed:  # fmt: skip
    """Run a WorkflowTemplate to its end.

    python: from `python_without_the_checkout`. node: variables that the cluster's nodes give, such as credentials.
    secrets: Kubernetes secrets by name, for `envFrom`. parameters: as Argo submits them.
    """
    flow = template["metadata"]["annotations"]["metaflow/flow_name"]
    return _Workflow(template["spec"], flow, python, node, scratch, parameters or {}, secrets or {}).executed()


class _Workflow:
    def __init__(
        self, spec: Mapping[str, Any], flow: str, python: Path, node: Mapping[str, str], scratch: Path,
        parameters: Mapping[str, str], secrets: Mapping[str, Mapping[str, str]],
    ) -> None:  # fmt: skip
        name = f"w{uuid.uuid4().hex[:12]}"
        self._spec, self._python, self._node, self._secrets = spec, python, node, secrets
        self._scratch, self._taken = scratch, set[int]()
        self._templates = {one["name"]: one for one in spec["templates"]}
        self._parameters = {one["name"]: one.get("value") for one in spec["arguments"]["parameters"]}
        if unknown := set(parameters) - set(self._parameters):
            raise CannotBeExecutedError(f"parameters {unknown}; expected {set(self._parameters)}")
        self._parameters |= parameters
        self._words = {
            "workflow.name": name, "workflow.creationTimestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            **{f"workflow.parameters.{name}": value for name, value in self._parameters.items()},
        }  # fmt: skip
        self._executed, self._lock = Executed(name=name, flow=flow), threading.Lock()

    def executed(self) -> Executed:
        succeeded, _ = self._run(self._spec["entrypoint"], {})
        self._executed.succeeded = succeeded
        return self._executed

    def _run(self, name: str, inputs: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        template = self._templates[name]
        words = {**self._words, **{f"inputs.parameters.{key}": value for key, value in inputs.items()}}
        if "dag" in template:
            return self._dag(template, words)
        if "container" not in template:
            raise CannotBeExecutedError(f"template {name} with {sorted(template)}")
        limit = int(template.get("retryStrategy", {}).get("limit", 0))
        for attempt in range(limit + 1):
            outputs = self._pod(template, {**words, "retries": str(attempt)}, attempt)
            if outputs is not None:
                return True, outputs
        return False, {}

    def _dag(self, template: Mapping[str, Any], words: dict[str, str]) -> tuple[bool, dict[str, str]]:
        words, done = dict(words), set[str]()
        left = list(template["dag"]["tasks"])
        while left:
            task = next((one for one in left if _may_start(one, done)), None)
            if task is None:
                raise CannotBeExecutedError(f"none of {[one['name'] for one in left]} may start after {done}")
            left.remove(task)
            succeeded, outputs = self._task(task, words)
            if not succeeded:  # failFast
                return False, {}
            done.add(task["name"])
            words |= {f"tasks.{task['name']}.outputs.parameters.{key}": value for key, value in outputs.items()}
        given = template.get("outputs", {}).get("parameters", [])
        return True, {one["name"]: _filled(one["valueFrom"]["parameter"], words) for one in given}

    def _task(self, task: Mapping[str, Any], words: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        if unknown := set(task) - {"name", "template", "arguments", "depends", "dependencies", "withParam"}:
            raise CannotBeExecutedError(f"task {task['name']} has {unknown}")
        given = task.get("arguments", {}).get("parameters", [])

        def once(item: str | None) -> tuple[bool, dict[str, str]]:
            held = words if item is None else {**words, "item": item}
            return self._run(task["template"], {one["name"]: _filled(str(one["value"]), held) for one in given})

        if "withParam" not in task:
            return once(None)
        items = [str(item) for item in json.loads(_filled(task["withParam"], words))]
        with ThreadPoolExecutor(2) as workers:
            answers = list(workers.map(once, items))
        names = answers[0][1] if answers else ()
        return all(ok for ok, _ in answers), {
            name: json.dumps([held.get(name) for _, held in answers]) for name in names
        }

    def _pod(self, template: Mapping[str, Any], words: Mapping[str, str], attempt: int) -> dict[str, str] | None:
        """What a pod hands on; None where it failed."""
        container = template["container"]
        with self._free() as folder:
            return self._in_pod(template, container, words, attempt, folder)

    @contextmanager
    def _free(self) -> Iterator[Path]:
        """An empty folder for one pod; the next gets it when this one is done."""
        with self._lock:
            at = next(at for at in itertools.count() if at not in self._taken)
            self._taken.add(at)
        folder = self._scratch / f"pod-{at}"
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("work", "home", "tmp", "out"):
            (folder / name).mkdir(parents=True)
        yield folder
        with self._lock:
            self._taken.remove(at)

    def _in_pod(
        self, template: Mapping[str, Any], container: Mapping[str, Any], words: Mapping[str, str],
        attempt: int, folder: Path,
    ) -> dict[str, str] | None:  # fmt: skip
        *shell, script = [*container["command"], *container["args"]] if container["args"] else container["command"]
        own = _filled(script, words).replace("/tmp/mf-input-paths", str(folder / "mf-input-paths"))
        code, out = _ended([*shell, own], cwd=folder / "work", env=self._environment(container, words, folder))
        with self._lock:
            self._executed.pods.append(Pod(step=template["name"], attempt=attempt, code=code, out=out))
        if code:
            return None
        given = template.get("outputs", {}).get("parameters", [])
        paths = {one["name"]: folder / "out" / one["valueFrom"]["path"].removeprefix("/mnt/out/") for one in given}
        return {name: path.read_text(encoding="utf-8").strip() for name, path in paths.items()}

    def _environment(self, container: Mapping[str, Any], words: Mapping[str, str], folder: Path) -> dict[str, str]:
        given = {one["name"]: one for one in container["env"]}
        held = {
            name: _filled(str(one["value"]), words) for name, one in given.items() if one.get("value") is not None
        } | {name: _field(one["valueFrom"]) for name, one in given.items() if one.get("valueFrom")}
        for one in container.get("envFrom") or ():
            held |= self._secrets[one["secretRef"]["name"]]
        return {
            "PATH": f"{self._python}:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"), "POD_OUT": str(folder / "out"), "METAFLOW_SKIP_INSTALL_DEPENDENCIES": "1",
            "OMP_NUM_THREADS": "1", **self._node, **held,
        }  # fmt: skip


def _may_start(task: Mapping[str, Any], done: set[str]) -> bool:
    wanted = [word.strip() for word in (task.get("depends") or "").split("&&") if word.strip()]
    if any(not re.fullmatch(r"[A-Za-z0-9_-]+\.Succeeded", word) for word in wanted):
        raise CannotBeExecutedError(f"task {task['name']} depends on {task['depends']!r}")
    return {word.removesuffix(".Succeeded") for word in wanted} | set(task.get("dependencies") or ()) <= done


def _filled(text: str, words: Mapping[str, str]) -> str:
    """`{{word}}` and `{{=toBase64(workflow.parameters['x'])}}`, as Argo fills them in."""

    def word(found: re.Match[str]) -> str:
        name = found[1]
        if encoded := re.fullmatch(r"=toBase64\(workflow\.parameters\['([^']+)'\]\)", name):
            return base64.b64encode(words[f"workflow.parameters.{encoded[1]}"].encode()).decode()
        if name not in words:
            raise CannotBeExecutedError(f"{found[0]} is none of {sorted(words)}")
        return words[name]

    return re.sub(r"\{\{(.*?)\}\}", word, text)


def _field(source: Mapping[str, Any]) -> str:
    """What Kubernetes says of a pod."""
    if path := (source.get("fieldRef") or {}).get("fieldPath"):
        return {"status.hostIP": "127.0.0.1"}.get(path, path.rpartition(".")[2])
    raise CannotBeExecutedError(f"a variable from {source}")


def _ended(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """The exit code and all that was said; who takes too long is killed with all that it started."""
    with subprocess.Popen(
        command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as pod:  # fmt: skip
        try:
            out, _ = pod.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(pod.pid, signal.SIGKILL)
            out, _ = pod.communicate()
            return -signal.SIGKILL, out
        return pod.returncode, out
