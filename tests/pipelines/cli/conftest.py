from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lockgate import Evidence
from lockgate.pipelines.pull_requests.rescore import Basis
from lockgate.pipelines.settings.settings import compose
from tests.builders import GATES
from tests.pipelines.cli.prompted import Project
from tests.pipelines.cli.pull_requests.forging import Desk

STRENGTH = {"PROMOTE": 0.6, "HOLD": 0.0, "INCONCLUSIVE": 0.305}


@pytest.fixture
def evidence_file(tmp_path: Path) -> Callable[[str], Path]:
    """An evidence file that the policy answers with this verdict."""

    def make(verdict: str) -> Path:
        lots = np.random.default_rng(3)
        label = (lots.random(300) < 0.4).astype(float)

        def scores(strength: float) -> Any:
            return np.clip(0.4 + strength * (label - 0.5) + lots.normal(0, 0.1, 300), 0.01, 0.99)

        champion, challenger = scores(0.3), scores(STRENGTH.get(verdict, 0.6))
        if verdict == "ERROR":
            challenger[:2] = np.nan
        file = tmp_path / f"{verdict.lower()}.arrow"
        Evidence.from_arrays(label=label, challenger=challenger, champion=champion).write(file)
        return file

    return make


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[..., Path]:
    """The policy, with what a test changes in it."""

    def make(**changes: Any) -> Path:
        file = tmp_path / "policy.yaml"
        file.write_text(yaml.safe_dump(GATES | changes, sort_keys=False), encoding="utf-8")
        return file

    return make


@pytest.fixture
def prompted(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Makes a project, signed or not, in which commands are typed."""
    results: list[Project] = []

    def make(*, signed: bool = False) -> Project:
        results.append(Project(tmp_path, signed=signed))
        return results[-1]

    yield make
    for result in results:
        result.leave()


@pytest.fixture(scope="session")
def weak(tmp_path_factory: pytest.TempPathFactory, project_at: Any, orders_conf: Path) -> Path:
    """A bundle of a champion that is easily beaten."""
    project = project_at(home=tmp_path_factory.mktemp("weak"), conf=orders_conf)
    assert project.run("evaluate", "model.trees=1", "model.max_depth=1").returncode == 0
    assert project.run("bundle", "--out", "champion.tar").returncode == 0
    return Path(project.home / "champion.tar")


@pytest.fixture
def desk(project: Any, weak: Path) -> Desk:
    """A pull request that changes nothing yet."""
    shutil.copytree(project.conf, project.home / "head" / "conf")
    basis = Basis(settings=compose(conf=project.conf).settings, reigning=None)
    return Desk(project, project.home / "head", weak, basis)
