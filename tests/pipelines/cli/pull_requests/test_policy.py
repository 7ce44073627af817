"""`lockgate policy diff`, as it is typed: what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.configuration import CONF


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose branch `weaker` has a lower floor than `main`, and `tighter` a higher one."""
    root = tmp_path / "repository"
    shutil.copytree(CONF, root / "conf")
    git(root, "init", "-q", "-b", "main")
    commit(root)
    for branch, floor in (("weaker", "0.55"), ("tighter", "0.65"), ("broken", "high")):
        git(root, "checkout", "-q", "-b", branch, "main")
        edited(root / "conf" / "gate" / "default.yaml", "min: 0.60", f"min: {floor}")
        commit(root)
    git(root, "checkout", "-q", "main")
    return root


def git(root: Path, *words: str) -> None:
    names = {
        f"GIT_{who}_{subject}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for subject in ("NAME", "EMAIL")
    }
    env = {**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=root, env=env, capture_output=True, check=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "all of it")


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_weaker_branch(project: Any, repository: Path) -> None:
    report = project.home / "report.md"
    words = ["policy", "diff", "main", "weaker", "--repository", str(repository)]
    completed = project.run(*words, "--report", str(report), LOCKGATE_CONF="/nowhere")
    assert (completed.returncode, completed.stderr) == (1, "")
    assert all(word in completed.stdout for word in ("lower floor", "gate.checks.auc_floor.min", "0.6", "0.55"))
    assert "1 weaker from main to weaker" in completed.stdout
    assert "🔴 weaker | lower floor" in report.read_text(encoding="utf-8")
    document = json.loads(project.run(*words, "--json").stdout)
    assert [(weakening["name"], weakening["after"]) for weakening in document["weakenings"]] == [
        ("lower floor", "0.55")
    ]
    assert not (project.home / ".metaflow").exists()


@pytest.mark.nightly
def test_a_tighter_branch_and_a_directory(project: Any, repository: Path) -> None:
    words = ["policy", "diff", "--repository", str(repository)]
    completed = project.run(*words, "main", "tighter")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "1 tighter from main to tighter" in completed.stdout
    edited(repository / "conf" / "config.yaml", "gate: default", "gate: independent_rows")
    completed = project.run(*words, "main", f"{repository}/")
    assert completed.returncode == 1
    assert "changed default" in completed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["main", "broken"],
            "got 'high'; expected a finite number @ broken: conf/config.yaml: gate.checks.auc_floor.min",
        ),
        (["broken", "main"], "@ broken: conf/config.yaml: gate.checks.auc_floor.min"),
        (["main", "nothing"], "'nothing' is not a revision of "),
        (["--", "main", "--output=canary"], "'--output=canary' is not a revision of "),
        (["main", "$(touch canary)"], "is not a revision of "),
        (["main", "main; touch canary"], "is not a revision of "),
        (["main", "../.."], "no configuration; expected a directory conf/, or lockgate.yaml @ ../.."),
        (["main", "weaker\ntouch canary"], "is not a version"),
    ],
)
def test_a_refusal_is_one_line(project: Any, repository: Path, words: list[str], message: str) -> None:
    completed = project.run("policy", "diff", "--repository", str(repository), *words)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert message in completed.stderr
    assert completed.stderr.startswith("lockgate: ")
    assert completed.stderr.count("\n") == 1
    assert list(project.home.rglob("*canary*")) == []
