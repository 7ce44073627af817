"""Whatever goes wrong ends with exit code 2 and one line, and leaves the log and the tags as they were.

Tests of pipelines/cli/main.py
Tests of pipelines/flows/output.py
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.gates.errors import LockgateError
from lockgate.pipelines import data
from lockgate.pipelines.settings.groups import ROOT
from lockgate.pipelines.settings.settings import compose

VERBS = ["evaluate", "judge", "champion", "history", "predict", "predictions", "manifests", "demo", "explain", "plan"]
SECRET = "s3cr3t-c4n4ry"


def refused(project: Any, *words: str, **env: str) -> str:
    """The one line of a command that must fail, and must not say that it is a bug."""
    completed = project.run(*words, **env)
    assert completed.returncode == 2, completed.stdout + completed.stderr
    assert completed.stdout == ""
    (line,) = [line for line in completed.stderr.splitlines() if not line.startswith("  ")]
    assert line.startswith("lockgate: ")
    assert "Traceback" not in completed.stderr
    assert "bug" not in line
    assert SECRET not in completed.stderr
    return line


@pytest.fixture
def conf(project: Any, tmp_path: Path) -> Path:
    """A copy of the orders' conf/ that a test may change; `LOCKGATE_CONF` has to name it."""
    shutil.copytree(project.conf, tmp_path / "conf")
    return tmp_path / "conf"


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([verb, "--help"] for verb in VERBS)])
def test_help_is_no_error(project: Any, words: list[str]) -> None:
    completed = project.run(*words)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "Usage: lockgate" in completed.stdout


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["judge", "--nothing"],
        ["judge", "a", "b"],
        ["history", "--last", "0"],
        ["history", "--last", "many"],
        ["champion", "extra"],
        ["predict", "extra"],
        ["predictions"],
        ["predictions", "get"],
        ["predictions", "get", "k", "--version", "one"],
        ["evaluate", "xgb"],
        ["evaluate", "--decision"],
    ],
)
def test_wrong_usage_is_exit_code_2(project: Any, words: list[str]) -> None:
    completed = project.run(*words)
    assert completed.returncode == 2
    assert "Traceback" not in completed.stderr
    assert project.runs() == []


@pytest.mark.parametrize(
    "word",
    [
        "model=nothing",
        "model.max_depth=${oc.env:CANARY}",
        b"model=\xff".decode("utf-8", "surrogateescape"),
        "as_of=2031-01",
    ],
)
def test_an_override_that_is_not_acceptable(project: Any, word: str) -> None:
    """Of every sort one: tests/pipelines/settings/test_overrides.py and data/test_holdout.py have the others."""
    refused(project, "evaluate", word, CANARY=SECRET)
    assert project.history() == []


@pytest.fixture
def declared(conf: Path) -> Callable[[str, str], None]:
    """Changes the declaration of the orders."""

    def change(old: str, new: str) -> None:
        file = conf / "data" / "orders.yaml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("path: ", "path: nowhere.csv #", "nowhere.csv does not exist"), ("target: late", "target: lat", "'late'?")],
)
def test_data_that_is_not_as_declared_stops_the_command(
    project: Any, conf: Path, declared: Callable[[str, str], None], old: str, new: str, message: str
) -> None:
    declared(old, new)
    assert message in refused(project, "evaluate", LOCKGATE_CONF=str(conf))
    assert project.history() == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target: late", "target: day", "holds text"),
        ("target: late", "target: order", "expected 0 or 1"),
        ("cluster: day", "cluster: dya", "data.cluster"),
        ("time: day", "time: region", "is not a time"),
        ("time: day", "time: a", "holds numbers"),
        ("key: [order]", "key: [region]", "repeat a key"),
        ("slices: [region]", "slices: [nothing]", "data.slices"),
        ("features: [region, a, b, c]", "features: [nothing]", "data.features"),
        ("features: [region, a, b, c]", "features: [late]", "features contain the target"),
        ("task: binary", "task: ranking", "data.task"),
    ],
)
def test_data_that_is_not_as_declared(
    monkeypatch: pytest.MonkeyPatch, conf: Path, declared: Callable[[str, str], None], old: str, new: str, message: str
) -> None:
    """As the flow reads the declaration and the table, in this process."""
    monkeypatch.setenv("LOCKGATE_CONF", str(conf))
    declared(old, new)

    def read() -> None:
        settings = compose().settings
        data.split(data.load(settings.data, root=ROOT), settings.data, settings.train, settings.as_of)

    with pytest.raises(LockgateError) as caught:
        read()
    assert message in str(caught.value)


def test_a_command_that_fails_leaves_the_log_and_the_tags(promoted: Any) -> None:
    (run,) = promoted.runs()
    before = promoted.history()
    for words in (["evaluate", "as_of=2031-01"], ["evaluate", "model=x"], ["judge", "EvaluateNewModel/1"]):
        refused(promoted, *words)
    assert promoted.history() == before
    assert sorted(promoted.tags(run)) == ["champion", "deployment_candidate"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["champion"], "has no champion yet"),
        (["predict"], "no model has been promoted yet"),
        (["predictions", "versions"], "nothing has been published yet"),
        (["predictions", "get", "k"], "nothing has been published yet"),
        (["predictions", "rollback"], "nothing has been published yet"),
        (["judge", "1"], "no such run"),
    ],
)
def test_before_anything_was_promoted(project: Any, words: list[str], message: str) -> None:
    assert message in refused(project, *words)


