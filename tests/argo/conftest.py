"""Production on this machine: a bucket, a metadata service and a Kubernetes API, all over HTTP."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.configuration import ROOT
from tests.harness.argo.cluster import EVENTS, Cluster, open_cluster
from tests.harness.argo.kubernetes_api import State, serve_kubernetes

IMAGE = "registry.example/lockgate@sha256:" + "0" * 64
CANARY = "s3cr3t-c4n4ry"
SECRETS = {
    name: f"{CANARY}-{name.lower()}"
    for name in (
        "METAFLOW_SERVICE_AUTH_KEY",
        "PGPASSWORD",
        "REDIS_PASSWORD",
        "LOCKGATE_REDIS_PASSWORD",
        "MY_TOKEN",
        "LOCKGATE_SIGNING_KEY",
        "AWS_SESSION_TOKEN",
    )
}


@dataclass(frozen=True)
class Production:
    """A project that is configured for production, and where it would go."""

    project: Any
    env: dict[str, str]
    api: State

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The console command, of the clean checkout."""
        process = self.project.python("-m", "lockgate.pipelines.cli.main", *words, **{**self.env, **env})
        assert CANARY not in process.stdout + process.stderr
        assert "Traceback" not in process.stderr
        return process


@pytest.fixture(scope="session")
def production_conf(orders_conf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The orders, on Argo, with an image, a schedule and events."""
    conf = tmp_path_factory.mktemp("production") / "conf"
    shutil.copytree(orders_conf, conf)
    replace_text(conf / "platform" / "argo.yaml", "image: null", f"image: {IMAGE}")
    replace_text(conf / "platform" / "argo.yaml", "required: true", "required: false")
    commit_folder(conf.parent)
    return conf


def commit_folder(folder: Path, *more: list[str]) -> None:
    """Make a git checkout of a folder, all of it in one commit."""
    ada = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "--quiet"], *more, ["add", "--all"], [*ada, "commit", "--quiet", "--message=all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def replace_text(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def api() -> Iterator[State]:
    """A Kubernetes API that holds nothing yet."""
    with serve_kubernetes() as state:
        yield state


@pytest.fixture(scope="session")
def surroundings(new_bucket: Callable[[], Any], new_metadata_service: Callable[[], str]) -> dict[str, str]:
    """What Metaflow is told of production; canaries stand where secrets do."""
    return {
        **new_bucket().env,
        **EVENTS,
        **SECRETS,
        "AWS_SECRET_ACCESS_KEY": f"{CANARY}-aws",
        "METAFLOW_USER": "ada",
        "METAFLOW_DEFAULT_METADATA": "service",
        "METAFLOW_SERVICE_URL": new_metadata_service(),
        "METAFLOW_SERVICE_RETRY_COUNT": "1",
        "METAFLOW_KUBERNETES_NAMESPACE": "models",
    }


@pytest.fixture(scope="session")
def bundle(
    tmp_path_factory: pytest.TempPathFactory, project_at: Any, production_conf: Path, surroundings: dict[str, str]
) -> Path:
    """What `lockgate manifests` wrote, and beside it what it said."""
    project = project_at(home=tmp_path_factory.mktemp("bundle"), conf=production_conf)
    process = project.run("manifests", "--out", "bundle", **surroundings)
    assert process.returncode == 0, process.stdout + process.stderr
    (project.home / "said").write_text(process.stdout + process.stderr, encoding="utf-8")
    return project.home / "bundle"


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, new_bucket: Callable[[], Any], new_metadata_service: Callable[[], str]
) -> Iterator[Cluster]:
    """Where templates are compiled and executed."""
    with open_cluster(tmp_path_factory.mktemp("cluster"), new_bucket(), new_metadata_service()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean git checkout of the code. For reading only."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("pipelines", "gates", "lockgate"):
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    commit_folder(copy, ["remote", "add", "origin", f"https://ada:{CANARY}-git@git.example/lockgate"])
    return copy


@pytest.fixture
def production(
    tmp_path: Path, checkout: Path, project_at: Any, production_conf: Path, surroundings: dict[str, str], api: State
) -> Production:
    """A clean checkout, and a Kubernetes to which nothing was deployed."""
    env = {
        **surroundings,
        "PYTHONPATH": str(checkout),
        "KUBECONFIG": str(api.kubeconfig(tmp_path)),
        "LOCKGATE_KUBERNETES_SECONDS": "30",
        "LOCKGATE_METADATA_SECONDS": "30",
    }
    return Production(project=project_at(home=tmp_path, conf=production_conf), env=env, api=api)
