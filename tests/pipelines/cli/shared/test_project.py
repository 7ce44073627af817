"""Every command names its project first, finds it from every folder, and leaves nothing behind where it only reads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lockgate import Evidence, Policy
from lockgate.gates.lifecycle.commit import commit
from lockgate.gates.log import Log
from lockgate.gates.runs import open_log_store
from tests.builders import GATES, GOOD, make_evidence
from tests.pipelines.gating.conftest import write_project

READING = (
    ("champion", "--all"),
    ("history", "--json"),
    ("holdouts",),
    ("waivers",),
    ("why", "Flow/7"),
    ("verify", "--deep"),
    ("plan",),
    ("plan", "Flow/7"),
    ("keys", "show"),
    ("bundle", "--out", "champion.tar"),
    ("export", "Flow/7", "--out", "folder"),
)
"""Verbs that read, in any project."""

READING_CONF = (("predictions", "versions"), ("predictions", "drafts"), ("predictions", "get", "key"), ("status",))
"""Verbs that read what a project with conf/ has besides."""

CONF_ONLY = (
    (("evaluate",), "a model and data to train it on"),
    (("reverify",), "fresh rows, and a model that lockgate can score"),
    (("predict",), "rows to predict and a prediction store"),
    (("predictions", "versions"), "a prediction store"),
    (("predictions", "withdraw"), "a prediction store"),
    (("predictions", "rollback"), "a prediction store"),
    (("selftest",), "a model and data to train it on, or else --evidence"),
    (("plan", "gate.confidence=0.9"), "conf/gate for overrides; --policy FILE tries another policy"),
    (("keys", "show", "--platform", "argo"), "conf/platform for --platform"),
    (("propose", "--out", "proposal"), "a model and data to train it on"),
    (("review", "proposal", "--head", "./head", "--out", "review"), "candidates and a model to score again"),
    (("push-data",), "a table"),
    (("demo",), "the models of conf/ and the flights"),
    (("status",), "models, data and flows"),
    (("manifests", "--out", "manifests"), "models, data and flows"),
)


@dataclass(frozen=True)
class Repository:
    """A repository with a folder `flows`, in which commands are run unless a test says another."""

    root: Path
    configuration: Path
    run_words: Callable[..., Any]

    @property
    def flows(self) -> Path:
        return self.root / "flows"

    def run(self, *words: str, cwd: Path | None = None, **env: str) -> Any:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.root.parent), "LC_ALL": "C.UTF-8", "COLUMNS": "160"}
        return self.run_words(*words, cwd=cwd or self.flows, env={**kept, **env})

    def name(self, *, project: str = "churn", log: str = "") -> str:
        """The first line of a command here."""
        address = log or f"{self.root}/.metaflow/lockgate/{project}"
        return f"project {project}, log {address}, configuration {self.configuration}\n"

    def list_files(self) -> list[str]:
        """All that is in the repository and in the folder around it, which is the home directory."""
        return sorted(str(path) for path in self.root.parent.rglob("*"))

    def promote(self) -> None:
        """A log of one entry, in the project's datastore."""
        log = Log(open_log_store("churn", root=f"file://{self.root}/.metaflow/lockgate"), project="churn")
        evidence = make_evidence(GOOD, model="1", rows="1", project="churn")
        commit(Policy.parse(GATES), evidence, log, actor="ada", clock=lambda: datetime.now(UTC))


@pytest.fixture
def repository(tmp_path: Path, run_lockgate: Callable[..., Any]) -> Repository:
    """It has lockgate.yaml, and the log is in Metaflow's local datastore. Nothing was promoted."""
    root = tmp_path / "repository"
    (root / "flows").mkdir(parents=True)
    write_project(root, log_root="datastore")
    return Repository(root=root, configuration=root / "lockgate.yaml", run_words=run_lockgate)


@pytest.fixture
def conf_repository(repository: Repository, orders_conf: Path) -> Repository:
    """The same with conf/."""
    repository.configuration.unlink()
    conf = Path(shutil.copytree(orders_conf, repository.root / "conf"))
    return Repository(root=repository.root, configuration=conf, run_words=repository.run_words)


def test_a_reading_command_creates_nothing(repository: Repository) -> None:
    before = repository.list_files()
    for words in READING:
        done = repository.run(*words)
        assert done.project_line == repository.name(), words
        assert "Traceback" not in done.stderr, words
        assert repository.list_files() == before, words
    champion = repository.run("champion")
    assert champion.returncode == 2
    assert champion.stderr.startswith("lockgate: project 'churn' has no champion yet (")
    assert repository.run("history").stdout == "nothing has been judged yet\n"
    assert repository.run("verify").returncode == 0


@pytest.mark.parametrize("store", ["sqlite", "parquet"])
def test_nor_does_it_in_a_project_with_conf(conf_repository: Repository, store: str) -> None:
    config = conf_repository.configuration / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("store: sqlite", f"store: {store}"), encoding="utf-8")
    assert f"store: {store}" in config.read_text(encoding="utf-8")
    before = conf_repository.list_files()
    for words in (*READING, *READING_CONF):
        done = conf_repository.run(*words)
        if words != ("status",):  # what is deployed may have another name
            assert done.project_line == conf_repository.name(project="orders"), words
        assert "Traceback" not in done.stderr, words
        assert conf_repository.list_files() == before, words
    assert "nothing has been published yet" in conf_repository.run("predictions", "versions").stderr


