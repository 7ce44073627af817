"""The wheel beside the oldest Metaflow that pyproject.toml allows; every other test runs beside the newest.

What is seen is all that a flow of one's own needs: the tests of tests/pipelines/gating/test_flows.py, called with the
Python of an environment that requirements/oldest.txt describes.
"""

from __future__ import annotations

import subprocess
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipelines.gating import test_flows as flows
from tests.pipelines.gating.test_flows import OwnRepository

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def oldest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the oldest Metaflow, installed by pip with hashes."""
    folder = tmp_path_factory.mktemp("oldest")
    venv.create(folder, with_pip=True, symlinks=True)
    install = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", ROOT / "requirements/oldest.txt"], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    return folder / "bin/python"


@pytest.fixture
def repository(oldest: Path, tmp_path: Path) -> OwnRepository:
    return replace(flows.write_repository(tmp_path), python=oldest)


@pytest.mark.parametrize(
    "story",
    [
        flows.test_a_champion_a_stale_run_and_forged_ones,
        flows.test_a_run_that_is_resumed,
        flows.test_evidence_of_a_branch_needs_a_join_that_merges,
        flows.test_with_decorates_a_flow_from_outside,
    ],
)
def test_a_flow_of_ones_own(repository: OwnRepository, story) -> None:
    story(repository)


@pytest.mark.parametrize(
    ("flow", "case", "line"),
    [
        ("plain", "silent", "the gated step gave no evidence; expected `lockgate.evidence(…)` in it"),
        ("twice", "", "the step is decorated twice; expected one @gated"),
    ],
)
def test_a_step_that_cannot_be_judged(repository: OwnRepository, flow: str, case: str, line: str) -> None:
    assert repository.start_flow(flow, *(["--case", case] if case else []))[1].startswith(line)


def test_the_project_file_reaches_a_pod_only_if_it_is_asked_for(repository: OwnRepository) -> None:
    for options, packaged in (((), False), (("--package-suffixes", ".py,.yaml"), True)):
        listed = repository.call(str(repository.python), "plain.py", "--no-pylint", *options, "package", "list")
        assert listed.returncode == 0, listed.stderr
        assert "/plain.py\n" in listed.stderr
        assert ("/lockgate.yaml\n" in listed.stderr) == packaged
    (repository.home / "lockgate.yaml").unlink()
    line = repository.start_flow("plain")[1]
    assert line.startswith("there is no lockgate.yaml here, and metaflow 2.16.0 adds none to a code package; expected")
    assert line.endswith(
        "(with an older one: `--package-suffixes .yaml` before `run`, with the file beside the flow's)"
    )


def test_a_metaflow_that_is_too_old_is_named(oldest: Path, tmp_path: Path) -> None:
    """Metaflow 2.15 had no decorators of steps that users define."""
    environment = tmp_path / "older"
    venv.create(environment, with_pip=True, symlinks=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (newer,) = oldest.parents[1].glob("lib/python*/site-packages")
    python = environment / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "metaflow==2.15.21"], check=True)
    (site / "needs.pth").write_text(f"{newer}\n", encoding="utf-8")
    done = subprocess.run(
        [python, "-c", "import lockgate.metaflow"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1].endswith(
        "RunError: metaflow 2.15.21 lacks what lockgate needs: cannot import name 'StepMutator' from 'metaflow';"
        " expected metaflow >=2.16,<2.20"
        " (install such a version: `pip install 'lockgate[metaflow]'`)"
    )
