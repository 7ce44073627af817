"""The workflow that `lockgate init` writes: from a repository of scores to a second challenger that main refuses."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.log.signing import generate_key
from lockgate.pipelines.starter.contents import WORKFLOW
from lockgate.pipelines.starter.plan import plan_start
from tests.configuration import ROOT
from tests.conftest import S3
from tests.harness.github.hub import Environment, Hub, hub
from tests.harness.github.image import PREPARE, image
from tests.harness.github.repository import Repository
from tests.workflows.linting import lint_workflow

PYTHON = """#!/bin/sh
# python3 -m venv FOLDER: with lockgate and what it needs, and a pip that has nothing left to do
[ "$1 $2" = "-m venv" ] || exec {python} "$@"
exec {python} -I {prepare} "$PWD/$3" {root} {site} lockgate=lockgate.pipelines.cli.main:main pip={pip}
"""
PIP = '#!/bin/sh\n[ "$*" = "install --requirement requirements.txt" ] && cat requirements.txt\n'


def write_scores(gain: float) -> str:
    lots = random.Random(3)
    rows = (
        {"id": f"t{task}", "epoch": epoch, "score": int(lots.random() < 0.7 + gain)}
        for task in range(150)
        for epoch in (1, 2)
    )
    return "\n".join(map(json.dumps, rows))


def candidate(name: str, gain: float) -> dict[str, str]:
    """What a commit changes that puts up a challenger."""
    return {
        f"candidates/{name}.txt": f"prompt {name}",
        f"scores/{name}.jsonl": write_scores(gain),
        "challenger.txt": f"{name}.txt\n",
    }


@pytest.fixture
def start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_bucket: Callable[[], S3],
    new_metadata_service: Callable[[], str],
) -> Callable[..., Any]:
    """Makes GitHub with such a repository, whose log is on a bucket and has to be signed."""
    monkeypatch.delenv("LOCKGATE_CONF")
    published = Repository.of(ROOT, tmp_path / "lockgate.git")
    (source := tmp_path / "helpdesk").mkdir()
    subprocess.run(["git", "init", "--quiet", source], check=True)
    plan = plan_start(
        source, project=None, task="score", owner="@acme/platform", action=f"acme/lockgate@{published.sha('main')}"
    )
    pem, line = generate_key()
    trusted = (
        f"required: true, private: environment, trusted: {{judge: {{role: judge, key: {line}, last_entry: null}}}}"
    )
    for path, text in {**plan.created, **plan.appended, "requirements.txt": "lockgate[github,log,metaflow]\n"}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        changed = text.replace("required: false, private: any, trusted: {}", trusted)
        (source / path).write_text(changed, encoding="utf-8")

    @contextmanager
    def make(*, promotion: str = "on") -> Iterator[Hub]:
        s3 = new_bucket()
        metaflow = {
            "METAFLOW_DEFAULT_METADATA": "service",
            "METAFLOW_SERVICE_URL": new_metadata_service(),
            **{name: value for name, value in s3.env.items() if name.startswith("METAFLOW_")},
        }
        secrets = {name: value for name, value in s3.env.items() if name.startswith("AWS_") and "KEY" in name}
        secrets |= {"LOCKGATE_SIGNING_KEY": pem.decode(), "METAFLOW_CONFIG": json.dumps(metaflow)}
        environments = {"promotion": Environment(("main",), secrets)}
        variables = {"LOCKGATE_PROMOTION": promotion}
        with hub(tmp_path / "github", source, environments=environments, variables=variables) as github:
            github.published["acme/lockgate"] = published
            github.image = image(tmp_path / "image")
            github.image.env["AWS_DEFAULT_REGION"] = "us-east-1"
            (pip := tmp_path / "image/pip").write_text(PIP, encoding="utf-8")
            (prepare := tmp_path / "image/prepare.py").write_text(PREPARE, encoding="utf-8")
            python = tmp_path / "image/python3"
            site = sysconfig.get_path("purelib")
            text = PYTHON.format(python=sys.executable, prepare=prepare, root=ROOT, site=site, pip=pip)
            python.write_text(text, encoding="utf-8")
            python.chmod(0o755)
            yield github

    return make


@pytest.mark.parametrize("action", [None, f"acme/lockgate@{'0' * 40}"])
def test_what_is_written_passes_the_checks_of_workflows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str | None
) -> None:
    monkeypatch.delenv("LOCKGATE_CONF")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    written = plan_start(tmp_path, project="churn", task=None, owner=None, action=action).created[WORKFLOW]
    (file := tmp_path / "lockgate.yml").write_text(written, encoding="utf-8")
    assert lint_workflow(file) == ""
    file.write_text(written.replace("permissions: {}", "permissions: write-all"), encoding="utf-8")
    assert "permissions" in lint_workflow(file)


def test_from_nothing_to_a_second_challenger_that_main_refuses(start: Callable[..., Any]) -> None:
    with start() as github:
        run = github.push("main", candidate("v1", 0.0), author="ada")["lockgate"]
        results = {name: job.result for name, job in run.jobs.items()}
        others = dict.fromkeys(["champion", "score", "advise"], "skipped")
        assert results == {"judge": "success", **others}, run.public_text
        assert run.jobs["judge"].summary.startswith("## lockgate: PROMOTE")
        assert "entry 1 of the promotion log;" in run.jobs["judge"].summary

        pull, runs = github.open_pull("v2", candidate("v2", -0.15), author="ada")
        run = runs["lockgate"]
        results = {name: job.result for name, job in run.jobs.items()}
        assert results == {"judge": "skipped", **dict.fromkeys(others, "success")}, run.public_text
        (body,) = github.api.bodies(pull=pull.number)
        assert "## lockgate: HOLD" in body  # beside the champion, which the protected branch published
        assert "nothing was logged" in body

        run = github.merge(pull)["lockgate"]
        assert run.jobs["judge"].summary.startswith("## lockgate: HOLD"), run.public_text
        assert "entry 2 of the promotion log;" in run.jobs["judge"].summary


def test_before_anything_reigns_a_pull_request_is_told_what_needs_no_champion(start: Callable[..., Any]) -> None:
    with start() as github:
        pull, runs = github.open_pull("v1", candidate("v1", 0.0), author="eve", fork=True)
        run = runs["lockgate"]
        results = {name: job.result for name, job in run.jobs.items()}
        assert results == {"judge": "skipped", **dict.fromkeys(["champion", "score", "advise"], "success")}, (
            run.public_text
        )
        assert "has published no champion" in run.jobs["champion"].out
        assert run.jobs["advise"].summary.startswith("## lockgate: INCONCLUSIVE")  # what compares is not decided
        assert github.api.bodies(pull=pull.number) == []


def test_nothing_is_judged_before_that_is_switched_on_or_into_a_log_that_would_be_lost(
    start: Callable[..., Any],
) -> None:
    with start(promotion="") as github:
        run = github.push("main", candidate("v1", 0.0), author="ada")["lockgate"]
        assert {job.result for job in run.jobs.values()} == {"skipped"}
        github.variables = {"LOCKGATE_PROMOTION": "on"}
        github.environments["promotion"].secrets["METAFLOW_CONFIG"] = ""
        run = github.push("main", candidate("v1", 0.1), author="ada")["lockgate"]
        assert run.jobs["judge"].result == "failure"
        (annotation,) = run.jobs["judge"].annotations
        assert annotation.message == "METAFLOW_CONFIG is empty: the log would end here"
        assert [step.conclusion for step in run.jobs["judge"].steps][2:] == ["skipped"] * 5
