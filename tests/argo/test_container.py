"""A container with nothing: no user, no home, no git, and a checkout that cannot be written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.argo.conftest import CANARY
from tests.project_line import split_project_line

# root may write anywhere, unless it gives up the capability to (CAP_DAC_OVERRIDE); the console command then starts
WITHOUT_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "lockgate.pipelines.cli.main", *sys.argv[1:]])
"""


@pytest.fixture
def read_only(checkout: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the checkout in which nothing can be written."""
    tree = tmp_path / "tree"
    shutil.copytree(checkout, tree, symlinks=True)
    folders = [tree, *(path for path in tree.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield tree
    for folder in folders:
        folder.chmod(0o755)


def in_container(tree: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in env.items() if name not in ("METAFLOW_USER", "HOME", "USER")}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHTS, *words],
        cwd=tree,
        env={**bare, "PATH": "/nowhere", "PYTHONPATH": str(tree)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.nightly
def test_manifests_are_written(
    read_only: Path, tmp_path: Path, production_conf: Path, surroundings: dict[str, str]
) -> None:
    env = {**surroundings, "LOCKGATE_CONF": str(production_conf)}
    process = in_container(read_only, "manifests", "--out", str(tmp_path / "out"), **env)
    assert process.returncode == 0, process.stderr
    assert len(list((tmp_path / "out").iterdir())) == 6
    assert CANARY not in process.stdout + process.stderr


def test_a_folder_in_the_checkout_is_one_line(
    read_only: Path, production_conf: Path, surroundings: dict[str, str]
) -> None:
    env = {**surroundings, "LOCKGATE_CONF": str(production_conf)}
    process = in_container(read_only, "manifests", "--out", "here", **env)
    assert (process.returncode, process.stdout) == (2, "")
    assert (
        process.stderr
        == f"lockgate: cannot write: Permission denied; expected a folder that you may write to @ {read_only}\n"
    )


def test_deploying_says_what_is_missing(read_only: Path, production_conf: Path, surroundings: dict[str, str]) -> None:
    env = {**surroundings, "LOCKGATE_CONF": str(production_conf)}
    process = in_container(read_only, "deploy", "--without-champion", **env)
    assert (process.returncode, process.stdout) == (2, "")
    git, nobody = split_project_line(process.stderr)[1].splitlines()
    assert git == "lockgate: git is not installed; expected git in PATH, to know which commit is deployed"
    assert nobody.startswith("lockgate: no user is set; expected METAFLOW_USER")
