"""The git checkout that is deployed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from os import environ
from pathlib import Path

from lockgate.gates.errors import DeployError
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.scope import find_conf

GIT_STATUS_TIMEOUT_S = 60.0


def clean_commit() -> str:
    """The commit of this checkout.

    Raises DeployError if git or a commit is missing, or files are uncommitted. A configuration elsewhere, named by
    LOCKGATE_CONF, must be committed too.
    """
    if shutil.which("git") is None:
        raise DeployError("git is not installed", expected="git in PATH, to know which commit is deployed")
    commit = _clean_folder_commit(ROOT)
    _clean_folder_commit(find_conf(), "--ignored")
    return commit


def _clean_folder_commit(folder: Path, *options: str) -> str:
    """The commit of the checkout. Raises DeployError if anything below `folder` changed since."""
    commit = _git("rev-parse", "HEAD", within=folder)
    if commit is None:
        raise DeployError(
            "this is not a git checkout", expected="one, to know which commit is deployed", where=str(folder)
        )
    dirty = _git("status", "--porcelain", "--untracked-files=normal", *options, "--", ".", within=folder)
    if dirty is None:
        raise DeployError("git status failed", where=str(folder))
    if dirty:
        files = [line[3:] for line in dirty.splitlines()]
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        raise DeployError(
            f"uncommitted files: {', '.join(files[:3])}{more}",
            where=str(folder),
            hint="commit them, or stash them",
        )
    return commit.strip()


def _git(*words: str, within: Path = ROOT) -> str | None:
    """The output of git; None if it fails."""
    quiet: Mapping[str, str] = {**environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        process = subprocess.run(
            ["git", *words],
            cwd=within,
            env=dict(quiet),
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_STATUS_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout if process.returncode == 0 else None