def test_an_empty_history_is_no_error(project: Any) -> None:
    assert project.run("history").stdout == "nothing has been judged yet\n"
    assert project.run("history", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    "window", ["2031-01", *(pytest.param(window, marks=pytest.mark.nightly) for window in ("yesterday", "2024-13"))]
)
def test_a_window_that_is_not_there(promoted: Any, window: str) -> None:
    refused(promoted, "predict", f"--window={window}")
    assert not (promoted.home / "predictions.db").exists()


@pytest.mark.parametrize("key", ["nobody", "", b"\xff".decode("utf-8", "surrogateescape"), "a\nb", "k" * 2000])
def test_a_prediction_that_is_not_there(promoted_predicted: Any, key: str) -> None:
    refused(promoted_predicted, "predictions", "get", "--", key)


@pytest.mark.parametrize("version", ["99", "-1", "99999999999999999999999"])
def test_a_version_that_is_not_there(promoted_predicted: Any, version: str) -> None:
    refused(promoted_predicted, "predictions", "get", "3", f"--version={version}")
    refused(promoted_predicted, "predictions", "rollback", f"--to={version}")


@pytest.fixture(scope="session")
def promoted_predicted(promoted_project: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    created = promoted_project.copy(tmp_path_factory.mktemp("predicted"))
    completed = created.run("predict")
    assert completed.returncode == 0, completed.stderr
    return created


@pytest.mark.parametrize("conf", ["nowhere", "."])
@pytest.mark.parametrize("words", [["evaluate"], ["champion"], ["predict"], ["predictions", "versions"], ["deploy"]])
def test_a_directory_without_configuration(project: Any, words: list[str], conf: str) -> None:
    assert "no configuration" in refused(project, *words, LOCKGATE_CONF=str(project.home / conf))


@pytest.mark.parametrize("words", [["evaluate"], ["predict"], ["reverify"], ["propose", "--out", "proposal"]])
def test_a_folder_that_cannot_be_written(project: Any, words: list[str]) -> None:
    """Below a file nobody can write, root neither."""
    (project.home / "file").touch()
    line = refused(project, *words, METAFLOW_DATASTORE_SYSROOT_LOCAL=str(project.home / "file"))
    assert "runs cannot be kept here: Not a directory; expected a folder that you may write to @ " in line
    assert line.endswith("(make it writable, or name another folder in METAFLOW_DATASTORE_SYSROOT_LOCAL)")


def test_predictions_that_cannot_be_written(promoted: Any, conf: Path) -> None:
    (promoted.home / "file").touch()
    store = conf / "store" / "sqlite.yaml"
    store.write_text(store.read_text(encoding="utf-8").replace("path: ", "path: file/"), encoding="utf-8")
    line = refused(promoted, "predict", LOCKGATE_CONF=str(conf))
    assert "the prediction store cannot be used: unable to open database file @ " in line
    assert line.endswith("(make the file and its folder writable, or change store.path)")


@pytest.mark.parametrize("debug", [False, True])
def test_an_exception_that_nobody_expected(project: Any, tmp_path: Path, *, debug: bool) -> None:
    """A data set's file makes a library that lockgate trusts break: a sitecustomize stands in for that."""
    (tmp_path / "sitecustomize.py").write_text(
        "import lockgate.pipelines.settings.settings\n"
        "def broken(*_, **__):\n    raise ZeroDivisionError('two\\nlines')\n"
        "lockgate.pipelines.settings.settings.compose = broken\n",
        encoding="utf-8",
    )
    words = ["--debug"] if debug else []
    completed = project.run("champion", *words, PYTHONPATH=str(tmp_path))
    assert completed.returncode != 0
    if debug:
        assert "Traceback" in completed.stderr
        assert completed.stderr.rstrip().endswith("two\nlines")
    else:
        assert completed.returncode == 2
        assert completed.stderr == "lockgate: this is a bug: ZeroDivisionError: two lines (run it again with --debug)\n"


@pytest.mark.parametrize("words", [["--debug", "judge", "1"], ["judge", "1", "--debug"]])
def test_debug_anywhere_shows_the_traceback(project: Any, words: list[str]) -> None:
    completed = project.run(*words)
    assert completed.returncode not in (0, 3)
    assert "Traceback" in completed.stderr
    assert "RunError" in completed.stderr.splitlines()[-1]


@pytest.mark.nightly
def test_what_a_flow_prints_is_shown_by_debug(project: Any) -> None:
    """Without it there is one line: see an override that is not acceptable, above."""
    loud = project.run("evaluate", "as_of=2031-01", "--debug")
    assert "Metaflow" in loud.stderr
    assert "Traceback" in loud.stderr


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores interrupts, and so does all that it starts, but for this."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_command_is_no_verdict(project: Any) -> None:
    """1 and 3 are verdicts: an interrupted evaluation must end with neither."""
    words = [str(Path(sys.executable).with_name("lockgate")), "evaluate"]
    with subprocess.Popen(
        words, cwd=project.home, env=project.env(), stderr=subprocess.PIPE, start_new_session=True, text=True
    ) as child:
        assert child.stderr.readline().startswith("project orders, log ")
        assert "reading orders" in child.stderr.readline()
        while not project.runs():  # until the flow has begun
            time.sleep(0.01)
        os.killpg(child.pid, signal.SIGINT)
        message = child.stderr.read()
        code = child.wait()
    assert code not in (0, 1, 3)
    assert "Traceback" not in message
    assert project.history() == []
