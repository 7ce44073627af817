"""A workflow's YAML, strictly: what the harness cannot run, it refuses to read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

Scalar = str | bool | int | float


class RejectedByGitHubError(Exception):
    """GitHub would not run this, or the harness does not know how to."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Concurrency(_Strict):
    group: str
    cancel_in_progress: str | bool = Field(default=False, alias="cancel-in-progress")


class Shell(_Strict):
    shell: str | None = None
    working_directory: str | None = Field(default=None, alias="working-directory")


class Defaults(_Strict):
    run: Shell = Shell()


class Step(_Strict):
    id: str | None = None
    name: str | None = None
    if_: str | bool | None = Field(default=None, alias="if")
    uses: str | None = None
    run: str | None = None
    shell: str | None = None
    working_directory: str | None = Field(default=None, alias="working-directory")
    with_: dict[str, Scalar] = Field(default={}, alias="with")
    env: dict[str, Scalar] = {}
    continue_on_error: str | bool = Field(default=False, alias="continue-on-error")
    timeout_minutes: float = Field(default=360, alias="timeout-minutes")


class Job(_Strict):
    name: str | None = None
    if_: str | bool | None = Field(default=None, alias="if")
    needs: tuple[str, ...] = ()
    runs_on: str = Field(alias="runs-on")
    timeout_minutes: float = Field(default=360, alias="timeout-minutes")
    environment: str | None = None
    permissions: dict[str, str] | None = None
    concurrency: Concurrency | None = None
    defaults: Defaults = Defaults()
    env: dict[str, Scalar] = {}
    outputs: dict[str, str] = {}
    steps: tuple[Step, ...]

    @field_validator("needs", mode="before")
    @classmethod
    def _several(cls, needs: object) -> object:
        return (needs,) if isinstance(needs, str) else needs


class Workflow(_Strict):
    name: str
    on: dict[str, dict[str, Any] | list[Any] | None]
    permissions: dict[str, str] | None = None
    concurrency: Concurrency | None = None
    defaults: Defaults = Defaults()
    env: dict[str, Scalar] = {}
    jobs: dict[str, Job]

    @field_validator("on", mode="before")
    @classmethod
    def _as_mapping(cls, on: object) -> object:
        return {on: None} if isinstance(on, str) else dict.fromkeys(on) if isinstance(on, list) else on

    def in_order(self) -> list[str]:
        """The jobs, each after those that it needs. Raises RejectedByGitHubError where they need each other."""
        ordered: list[str] = []
        while remaining := [name for name in self.jobs if name not in ordered]:
            ready = [name for name in remaining if set(self.jobs[name].needs) <= set(ordered)]
            if not ready:
                raise RejectedByGitHubError(f"{self.name}: needs that cannot be met: {remaining}")
            ordered += ready
        return ordered


class Input(_Strict):
    description: str
    required: bool = False
    default: str = ""


class Output(_Strict):
    description: str
    value: str


class Composition(_Strict):
    using: Literal["composite"]
    steps: tuple[Step, ...]


class CompositeAction(_Strict):
    """An `action.yml` whose steps are run by whoever uses it."""

    name: str
    description: str
    branding: dict[str, str] = {}
    inputs: dict[str, Input] = {}
    outputs: dict[str, Output] = {}
    runs: Composition

    def take_inputs(self, given: Mapping[str, str]) -> dict[str, str]:
        """What is given, and defaults. Raises RejectedByGitHubError for one that is unknown or missing."""
        missing = [name for name, declared in self.inputs.items() if declared.required and not given.get(name)]
        if (unknown := sorted(given.keys() - self.inputs.keys())) or missing:
            raise RejectedByGitHubError(f"{self.name}: unexpected inputs {unknown}, missing {missing}")
        return {name: given.get(name, declared.default) for name, declared in self.inputs.items()}


def load_action(path: Path) -> CompositeAction:
    """The composite action of a file. Raises RejectedByGitHubError."""
    try:
        action = CompositeAction.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as err:
        raise RejectedByGitHubError(f"{path.name}: {err}") from err
    if [step for step in action.runs.steps if step.run is not None and step.shell is None]:
        raise RejectedByGitHubError(f"{path.name}: a step of a composite action names its shell")
    return action


def load(path: Path) -> Workflow:
    """The workflow of a file. Raises RejectedByGitHubError."""
    return parse(path.read_text(encoding="utf-8"), where=path.name)


def parse(text: str, *, where: str) -> Workflow:
    """The workflow of a text; YAML 1.1 reads its key `on` as True. Raises RejectedByGitHubError."""
    try:
        document = yaml.safe_load(text)
        if True in document:
            document["on"] = document.pop(True)
        workflow = Workflow.model_validate(document)
    except (yaml.YAMLError, TypeError, ValidationError) as err:
        raise RejectedByGitHubError(f"{where}: {err}") from err
    for name, job in workflow.jobs.items():
        for index, step in enumerate(job.steps):
            if (step.run is None) == (step.uses is None):
                raise RejectedByGitHubError(f"{where}: {name}.steps[{index}]: either `run` or `uses`")
        ids = [step.id for step in job.steps if step.id]
        if len(ids) != len(set(ids)):
            raise RejectedByGitHubError(f"{where}: {name}: two steps have one id")
    workflow.in_order()
    return workflow
