"""On CI a skipped test is a failed one: a check that did not run must not look like one that passed.

And what more than one folder of tests needs: an S3 server, and a directory in which `lockgate` runs.
"""

from __future__ import annotations

import atexit
import csv
import fcntl
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.configuration import CONF
from tests.project_line import split_project_line

ROOT = Path(__file__).parents[1]
os.environ["LOCKGATE_CONF"] = str(CONF)  # of child processes too
ON_CI = os.environ.get("CI", "").lower() in {"true", "1"}


hypothesis.settings.register_profile("lockgate", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("lockgate")  # no test asserts a time


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if ON_CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


COMMAND_PATHS = (
    "tests/argo/test_applying.py",
    "tests/argo/test_bundle.py",
    "tests/argo/test_container.py",
    "tests/argo/test_deploying.py",
    "tests/crashes/",
    "tests/e2e/test_own_tables.py",
    "tests/faults/",
    "tests/forgeries/",
    "tests/gates/log/test_race.py",
    "tests/gates/runs/test_datastore.py",
    "tests/gates/runs/test_tagging.py",
    "tests/github/",
    "tests/metadata/",
    "tests/packaging/",
    "tests/pipelines/cli/log/",
    "tests/pipelines/cli/models/",
    "tests/pipelines/cli/production/test_push_data.py",
    "tests/pipelines/cli/pull_requests/",
    "tests/pipelines/cli/shared/test_project.py",
    "tests/pipelines/cli/test_errors.py",
    "tests/pipelines/gating/test_flows.py",
    "tests/pipelines/models/test_imports.py",
    "tests/pipelines/promotion/test_events.py",
    "tests/pipelines/scoring/test_measured_gates.py",
    "tests/pipelines/scoring/test_month_by_month.py",
    "tests/pipelines/scoring/test_mutants.py",
    "tests/pipelines/scoring/test_parity.py",
    "tests/pipelines/scoring/test_used_rows.py",
    "tests/pipelines/stores/test_faults.py",
    "tests/pipelines/stores/test_killed.py",
    "tests/pipelines/stores/test_lifecycle.py",
    "tests/test_own_flow_page.py",
    "tests/workflows/",
)
"""Tests of whole commands beside servers, harnesses and kills. Each takes seconds: all of them, longer than the rest.

`make test` plays one year of the main job (tests/e2e) all the same.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest module first: begun last, it would be waited for by every worker but one."""
    for item in items:
        if item.nodeid.startswith(COMMAND_PATHS) and not item.get_closest_marker("nightly"):  # which takes minutes
            item.add_marker("nightly")
            item.add_marker("commands")
    items.sort(key=lambda item: not item.nodeid.startswith("tests/workflows/test_story.py"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores, as tests wait for servers and processes; at most four."""
    return min(4, (os.cpu_count() or 1) + 1)


@dataclass(frozen=True)
class S3:
    """A bucket of its own on a server that speaks S3."""

    endpoint: str
    bucket: str

    @property
    def store(self) -> dict[str, Any]:
        """What `obstore.store.S3Store` takes."""
        return {
            "bucket": self.bucket,
            "endpoint": self.endpoint,
            "access_key_id": "testing",
            "secret_access_key": "testing",
            "region": "us-east-1",
            "client_options": {"allow_http": True},
        }

    @property
    def env(self) -> dict[str, str]:
        """What Metaflow takes from the environment."""
        return {
            "METAFLOW_DEFAULT_DATASTORE": "s3",
            "METAFLOW_DATASTORE_SYSROOT_S3": f"s3://{self.bucket}/metaflow",
            "METAFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of `tests/s3_server.py`, on whatever port was free."""
    command = [sys.executable, str(ROOT / "tests" / "s3_server.py")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = next(line for line in server.stderr if "Running on" in line)
        drain = threading.Thread(target=lambda: [None for _ in server.stderr], daemon=True)  # a full pipe would stop it
        drain.start()
        yield line.split()[-1]
        server.terminate()
        drain.join()


@pytest.fixture(scope="session")
def outerbounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment for Outerbounds, which the README's command makes; one process at a time may make it."""
    with (tmp_path_factory.getbasetemp().parent / "outerbounds.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        completed = subprocess.run(
            ["make", "setup", "extra=outerbounds"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert completed.returncode == 0, completed.stderr
    return ROOT / ".venv-outerbounds"


@pytest.fixture(scope="session")
def new_metadata_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Starts a metadata service that knows no run, and gives its address."""
    script = str(ROOT / "tests" / "metadata" / "service.py")
    with ExitStack() as servers:

        def start() -> str:
            command = [sys.executable, script, str(tmp_path_factory.mktemp("service"))]
            server = servers.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            servers.callback(server.terminate)
            assert server.stdout is not None
            return server.stdout.readline().strip()

        yield start


@pytest.fixture(scope="session")
def new_bucket(s3_server: str) -> Callable[[], S3]:
    """Makes an empty bucket."""

    def make() -> S3:
        created = S3(endpoint=s3_server, bucket=f"b{uuid.uuid4().hex}")
        with urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{created.bucket}", method="PUT")) as answer:
            assert answer.status == 200
        return created

    return make


@pytest.fixture
def s3(new_bucket: Callable[[], S3]) -> S3:
    return new_bucket()


@cache
def _console() -> Callable[[dict[str, Any]], Any]:
    """Answers what `lockgate` says; for as long as this process lives."""
    from tests.forked import started

    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    console = ExitStack()
    ask = console.enter_context(started(ROOT / "tests" / "console.py", cwd="/", env=env))
    atexit.register(console.close)
    return ask


class ProjectProcess(subprocess.CompletedProcess[str]):
    """A finished command. Its `stderr` is without the first line, which names the project."""

    project_line: str


def _take_project_line(command: Sequence[str], code: int, out: str, err: str) -> ProjectProcess:
    line, rest = split_project_line(err)
    process = ProjectProcess(list(command), code, out, rest)
    process.project_line = line
    return process


def _run_lockgate(*words: str, cwd: Path, env: Mapping[str, str]) -> ProjectProcess:
    command = [str(Path(sys.executable).with_name("lockgate")), *words]
    completed = _console()({"words": command, "cwd": str(cwd), "env": dict(env)})
    return _take_project_line(command, completed["code"], completed["out"], completed["err"])


@pytest.fixture(scope="session")
def run_lockgate() -> Callable[..., ProjectProcess]:
    """`lockgate WORDS` in a directory and with an environment of the test's own, where the imports are done."""
    return _run_lockgate


@dataclass(frozen=True)
class Project:
    """A directory in which `lockgate` runs. Nothing of the caller's environment gets in but PATH."""

    home: Path
    conf: Path

    def env(self, **more: str) -> dict[str, str]:
        """No user name, as in most containers."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "LOCKGATE_CONF": str(self.conf),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(self.home),
            **more,
        }

    def run(self, *words: str, **env: str) -> ProjectProcess:
        """The console command, in a process of its own in which the imports are done; with variables of Python's own
        that could change those, the program itself."""
        command = [str(Path(sys.executable).with_name("lockgate")), *words]
        if any(name.startswith("PYTHON") for name in env):
            return self.call(*command, **env)
        return _run_lockgate(*words, cwd=self.home, env=self.env(**env))

    def python(self, *words: str, **env: str) -> ProjectProcess:
        return self.call(sys.executable, *words, **env)

    def call(self, *command: str, **env: str) -> ProjectProcess:
        done = subprocess.run(
            command, cwd=self.home, env=self.env(**env), capture_output=True, encoding="utf-8", check=False
        )
        return _take_project_line(command, done.returncode, done.stdout, done.stderr)

    def history(self) -> list[dict[str, Any]]:
        """The entries of the local log, as they are in the files."""
        files = sorted((self.home / ".metaflow" / "lockgate").glob("*/log/*.json"))
        return [json.loads(file.read_bytes()) for file in files]

    def runs(self, flow: str = "EvaluateNewModel") -> list[str]:
        """Pathspecs of the runs here, oldest first."""
        folder = self.home / ".metaflow" / flow
        return [f"{flow}/{name}" for name in sorted(path.name for path in folder.glob("[0-9]*"))]

    def tags(self, run: str) -> list[str]:
        """The user tags of a run."""
        document = json.loads((self.home / ".metaflow" / run / "_meta" / "_self.json").read_text(encoding="utf-8"))
        return sorted(document["tags"])

    def copy(self, home: Path) -> Project:
        """The same project, somewhere else."""
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        return Project(home=home, conf=self.conf)


def _write_orders(file: Path) -> None:
    """4,000 orders of January to June 2024; three columns say something about whether one is late."""
    lots = random.Random(1)
    with file.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table)
        rows.writerow(["order", "day", "region", "a", "b", "c", "late"])
        for order in range(4000):
            a, b, c = (lots.gauss(0, 1) for _ in range(3))
            region = lots.choice(["north", "south", "west"])
            chance = 1.2 * a - 0.8 * b + (0.8 if region == "west" else 0) - 0.5 + lots.gauss(0, 1)
            day = f"2024-{order % 6 + 1:02d}-{lots.randint(1, 28):02d}"
            rows.writerow([order, day, region, f"{a:.6f}", f"{b:.6f}", f"{c:.6f}", int(chance > 0)])


@pytest.fixture(scope="session")
def orders_conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' conf/, with a small table of orders beside the others, and that one chosen."""
    conf = tmp_path_factory.mktemp("orders") / "conf"
    shutil.copytree(CONF, conf)
    _write_orders(conf.parent / "orders.csv")
    options = {
        "project": "orders",
        "path": str(conf.parent / "orders.csv"),
        "target": "late",
        "key": "[order]",
        "time": "day",
        "cluster": "day",
        "slices": "[region]",
        "features": "[region, a, b, c]",
        "holdout": "{kind: period}",
        "as_of": '"2024-05"',
    }
    template = (conf / "data" / "table.yaml").read_text(encoding="utf-8").splitlines()
    orders = [f"{name}: {options[name]}" if (name := line.split(":")[0]) in options else line for line in template]
    (conf / "data" / "orders.yaml").write_text("\n".join(orders) + "\n", encoding="utf-8")
    for name, changes in {
        "config": {"data: flights": "data: orders"},
        "gate/default": {"by: carrier": "by: region", "max: 0.10": "max: 0.30", "min_rows: 200": "min_rows: 50"},
        "model/xgb": {"trees: 250": "trees: 20"},
    }.items():
        file = conf / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
    return conf


@pytest.fixture
def project(tmp_path: Path, orders_conf: Path) -> Project:
    """An empty project of orders."""
    return Project(home=tmp_path, conf=orders_conf)


@pytest.fixture(scope="session")
def promoted_project(tmp_path_factory: pytest.TempPathFactory, orders_conf: Path) -> Project:
    """A project in which the default model was promoted. For reading only."""
    created = Project(home=tmp_path_factory.mktemp("promoted"), conf=orders_conf)
    completed = created.run("evaluate")
    assert completed.returncode == 0, completed.stderr
    return created


@pytest.fixture
def promoted(tmp_path: Path, promoted_project: Project) -> Project:
    """A copy of a project in which the default model was promoted."""
    return promoted_project.copy(tmp_path)


@pytest.fixture(scope="session")
def project_at() -> type[Project]:
    """For a project that is neither of the two above."""
    return Project
