"""One job: its steps in order, as GitHub's runner takes them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.harness.github.actions import ActionError, Place, run_action
from tests.harness.github.commands import Annotation, FileError, annotations, values
from tests.harness.github.documents import Defaults, Job, RejectedByGitHubError, Scalar, Step, Workflow, load_action
from tests.harness.github.expressions import condition, interpolate
from tests.harness.github.repository import Repository

LARGEST_SUMMARY = 1024**2
SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"], "sh": ["sh", "-e"]}
_RESERVED = ("GITHUB_", "RUNNER_")


@dataclass(slots=True, kw_only=True)
class StepRun:
    """What a step did."""

    name: str
    outcome: str = "skipped"  # before continue-on-error is taken into account
    conclusion: str = "skipped"
    code: int | None = None
    seconds: float = 0.0
    out: str = ""  # what it printed, both ways
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class JobRun:
    """What a job did."""

    name: str
    result: str = "skipped"
    steps: list[StepRun] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    annotations: list[Annotation] = field(default_factory=list)
    rights: dict[str, str] = field(default_factory=dict)  # of its token

    @property
    def out(self) -> str:
        return "".join(step.out for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A fresh machine for one job, and what GitHub puts on it."""

    folder: Path
    place: Place
    published: Mapping[str, Repository]  # other repositories, by OWNER/NAME, of which each is a composite action
    env: dict[str, str]  # of the image, and GitHub's own
    contexts: dict[str, Any]  # those that hold for the whole job


@dataclass(slots=True)
class _Running:
    workflow: Workflow
    job: Job
    machine: Machine
    job_run: JobRun
    env: dict[str, str]
    steps: dict[str, Any] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)

    @property
    def contexts(self) -> dict[str, Any]:
        return {**self.machine.contexts, "env": {**self.env, **self.exported}, "steps": self.steps}

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        failed = self.job_run.result == "failure"
        return {
            "always": lambda: True,
            "cancelled": lambda: False,
            "success": lambda: not failed,
            "failure": lambda: failed,
        }

    def text(self, value: Scalar) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return interpolate(str(value), self.contexts, self.functions)


def run_job(workflow: Workflow, name: str, machine: Machine, *, rights: Mapping[str, str]) -> JobRun:
    """Take a job's steps; what fails fails the job, and the steps after it that do not ask to run all the same."""
    job = workflow.jobs[name]
    job_run = JobRun(name=name, result="success", rights=dict(rights))
    running = _Running(workflow, job, machine, job_run, env={})
    for variables in (workflow.env, job.env):
        running.env |= {key: running.text(value) for key, value in variables.items()}
    for index, step in enumerate(job.steps):
        _record(running, step, _step(running, step, index))
    job_run.outputs = {key: running.text(value) for key, value in job.outputs.items()}
    return job_run


def _record(running: _Running, step: Step, step_run: StepRun) -> None:
    """Let the steps that follow see what became of one."""
    running.job_run.steps.append(step_run)
    if step.id:
        running.steps[step.id] = {
            "outputs": step_run.outputs,
            "outcome": step_run.outcome,
            "conclusion": step_run.conclusion,
        }
    if step_run.conclusion == "failure":
        running.job_run.result = "failure"


def _step(running: _Running, step: Step, index: int) -> StepRun:
    step_run = StepRun(name=step.name or step.id or step.uses or f"step {index}")
    contexts = {name: context for name, context in running.contexts.items() if name != "secrets"}
    if not condition(step.if_, contexts, running.functions):
        return step_run
    began = time.monotonic()
    env = running.env | running.exported
    env |= {key: running.text(value) for key, value in step.env.items()}
    try:
        if step.uses:
            inputs = {key: running.text(value) for key, value in step.with_.items()}
            if step.uses.split("@")[0] in running.machine.published:
                _run_composite(running, step.uses, inputs, step_run, env, index)
            else:
                run_action(step.uses, running.machine.place, inputs)
        else:
            _run(running, step, step_run, env, index)
        step_run.outcome = step_run.conclusion = "success"
    except (ActionError, FileError, subprocess.SubprocessError, OSError) as err:
        step_run.out += f"Error: {err}\n"
        step_run.outcome = "failure"
        continue_on_error = step.continue_on_error
        goes_on = (
            continue_on_error if isinstance(continue_on_error, bool) else running.text(continue_on_error) == "true"
        )
        step_run.conclusion = "success" if goes_on else "failure"
    step_run.seconds = time.monotonic() - began
    running.job_run.annotations += annotations(step_run.out)
    return step_run


