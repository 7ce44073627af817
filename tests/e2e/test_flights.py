"""The year of flights, as a newcomer meets it: a fresh directory, no user name, the real table and the real gates.

One story, told by fixtures that build on each other; the tests assert what the commands answer on the way.

Tests of pipelines/scoring/predict.py
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.configuration import CONF, ROOT

Result = subprocess.CompletedProcess[str]
BY_ROW = """
import sys
from lockgate import Policy, judge
from lockgate.gates import runs
from lockgate.gates.log import Log
from lockgate.pipelines.settings.settings import compose
policy = Policy.parse({**compose().policy.model_dump(mode="json", exclude_unset=True), "clusters": "ignore"})
state = Log(runs.open_log_store("flights"), project="flights").state()
print(judge(policy, runs.load_claim(sys.argv[1]).evidence, state).to_json())
"""
FLOW = "pipelines/evaluate.py"


class FlightsStory:
    """A project and what its commands said, by name. Each is played once, whichever worker asks for it first."""

    def __init__(self, shared: Path, project: Any) -> None:
        self.shared, self.project = shared, project
        self.results: dict[str, Result] = {}
        self.runs: dict[str, str] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other worker plays."""
        with (self.shared / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def copy_checkout(self) -> Path:
        """What a newcomer clones: the code, the flights, and a conf/ in which nothing was changed."""
        checkout = self.shared / "checkout"
        if not checkout.exists():
            for name in ("lockgate", "gates", "pipelines", "data"):
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, checkout / name, symlinks=True, ignore=ignored)
            shutil.copytree(CONF, checkout / "conf")
        return checkout

    def bare(self, *words: str) -> Result:
        """`python WORDS` in the checkout, and no variable says where the configuration is."""
        home, checkout = self.project.home, self.copy_checkout()
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "METAFLOW_USER": "ada", "LC_ALL": "C.UTF-8"}
        env |= {"PYTHONPATH": str(checkout), "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(home)}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=checkout, env=env, capture_output=True, encoding="utf-8", check=False)

    def play(self, name: str, *words: str, bare: bool = False) -> None:
        record = self.shared / f"{name}.json"
        with self.alone():
            if not record.exists():
                process = self.bare(*words) if bare else self.project.run(*words)
                run = (self.project.runs() or [""])[-1]
                record.write_text(json.dumps([list(words), process.returncode, process.stdout, process.stderr, run]))
            *fields, self.runs[name] = json.loads(record.read_text())
        self.results[name] = subprocess.CompletedProcess(*fields)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, project_at: Any) -> FlightsStory:
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flights"
    (shared / "home").mkdir(parents=True, exist_ok=True)
    story = FlightsStory(shared, project_at(shared / "home", CONF))
    story.play("xgb", "evaluate", "model=xgb", "--decision", "xgb.json")
    return story


@pytest.fixture(scope="module")
def after_predict(first: FlightsStory) -> FlightsStory:
    first.play("predict", "predict")
    return first


@pytest.fixture(scope="module")
def after_judge(after_predict: FlightsStory) -> FlightsStory:
    after_predict.play("bare", FLOW, "run", bare=True)
    after_predict.play("again", "judge", after_predict.runs["bare"], "--json")
    after_predict.play("logistic", "evaluate", "model=logistic", "--json", "--with", "card")
    after_predict.play("hist_gb", "evaluate", "model=hist_gb", "--json")
    return after_predict


@pytest.fixture(scope="module")
def november(after_judge: FlightsStory) -> FlightsStory:
    after_judge.play("by day", "evaluate", "as_of=2013-11", "experiment=fresher_window", "--json")
    after_judge.play("by row", "-c", BY_ROW, after_judge.runs["by day"], bare=True)
    return after_judge


def decision(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)["decision"]


def outcome(result: Result, name: str) -> dict[str, Any]:
    return next(check for check in decision(result)["outcomes"] if check["name"] == name)


def test_the_first_model_is_promoted(first: FlightsStory) -> None:
    result = first.results["xgb"]
    assert result.returncode == 0, result.stderr
    assert "PROMOTE" in result.stdout
    assert "28,618 in 31" in result.stdout
    assert "244,737 rows to train on, 28,618 held out" in result.stderr
    written = json.loads((first.project.home / "xgb.json").read_text(encoding="utf-8"))
    assert written["verdict"] == "PROMOTE"
    blocking = [check["verdict"] for check in written["outcomes"] if check["severity"] == "block"]
    assert blocking == ["PASS", "SKIP", "SKIP", "SKIP", "PASS", "PASS"]
    watched = {check["name"]: check["verdict"] for check in written["outcomes"] if check["severity"] == "warn"}
    assert watched == dict.fromkeys(("drift", "reloaded", "fast"), "PASS")  # however busy the machine is
    assert first.project.tags(first.runs["xgb"]) == ["champion", "deployment_candidate"]


