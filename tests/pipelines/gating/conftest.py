"""A repository with flows of its own, which has one file of lockgate's: lockgate.yaml."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import yaml

from tests.builders import GATES


def write_project(home: Path, **changes: object) -> None:
    """An unsigned project beside the flows."""
    settings = {
        "project": "churn",
        "log_root": f"file://{home / 'logs'}",
        "keys": {"required": False, "private": "any", "trusted": {}},
        "policy": GATES,
        **changes,
    }
    (home / ".git").mkdir(exist_ok=True)
    (home / "lockgate.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project in which nothing was promoted."""
    monkeypatch.delenv("LOCKGATE_CONF")
    for name in ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER"):  # as in most containers
        monkeypatch.delenv(name, raising=False)
    with warnings.catch_warnings():  # of Metaflow's own
        warnings.simplefilter("ignore")
        import metaflow  # noqa: F401
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