def _run(running: _Running, step: Step, step_run: StepRun, env: dict[str, str], index: int) -> None:
    """A `run_job:` step. Raises FileError, CalledProcessError or TimeoutExpired."""
    folder = running.machine.folder / f"step-{index}"
    folder.mkdir()
    files = {name: folder / name.lower() for name in ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY", "STATE")}
    for file in files.values():
        file.touch()
    script = folder / "script.sh"
    assert step.run is not None
    script.write_text(running.text(step.run), encoding="utf-8")
    defaults = [step, running.job.defaults.run, running.workflow.defaults.run]
    shell = next((settings.shell for settings in defaults if settings.shell), None)
    where = next((settings.working_directory for settings in defaults if settings.working_directory), ".")
    if shell not in SHELLS:
        raise RejectedByGitHubError(f"the shell {shell!r} is not known here")
    whole = running.machine.env | env
    whole["PATH"] = os.pathsep.join([*reversed(running.path), whole["PATH"]])
    whole |= {f"GITHUB_{name}": str(file) for name, file in files.items()}
    whole["GITHUB_ACTION"] = step.id or f"__run_{index}"
    with (folder / "out").open("w+b") as out:
        process = subprocess.Popen(
            [*SHELLS[shell], str(script)],
            cwd=running.machine.place.inside(running.text(where)),
            env=whole,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            minutes = min(step.timeout_minutes, running.job.timeout_minutes)
            step_run.code = process.wait(timeout=minutes * 60)
        finally:
            _kill_group(process)
            out.seek(0)
            step_run.out = out.read().decode(errors="replace")
    _read_command_files(running, step_run, files)
    if step_run.code:
        raise subprocess.CalledProcessError(step_run.code, "bash")


def _run_composite(
    running: _Running, uses: str, inputs: Mapping[str, str], step_run: StepRun, env: Mapping[str, str], index: int
) -> None:
    """The steps of somebody's action, at the commit that `uses` names. Raises ActionError if one of them fails."""
    name, _, commit = uses.partition("@")
    folder = running.machine.folder / f"action-{index}"
    (inside := folder / "steps").mkdir(parents=True)
    running.machine.published[name].checkout(commit, source := folder / "source")
    action = load_action(source / "action.yml")
    github = {**running.machine.contexts["github"], "action_path": str(source)}
    contexts = {key: context for key, context in running.machine.contexts.items() if key not in ("secrets", "vars")}
    machine = replace(
        running.machine,
        folder=inside,
        env={**running.machine.env, "GITHUB_ACTION_PATH": str(source)},
        contexts={**contexts, "github": github, "inputs": action.take_inputs(inputs)},
    )
    job = running.job.model_copy(update={"steps": action.runs.steps, "defaults": Defaults()})
    workflow = running.workflow.model_copy(update={"defaults": Defaults()})
    inner = _Running(workflow, job, machine, JobRun(name=action.name, result="success"), env=dict(env))
    for number, step in enumerate(action.runs.steps):
        _record(inner, step, _step(inner, step, number))
    step_run.out += inner.job_run.out
    running.job_run.summary += inner.job_run.summary
    running.path += inner.path
    step_run.outputs |= {key: inner.text(output.value) for key, output in action.outputs.items()}
    if inner.job_run.result == "failure":
        raise ActionError(f"{action.name} failed")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Whatever the step left running goes with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_command_files(running: _Running, step_run: StepRun, files: Mapping[str, Path]) -> None:
    """What the step wrote into its files. A failed step's count as well."""
    contents = {name: file.read_text(encoding="utf-8", errors="replace") for name, file in files.items()}
    if len(contents["STEP_SUMMARY"].encode()) <= LARGEST_SUMMARY:
        running.job_run.summary += contents["STEP_SUMMARY"]
    else:
        step_run.out += "::error title=summary::$GITHUB_STEP_SUMMARY upload aborted, supports content up to 1024k\n"
    step_run.outputs |= values(contents["OUTPUT"])
    for name, value in values(contents["ENV"]).items():
        if name.startswith(_RESERVED) or name == "NODE_OPTIONS":
            step_run.out += f"::error::Can't update {name} environment variable using $GITHUB_ENV\n"
        else:
            running.exported[name] = value
    running.path += [line for line in contents["PATH"].splitlines() if line]
