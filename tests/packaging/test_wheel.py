"""The wheel and the sdist: what is in them, and that they work beside a repository with a `gates/` of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lockgate import Evidence, __version__, hash_row_ids
from tests.packaging.conftest import build
from tests.pages import read_blocks, read_terminal

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "conf/gate/independent_rows.yaml"
EVALUATIONS = "docs/evaluations.md"
ROWS = 2000
FLOW = """
from metaflow import FlowSpec, step

import gates
import lockgate
import pipelines
from lockgate import Evidence, Policy, judge


class ChurnFlow(FlowSpec):
    @step
    def start(self):
        self.theirs = gates.OWNER + pipelines.OWNER
        self.next(self.end)

    @step
    def end(self):
        print("ran", self.theirs, judge.__module__)


if __name__ == "__main__":
    ChurnFlow()
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's repository, with packages `gates` and `pipelines` of its own, a flow, and scores to judge."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("gates", "pipelines"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text('OWNER = "theirs"\n', encoding="utf-8")
    (folder / "churn.py").write_text(FLOW, encoding="utf-8")
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, ROWS)
    champion, challenger = (
        np.clip(0.5 + gain * (label - 0.5) + rng.normal(0, 0.3, ROWS), 0.01, 0.99) for gain in (0.4, 0.6)
    )
    evidence = Evidence.from_arrays(
        label=label,
        challenger=challenger,
        champion=champion,
        row_id=np.arange(ROWS),
        facts={"train_row_hashes": hash_row_ids(np.arange(ROWS, 2 * ROWS))},
    )
    evidence.write(folder / "evidence.arrow")
    return folder


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has the wheel, and is used from within somebody's repository."""

    folder: Path
    repository: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the environment, with nothing of this repository in reach."""
        keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.run(
            [str(self.folder / "bin" / words[0]), *words[1:]],
            cwd=self.repository,
            env={**keep, "HOME": str(self.repository), "METAFLOW_USER": "ada", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )


def unpack(wheel: Path, folder: Path) -> None:
    """Install a wheel without what it needs: its files, and the console command."""
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    command = folder / "bin" / "lockgate"
    lines = [f"#!{folder}/bin/python", "from lockgate.pipelines.cli.main import main", "main()", ""]
    command.write_text("\n".join(lines), encoding="utf-8")
    command.chmod(0o755)
    # what it needs: the packages of this environment, but not this repository, which only a finder of theirs adds
    (site / "needs.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")


@pytest.fixture(scope="module")
def environment(wheel: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    unpack(wheel, folder)
    return Environment(folder=folder, repository=repository)


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"lockgate-{__version__}.dist-info/METADATA").decode()
    modules = {name for name in names if name.endswith(".py")}
    rooms = {
        f"lockgate/{path.relative_to(ROOT)}" for room in ("gates", "pipelines") for path in ROOT.glob(f"{room}/**/*.py")
    }
    assert modules == {*rooms, *(f"lockgate/{path.name}" for path in ROOT.glob("lockgate/*.py"))}
    assert {name for name in names if not name.startswith((f"lockgate-{__version__}.dist-info/", "lockgate/"))} == set()
    assert "lockgate/py.typed" in names
    assert re.search(r"^License-Expression: Apache-2.0$", metadata, flags=re.MULTILINE)
    needs = re.findall(r"^Requires-Dist: ([A-Za-z0-9_-]+)[^;\n]*$", metadata, flags=re.MULTILINE)
    assert sorted(needs, key=str.lower) == [
        "numpy",
        "pyarrow",
        "pydantic",
        "PyYAML",
        "rfc8785",
        "rich",
        "scipy",
        "typer",
    ]


@pytest.mark.nightly
def test_an_sdist_gives_the_same_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", checkout, tmp_path)
    with tarfile.open(sdist) as archive:
        assert not [name for name in archive.getnames() if "/tests/" in name or name.endswith(".yaml")]
        archive.extractall(tmp_path / "source", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (source,) = (tmp_path / "source").iterdir()
    (tmp_path / "again").mkdir()
    again = build("wheel", source, tmp_path / "again")
    contents = []
    for path in (wheel, again):
        with zipfile.ZipFile(path) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist() if name.startswith("lockgate/")})
    assert contents[0] == contents[1]


def test_the_command_works_beside_packages_of_the_same_names(environment: Environment) -> None:
    assert environment.run("lockgate", "--version").stdout == f"lockgate {__version__}\n"
    judged = environment.run("lockgate", "judge", "--evidence", "evidence.arrow", "--policy", str(POLICY))
    assert (judged.returncode, judged.stderr) == (0, "")
    assert "PROMOTE" in judged.stdout


@pytest.mark.parametrize("words", [["evaluate"], ["history"], ["predict"], ["deploy"], ["selftest"], ["plan"]])
def test_a_verb_that_needs_conf_says_so_where_there_is_none(environment: Environment, words: list[str]) -> None:
    refused = environment.run("lockgate", *words)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "no configuration; expected lockgate.yaml or conf/ here" in line
    assert f" @ {environment.repository}" in line
    assert "LOCKGATE_CONF is not set; set it to the directory conf/ of your project" in line


def test_the_library_works_beside_packages_of_the_same_names(environment: Environment) -> None:
    code = (
        "import gates, pipelines, lockgate; "
        "print(gates.OWNER, pipelines.OWNER, lockgate.judge.__module__, lockgate.__file__)"
    )
    words = environment.run("python", "-c", code).stdout.split()
    assert words[:3] == ["theirs", "theirs", "lockgate.gates.judge.engine"]
    assert str(environment.folder) in words[3]


@pytest.mark.nightly
def test_a_code_package_has_both_under_their_own_names(environment: Environment, tmp_path: Path) -> None:
    ran = environment.run("python", "churn.py", "--no-pylint", "run")
    assert "ran theirstheirs lockgate.gates.judge.engine" in ran.stdout, ran.stderr
    package = tmp_path / "code.tgz"
    saved = environment.run("python", "churn.py", "--no-pylint", "package", "save", str(package))
    assert saved.returncode == 0, saved.stderr
    with tarfile.open(package) as archive:
        names = {re.sub(r"^\.mf_code/", "", name) for name in archive.getnames()}
    assert {"churn.py", "gates/__init__.py", "pipelines/__init__.py"} <= names
    assert {"lockgate/__init__.py", "lockgate/gates/judge/engine.py", "lockgate/pipelines/predict.py"} <= names


@pytest.mark.nightly
def test_the_judge_needs_nothing_but_what_is_declared(
    wheel: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Installed by pip in an empty environment, in the versions of the lock."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True, symlinks=True)
    lock = (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    constraints = folder / "constraints.txt"
    pins = re.findall(r"^[a-z0-9._-]+==[^\\\n]+", lock, flags=re.MULTILINE)
    constraints.write_text("\n".join(pins), encoding="utf-8")
    install = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", constraints, wheel], check=True)
    environment = Environment(folder=folder, repository=repository)
    judged = environment.run("lockgate", "judge", "--evidence", "evidence.arrow", "--policy", str(POLICY))
    assert (judged.returncode, judged.stderr) == (0, "")
    code = "import importlib.metadata as m; print(*sorted({d.name for d in m.distributions()} - {'pip', 'setuptools'}))"
    brought = environment.run("python", "-c", code).stdout.split()
    assert "lockgate" in brought
    assert len(brought) <= 25
    (harness,), (policy,) = read_blocks(EVALUATIONS, "python"), read_blocks(EVALUATIONS, "yaml")
    assert environment.run("python", "-c", harness).returncode == 0
    (repository / "evaluation.yaml").write_text(policy, encoding="utf-8")
    ran = [environment.run(*words) for words, _ in read_terminal(EVALUATIONS)]
    assert [(completed.returncode, completed.stderr) for completed in ran] == [(0, ""), (0, ""), (0, ""), (3, "")]
    assert "\nPROMOTE  all 4 blocking gates" in ran[1].stdout
    for words, extra in ((("history",), "log"), (("evaluate",), "log")):
        refused = environment.run("lockgate", *words)
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert f"pip install 'lockgate[{extra}]'" in refused.stderr
