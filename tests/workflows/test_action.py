"""The workflow of docs/action.md in another repository: the pull request scores, the action judges and comments."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.builders import GATES
from tests.configuration import ROOT
from tests.harness.github.hub import Hub, hub
from tests.harness.github.image import image
from tests.harness.github.repository import Repository
from tests.pages import read_blocks
from tests.test_workflows import ACTIONS
from tests.workflows.linting import lint_workflow

SCORES = """
import numpy as np
from lockgate import Evidence

lots = np.random.default_rng(3)
label = (lots.random(300) < 0.4).astype(float)
champion, challenger = (
    np.clip(0.4 + strength * (label - 0.5) + lots.normal(0, 0.1, 300), 0.01, 0.99) for strength in (0.3, {strength})
)
Evidence.from_arrays(label=label, challenger=challenger, champion=champion).write("evidence.arrow")
"""


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Hub]:
    """A repository of somebody's, whose machines have a Python with lockgate for its own code."""
    (workflow,) = read_blocks("docs/action.md", "yaml")
    published = Repository.of(ROOT, tmp_path / "lockgate.git")
    commits = dict(action.split("@") for action in ACTIONS) | {"OWNER/lockgate": published.sha("main")}
    pinned = re.sub(r"uses: (\S+)@… # a commit", lambda match: f"uses: {match[1]}@{commits[match[1]]}", workflow)
    source = tmp_path / "source"
    (source / ".github/workflows").mkdir(parents=True)
    (source / ".github/workflows/lockgate.yml").write_text(pinned, encoding="utf-8")
    assert lint_workflow(source / ".github/workflows/lockgate.yml") == ""
    (source / "policy.yaml").write_text(yaml.safe_dump(GATES), encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", source], check=True)
    with hub(tmp_path / "github", source) as repository:
        repository.published["OWNER/lockgate"] = published
        repository.image = image(tmp_path / "image")
        python = tmp_path / "image" / "python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        yield repository


def score_by(strength: float) -> dict[str, str]:
    return {"train_and_score.py": SCORES.format(strength=strength)}


def test_a_pull_request_gets_one_comment_and_a_fork_its_summary_alone(github: Hub) -> None:
    pull, runs = github.open_pull("better", score_by(0.6), author="ada")
    judge = runs["lockgate"].jobs["judge"]
    assert judge.result == "success", judge.out
    assert judge.summary.startswith("## lockgate: PROMOTE")
    (body,) = github.api.bodies(pull=pull.number)
    assert judge.summary in body

    runs = github.synchronize(pull, score_by(0.0) | {"policy.yaml": "checks: {}"})
    judge = runs["lockgate"].jobs["judge"]
    assert judge.result == "failure"  # by the policy of main, whatever the pull request makes of it
    (body,) = github.api.bodies(pull=pull.number)
    assert "## lockgate: HOLD" in body

    foreign, runs = github.open_pull("better", score_by(0.6), author="eve", fork=True)
    judge = runs["lockgate"].jobs["judge"]
    assert (judge.result, judge.rights["pull-requests"]) == ("success", "read")
    assert judge.summary.startswith("## lockgate: PROMOTE")
    assert github.api.bodies(pull=foreign.number) == []
    assert not [request for request in github.api.requests if f"/{foreign.number}/" in request]


def test_a_token_that_may_not_comment_is_a_warning(github: Hub) -> None:
    path = ".github/workflows/lockgate.yml"
    workflow = github.repository.git("show", f"main:{path}").replace(
        "      pull-requests: write # for the one comment\n", ""
    )
    pull, runs = github.open_pull("better", score_by(0.6) | {path: workflow + "\n"}, author="ada")
    judge = runs["lockgate"].jobs["judge"]
    assert judge.result == "success", judge.out
    assert "pull-requests" not in judge.rights
    assert [annotation.level for annotation in judge.annotations] == ["warning"]
    assert github.api.bodies(pull=pull.number) == []