@pytest.mark.nightly
def test_the_month_after_is_predicted(after_predict: FlightsStory) -> None:
    result = after_predict.results["predict"]
    assert result.returncode == 0, result.stderr
    assert "predictions of 2013-11" in result.stdout
    (version,) = json.loads(after_predict.project.run("predictions", "versions", "--json").stdout)
    assert version["rows"] >= 20_000
    assert version["champion_run"] == after_predict.runs["xgb"]
    prediction = after_predict.project.run("predictions", "get", "2013-11-01/9E/3291/EWR", "--json")
    assert 0 < json.loads(prediction.stdout)["score"] < 1


@pytest.mark.nightly
def test_the_flow_runs_bare(after_judge: FlightsStory) -> None:
    """As any Metaflow flow does: without lockgate's command, and without its configuration being named."""
    result = after_judge.results["bare"]
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"scored beside the champion of {after_judge.runs['xgb']}" in result.stdout


@pytest.mark.nightly
def test_the_same_model_is_the_champion_already(after_judge: FlightsStory) -> None:
    assert after_judge.runs["bare"] != after_judge.runs["xgb"]
    result = after_judge.results["again"]
    assert result.returncode == 0, result.stderr
    assert decision(result)["already_champion"]


@pytest.mark.nightly
def test_a_card_reaches_the_run(after_judge: FlightsStory) -> None:
    run = after_judge.runs["logistic"]
    cards = list((after_judge.project.home / ".metaflow" / "mf.cards").rglob(f"**/{run.split('/')[1]}/**/*.html"))
    assert cards
    assert all("<html" in card.read_text(encoding="utf-8")[:2000].lower() for card in cards)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("model", "code", "verdict", "log_loss"), [("logistic", 1, "HOLD", 0.0059), ("hist_gb", 3, "INCONCLUSIVE", -0.0007)]
)
def test_other_models_beside_the_champion(
    after_judge: FlightsStory, model: str, code: int, verdict: str, log_loss: float
) -> None:
    result = after_judge.results[model]
    assert result.returncode == code, result.stderr
    assert decision(result)["verdict"] == verdict
    assert outcome(result, "log_loss")["observed"] == pytest.approx(log_loss, abs=0.002)


@pytest.mark.nightly
def test_the_fresher_window_of_november_is_not_promoted(november: FlightsStory) -> None:
    result = november.results["by day"]
    assert result.returncode in (1, 3), result.stderr
    assert outcome(result, "log_loss")["clusters"] == 30
    assert outcome(result, "log_loss")["high"] > 0


@pytest.mark.nightly
def test_it_would_be_if_days_were_ignored(november: FlightsStory) -> None:
    """The same scores, judged as if every flight were independent of the others."""
    result = november.results["by row"]
    assert result.returncode == 0, result.stderr
    by_row = json.loads(result.stdout)
    log_loss = next(check for check in by_row["outcomes"] if check["name"] == "log_loss")
    assert by_row["verdict"] == "PROMOTE"
    assert log_loss["high"] < 0
    assert log_loss["observed"] == outcome(november.results["by day"], "log_loss")["observed"]


@pytest.mark.nightly
def test_the_log_tells_the_story(november: FlightsStory) -> None:
    history = november.project.history()
    verdicts = [entry["event"]["decision"]["verdict"] for entry in history]
    assert verdicts[:3] == ["PROMOTE", "HOLD", "INCONCLUSIVE"]
    assert len(verdicts) == 4
    assert history[-1]["state"]["champion"]["run"] == november.runs["xgb"]


def refusal_line(project: Any, *words: str) -> str:
    """The one line with which Predict refuses; the last version stays."""
    before = project.run("predictions", "versions", "--json").stdout
    result = project.run("predict", *words)
    assert result.returncode == 2, result.stdout
    assert "Traceback" not in result.stderr
    assert project.run("predictions", "versions", "--json").stdout == before
    assert len(json.loads(before)) == 1
    return result.stderr.splitlines()[-1]


@pytest.mark.nightly
def test_a_run_that_was_never_promoted_may_not_predict(after_judge: FlightsStory) -> None:
    line = refusal_line(after_judge.project, "--upstream-run-id", after_judge.runs["logistic"])
    assert "was never promoted" in line
