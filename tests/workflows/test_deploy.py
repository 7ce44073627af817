"""deploy.yml, executed: by hand, from main, the plan before anything is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.configuration import ROOT
from tests.github.api import REPOSITORY
from tests.harness.github.hub import Environment, Hub, hub
from tests.harness.github.image import image
from tests.harness.github.platform import platform

LOCKGATE_SCRIPT = """#!/bin/sh
echo "lockgate $*"
case "$*" in *--dry-run*) exit ${PLAN:-0} ;; esac
"""


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """A repository whose machines have the real client of the platform, and in lockgate's place what says how it was
    called: what it does to a cluster is tried in tests/argo."""
    with ExitStack() as stack:

        def make(*, on: str = "on", bound: str = "production", plan: int = 0) -> Hub:
            repository = stack.enter_context(
                hub(
                    tmp_path / "github",
                    ROOT,
                    variables={"LOCKGATE_DEPLOYMENT": on},
                    environments={"production": Environment(("main",))},
                )
            )
            bindings = {"lockgate-deployment": f"repo:{REPOSITORY}:environment:{bound}"}
            config = {"METAFLOW_DEFAULT_METADATA": "local"}
            reached = stack.enter_context(platform(tmp_path, repository.identities, config=config, bindings=bindings))
            repository.image = image(
                tmp_path / "image", outerbounds=ROOT / ".venv-outerbounds", lockgate=LOCKGATE_SCRIPT
            )
            repository.image.env |= reached.env | {"PLAN": str(plan)}
            return repository

        yield make


@pytest.mark.usefixtures("outerbounds")
@pytest.mark.parametrize(("inputs", "applied"), [({}, False), ({"dry_run": False}, True)])
def test_the_plan_is_shown_and_applied_where_that_was_asked(
    github: Callable[..., Hub], inputs: dict[str, bool], *, applied: bool
) -> None:
    run = github().dispatch("deploy", **inputs)
    assert run.conclusion == "success", run.public_text
    commands = [line for line in run.jobs["deploy"].out.splitlines() if line.startswith("lockgate ")]
    assert (
        commands
        == ["lockgate deploy --platform outerbounds --dry-run", "lockgate deploy --platform outerbounds"][: 1 + applied]
    )
    assert run.jobs["deploy"].summary == "```text\nlockgate deploy --platform outerbounds --dry-run\n```\n"


@pytest.mark.usefixtures("outerbounds")
def test_what_could_not_be_planned_is_not_applied(github: Callable[..., Hub]) -> None:
    job = github(plan=2).dispatch("deploy", dry_run=False).jobs["deploy"]
    assert [step.conclusion for step in job.steps[-2:]] == ["failure", "skipped"]


@pytest.mark.usefixtures("outerbounds")
def test_a_machine_user_is_bound_to_its_environment(github: Callable[..., Hub]) -> None:
    job = github(bound="promotion").dispatch("deploy", dry_run=False).jobs["deploy"]
    assert (job.result, "403" in job.out, "lockgate deploy" in job.out) == ("failure", True, False)


@pytest.mark.parametrize(("branch", "on"), [("other", "on"), ("main", "")])
def test_only_main_is_deployed_and_only_where_it_was_switched_on(
    github: Callable[..., Hub], branch: str, on: str
) -> None:
    repository = github(on=on)
    repository.push(branch, {"Makefile": "setup:\n\techo mine\n"}, author="eve") if branch != "main" else None
    assert repository.dispatch("deploy", branch=branch, author="eve", dry_run=False).jobs["deploy"].result == "skipped"


def test_from_another_branch_the_environment_refuses_too(github: Callable[..., Hub]) -> None:
    """Whoever may write takes the condition out of the file; the environment is not in a file."""
    repository = github()
    file = repository.repository.git("show", "main:.github/workflows/deploy.yml")
    repository.push("other", {".github/workflows/deploy.yml": file.replace("github.ref ==", "'' !=")}, author="eve")
    job = repository.dispatch("deploy", branch="other", author="eve", dry_run=False).jobs["deploy"]
    assert (job.result, job.steps, repository.identities.issued) == ("failure", [], {})
