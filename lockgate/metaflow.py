"""`@gated`: a step decorator of Metaflow that makes a run of your own flow one that `lockgate judge` judges.

    @gated(project="churn")
    @step
    def score(self):
        reigning = lockgate.champion("churn")      # its model's bytes and format, or None
        lockgate.evidence(label=…, challenger=…, champion=…, row_id=…, model=…, format=…)
        self.next(self.end)

docs/own-flow.md shows a whole flow.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metaflow import FlowSpec, current

import lockgate
from lockgate.gates.errors import EvidenceError, SettingsError
from lockgate.gates.runs import metaflow_api
from lockgate.pipelines.flows.output import fail_in_one_line
from lockgate.pipelines.gating.task import GatedTask, close_task, open_task
from lockgate.pipelines.settings.governance import find_project_file
from lockgate.pipelines.settings.scope import PROJECT_FILE, find_scope

_ARTIFACTS = ("evidence", "facts", "model")


class gated(*metaflow_api.list_decorator_bases()):  # type: ignore[misc]  # noqa: N801 (as Metaflow's own)
    """Keep what the step says by `lockgate.evidence` as the artifacts that a judge reads.

    With `--with lockgate.metaflow.gated:project=NAME` every step is decorated, and one of them gives the evidence. A
    step that is decorated in the code must give it. An error of lockgate ends the step in one line.
    """

    _allowed_args = False
    _allowed_kwargs = True
    _project: Any = ""
    _others: Mapping[str, Any] = MappingProxyType({})  # before 2.19, `--with` without arguments calls no `init`

    def init(self, *, project: str = "", **others: Any) -> None:
        """project: as in `lockgate.yaml`."""
        self._project, self._others = project, others

    def pre_step(self, step_name: str, flow: FlowSpec, inputs: Any = None) -> None:  # noqa: ARG002 (Metaflow's)
        run = f"{current.flow_name}/{current.run_id}"
        with fail_in_one_line():
            if self._others or not isinstance(self._project, str) or not self._project:
                wrong = ", ".join(sorted(self._others)) or "no project"
                raise SettingsError(f"@gated has {wrong}", expected='@gated(project="NAME")', where=run)
            _check_package(run)
            open_task(
                GatedTask(
                    project=self._project,
                    run=run,
                    step=step_name,
                    folder=Path(inspect.getfile(type(flow))).resolve().parent,
                    in_foreach=bool(flow.foreach_stack()),
                )
            )

    def post_step(self, step_name: str, flow: FlowSpec, exception: Exception | None = None) -> Any:  # noqa: ARG002 (Metaflow's)
        task = close_task()
        with fail_in_one_line():
            if isinstance(exception, lockgate.LockgateError):
                raise exception
            if exception is None:
                self._keep_artifacts(flow, task)
        return exception

    def add_to_package(self) -> Iterator[tuple[str, str, Any]]:
        """`lockgate.yaml`, which says in a pod where the log is."""
        file = find_project_file(Path.cwd())
        if file is not None:
            yield metaflow_api.describe_user_file(file, PROJECT_FILE)

    def _keep_artifacts(self, flow: FlowSpec, task: GatedTask) -> None:
        if task.evaluated is None:
            if metaflow_api.is_written_in_code(self):
                raise EvidenceError(
                    "the gated step gave no evidence", expected="`lockgate.evidence(…)` in it", where=task.where
                )
            return
        for name in _ARTIFACTS:
            value = getattr(task.evaluated, name)
            if hasattr(flow, name) and not (
                isinstance(getattr(flow, name), type(value)) and getattr(flow, name) == value
            ):
                raise EvidenceError(
                    f"the flow has an artifact `{name}` already",
                    expected="the name to be free for what the judge reads",
                    where=task.where,
                    hint="rename yours; of several gated steps one gives the evidence",
                )
            setattr(flow, name, value)


def _check_package(run: str) -> None:
    """Raise SettingsError where there is no configuration, as in a pod if Metaflow has left `lockgate.yaml` out."""
    if not metaflow_api.can_add_files() and find_scope() is None:
        raise SettingsError(
            f"there is no {PROJECT_FILE} here, and {metaflow_api.describe_version()} adds none to a code package",
            expected="metaflow 2.19.23 or later, which does",
            where=run,
            hint="with an older one: `--package-suffixes .yaml` before `run`, with the file beside the flow's",
        )