def test_the_answer_is_the_same_from_every_folder(repository: Repository) -> None:
    repository.promote()
    (repository.flows / ".metaflow").mkdir()  # as a flow leaves it that was started there before there was another
    here, there = (repository.run("history", cwd=folder) for folder in (repository.root, repository.flows))
    assert (here.project_line, here.returncode) == (repository.name(), 0)
    assert (there.project_line, there.stdout) == (here.project_line, here.stdout)
    assert "PROMOTE" in there.stdout
    outside = repository.run("history", cwd=repository.root.parent)
    assert (outside.returncode, outside.project_line) == (2, "")
    assert outside.stderr.startswith("lockgate: no configuration; expected lockgate.yaml or conf/ here, or above")


def test_a_datastore_above_the_project_is_metaflows_and_so_the_projects(repository: Repository) -> None:
    above = repository.root.parent / ".metaflow"
    above.mkdir()
    assert repository.run("history").project_line == repository.name(log=f"{above}/lockgate/churn")


@pytest.mark.parametrize("where", ["variable", "METAFLOW_HOME", "METAFLOW_PROFILE"])
def test_a_place_that_metaflow_is_configured_with_wins(repository: Repository, tmp_path: Path, where: str) -> None:
    setting = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path / "shared")}
    env = setting if where == "variable" else {"METAFLOW_HOME": str(tmp_path / "settings")}
    if where != "variable":
        name = "config.json"
        if where == "METAFLOW_PROFILE":
            env, name = {**env, "METAFLOW_PROFILE": "team"}, "config_team.json"
        (tmp_path / "settings").mkdir()
        (tmp_path / "settings" / name).write_text(json.dumps(setting), encoding="utf-8")
    done = repository.run("history", **env)
    assert done.project_line == repository.name(log=f"{tmp_path}/shared/.metaflow/lockgate/churn")


def test_another_log_root_is_named_as_it_is(repository: Repository) -> None:
    write_project(repository.root, log_root="file:///nowhere/logs")
    assert repository.run("keys", "show").project_line == repository.name(log="/nowhere/logs/churn")
    write_project(repository.root, log_root="s3://bucket/logs")
    assert repository.run("keys", "show").project_line == repository.name(log="s3://bucket/logs/churn")


def test_for_programs_the_first_line_is_an_event(repository: Repository) -> None:
    done = repository.run("history", "--json", LOCKGATE_LOG="json")
    event = json.loads(done.project_line)
    assert (event["event"], event["project"], event["log"]) == (
        "project",
        "churn",
        f"{repository.root}/.metaflow/lockgate/churn",
    )
    assert event["configuration"] == str(repository.configuration)
    assert json.loads(done.stdout) == []


def test_a_command_without_a_project_names_none(repository: Repository, tmp_path: Path) -> None:
    evidence, policy = tmp_path / "evidence.arrow", tmp_path / "policy.json"
    make_evidence(GOOD, model="1", rows="1").write(evidence)
    policy.write_text(json.dumps(GATES), encoding="utf-8")
    files = ("--evidence", str(evidence), "--policy", str(policy))
    for words in (
        ("judge", *files),
        ("plan", *files),
        ("explain", "auc"),
        ("plan", "--disagreement", ".1", *files[2:]),
    ):
        done = repository.run(*words, cwd=tmp_path)
        assert (done.project_line, done.stderr) == ("", ""), words


def test_the_projects_policy_is_tried_on_evidence_from_a_file(repository: Repository, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence.arrow"
    label = [0.0, 1.0] * 60
    scores = [0.3 + 0.4 * value + 0.002 * (row % 7) for row, value in enumerate(label)]
    Evidence.from_arrays(label=label, challenger=scores, champion=[*scores[1:], 0.5]).write(evidence)
    for words in (("plan",), ("selftest", "--trials", "20")):
        done = repository.run(*words, "--evidence", str(evidence))
        assert done.project_line == repository.name(), done
        assert done.returncode in (0, 1), done
        assert "nothing was logged" in done.stdout


@pytest.mark.parametrize(("words", "need"), CONF_ONLY)
def test_what_needs_conf_says_in_one_line_what_for(repository: Repository, words: tuple[str, ...], need: str) -> None:
    before = repository.list_files()
    done = repository.run(*words)
    assert (done.returncode, done.project_line, done.stdout) == (2, "", "")
    assert done.stderr == (
        f"lockgate: this command needs {need}; expected a project with conf/ @ {repository.configuration}"
        " (docs/own-flow.md says what each command needs)\n"
    )
    assert repository.list_files() == before


def test_a_policy_from_elsewhere_judges_nothing_on_the_record(repository: Repository) -> None:
    done = repository.run("judge", "ChurnFlow/7", "--policy", "theirs.yaml")
    assert (done.returncode, done.project_line) == (2, "")
    assert done.stderr.startswith("lockgate: whoever runs this would choose the gates of a run on the record; expected")
    assert not (repository.root / ".metaflow").exists()


def test_two_configurations_are_one_line(conf_repository: Repository) -> None:
    write_project(conf_repository.root)
    done = conf_repository.run("champion")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "lockgate.yaml and conf/ both say what is promoted" in done.stderr
    conf = str(conf_repository.configuration)
    named = conf_repository.run("champion", LOCKGATE_CONF=conf)
    assert named.project_line == conf_repository.name(project="orders")


def test_rules_of_two_revisions_are_those_of_the_working_directorys_project(repository: Repository) -> None:
    for name, confidence in (("base", 0.95), ("head", 0.9)):
        (repository.root / name).mkdir()
        write_project(repository.root / name, policy={**GATES, "confidence": confidence})
    done = repository.run("policy", "diff", "./base", "./head", cwd=repository.root)
    assert (done.returncode, done.stderr) == (1, "")
    assert "policy.confidence" in done.stdout
