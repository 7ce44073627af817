"""The flows compile for Argo Workflows without a cluster; no champion and no secret is in what comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hera.workflows.models import WorkflowTemplate

from tests.argo.conftest import EVENTS

FLOWS = Path(__file__).parents[2] / "pipelines"


@pytest.fixture
def env(s3: Any) -> dict[str, str]:
    return {**s3.env, **EVENTS, "METAFLOW_USER": "ada"}


def template(done: Any) -> dict[str, Any]:
    """The document, checked against Argo's own schema."""
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout[done.stdout.index("{") :])
    WorkflowTemplate.model_validate(document)
    return document


def compiled(project: Any, flow: str, **env: str) -> dict[str, Any]:
    words = ["--production", "argo-workflows", "create", "--only-json"]
    return template(project.python(str(FLOWS / f"{flow}.py"), "--no-pylint", "--quiet", *words, **env))


def normal(document: dict[str, Any]) -> str:
    """Without the moment of compilation and the names that Metaflow draws."""
    text = json.dumps(document, sort_keys=True, indent=1)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)?", "TIME", text)
    for drawn in set(re.findall(r"`pwd`/([a-z]{10})\b", text)):
        text = text.replace(drawn, "DRAWN")
    text = re.sub(r"\.?tmp[a-z0-9_]{6,}|/tmp/[A-Za-z0-9_./-]+", "DRAWN", text)
    return re.sub(r"([0-9a-f]{2}/)?[0-9a-f]{40}|(?<![0-9])1[0-9]{9}(?![0-9])", "HASH", text)


@pytest.mark.parametrize("flow", ["predict", "evaluate"])
def test_a_flow_compiles_as_any_metaflow_flow_does(project: Any, env: dict[str, str], flow: str) -> None:
    document = compiled(project, flow, **env)
    assert document["kind"] == "WorkflowTemplate"
    steps = {one["name"] for one in document["spec"]["templates"]}
    assert {"start", "end"} <= steps


@dataclass(frozen=True)
class Promoted:
    """A project on S3 in which the default model was promoted, and the template of the time before."""

    project: Any
    env: dict[str, str]
    bare: dict[str, Any]
    run: str


@pytest.fixture(scope="module")
def promoted_on_s3(
    tmp_path_factory: pytest.TempPathFactory, project_at: Any, orders_conf: Path, new_bucket: Callable[[], Any]
) -> Promoted:
    project = project_at(home=tmp_path_factory.mktemp("on_s3"), conf=orders_conf)
    env = {**new_bucket().env, **EVENTS, "METAFLOW_USER": "ada"}
    bare = compiled(project, "predict", **env)
    done = project.run("evaluate", **env)
    assert done.returncode == 0, done.stderr
    run = json.loads(project.run("champion", "--json", **env).stdout)["run"]
    return Promoted(project, env, bare, run)


def test_the_champion_is_not_in_the_template(promoted_on_s3: Promoted) -> None:
    """Compiled before and after a promotion on the very same datastore, it is the same document."""
    project, env = promoted_on_s3.project, promoted_on_s3.env
    after = compiled(project, "predict", **env)
    assert promoted_on_s3.run not in json.dumps(after)
    assert normal(promoted_on_s3.bare) == normal(after)


def test_on_s3_everything_works_as_it_does_on_a_disk(promoted_on_s3: Promoted) -> None:
    project, env = promoted_on_s3.project, promoted_on_s3.env
    again = project.run("judge", promoted_on_s3.run, "--json", **env)
    assert again.returncode == 0, again.stderr
    assert "is tagged deployment_candidate" in json.loads(again.stdout)["note"]
    told = project.run("predict", "--json", **env)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["rows"] == 666
    assert not (project.home / ".metaflow" / "lockgate").exists()
