"""The year of flights, as a newcomer meets it: a fresh directory, no user name, the real table and the real gates.

One story, told by fixtures that follow each other; what it says on the way is asserted in the tests.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.configuration import CONF, ROOT

Told = subprocess.CompletedProcess[str]
BY_ROW = """
import sys
from lockgate.gates import Policy, judge, runs
from lockgate.gates.log import Log
from lockgate.pipelines.settings.settings import compose
policy = Policy.parse({**compose().policy.model_dump(mode="json", exclude_unset=True), "clusters": "ignore"})
state = Log(runs.open_log_store("flights"), project="flights").state()
print(judge(policy, runs.load_claim(sys.argv[1]).evidence, state).to_json())
"""
BARE = str(ROOT / "pipelines" / "evaluate.py")


class Story:
    """A project and what its commands said, by name. Each is played once, whichever worker asks for it first."""

    def __init__(self, shared: Path, project: Any) -> None:
        self.shared, self.project = shared, project
        self.told: dict[str, Told] = {}
        self.runs: dict[str, str] = {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other worker plays."""
        with (self.shared / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def bare(self, *words: str) -> Told:
        """`python WORDS`, and nothing in the environment says where the configuration or the datastore is."""
        home = self.project.home
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "METAFLOW_USER": "ada", "LC_ALL": "C.UTF-8"}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=home, env=env, capture_output=True, encoding="utf-8", check=False)

    def play(self, name: str, *words: str, bare: bool = False) -> None:
        record = self.shared / f"{name}.json"
        with self.alone():
            if not record.exists():
                done = self.bare(*words) if bare else self.project.run(*words)
                run = (self.project.runs() or [""])[-1]
                record.write_text(json.dumps([list(words), done.returncode, done.stdout, done.stderr, run]))
            *said, self.runs[name] = json.loads(record.read_text())
        self.told[name] = subprocess.CompletedProcess(*said)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, project_at: Any) -> Story:
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flights"
    (shared / "home").mkdir(parents=True, exist_ok=True)
    story = Story(shared, project_at(shared / "home", CONF))
    story.play("xgb", "evaluate", "model=xgb", "--decision", "xgb.json")
    return story


@pytest.fixture(scope="module")
def predicted(first: Story) -> Story:
    first.play("predict", "predict")
    return first


@pytest.fixture(scope="module")
def judged(predicted: Story) -> Story:
    predicted.play("bare", BARE, "run", bare=True)
    predicted.play("again", "judge", predicted.runs["bare"], "--json")
    predicted.play("logistic", "evaluate", "model=logistic", "--json", "--with", "card")
    predicted.play("hist_gb", "evaluate", "model=hist_gb", "--json")
    return predicted


@pytest.fixture(scope="module")
def november(judged: Story) -> Story:
    judged.play("by day", "evaluate", "as_of=2013-11", "experiment=fresher_window", "--json")
    judged.play("by row", "-c", BY_ROW, judged.runs["by day"], bare=True)
    return judged


def decision(told: Told) -> dict[str, Any]:
    return json.loads(told.stdout)["decision"]


def outcome(told: Told, name: str) -> dict[str, Any]:
    return next(one for one in decision(told)["outcomes"] if one["name"] == name)


def test_the_first_model_is_promoted(first: Story) -> None:
    told = first.told["xgb"]
    assert told.returncode == 0, told.stderr
    assert "PROMOTE" in told.stdout
    assert "28,618 in 31" in told.stdout
    assert "244,737 rows to train on, 28,618 held out" in told.stderr
    written = json.loads((first.project.home / "xgb.json").read_text(encoding="utf-8"))
    assert written["verdict"] == "PROMOTE"
    blocking = [one["verdict"] for one in written["outcomes"] if one["severity"] == "block"]
    assert blocking == ["PASS", "SKIP", "SKIP", "SKIP", "PASS", "PASS"]
    watched = {one["name"]: one["verdict"] for one in written["outcomes"] if one["severity"] == "warn"}
    assert (set(watched), watched["drift"], watched["reloaded"]) == ({"drift", "reloaded", "fast"}, "PASS", "PASS")
    assert first.project.tags(first.runs["xgb"]) == ["champion", "deployment_candidate"]


def test_the_month_after_is_predicted(predicted: Story) -> None:
    told = predicted.told["predict"]
    assert told.returncode == 0, told.stderr
    assert "predictions of 2013-11" in told.stdout
    (version,) = json.loads(predicted.project.run("predictions", "versions", "--json").stdout)
    assert version["rows"] >= 20_000
    assert version["champion_run"] == predicted.runs["xgb"]
    found = predicted.project.run("predictions", "get", "2013-11-01/9E/3291/EWR", "--json")
    assert 0 < json.loads(found.stdout)["score"] < 1


@pytest.mark.nightly
def test_the_flow_runs_bare(judged: Story) -> None:
    """As any Metaflow flow does: without lockgate's command, and without its configuration being named."""
    told = judged.told["bare"]
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"scored beside the champion of {judged.runs['xgb']}" in told.stdout


@pytest.mark.nightly
def test_the_same_model_is_the_champion_already(judged: Story) -> None:
    assert judged.runs["bare"] != judged.runs["xgb"]
    told = judged.told["again"]
    assert told.returncode == 0, told.stderr
    assert decision(told)["already_champion"]


@pytest.mark.nightly
def test_a_card_reaches_the_run(judged: Story) -> None:
    run = judged.runs["logistic"]
    cards = list((judged.project.home / ".metaflow" / "mf.cards").rglob(f"**/{run.split('/')[1]}/**/*.html"))
    assert cards
    assert all("<html" in card.read_text(encoding="utf-8")[:2000].lower() for card in cards)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("model", "code", "verdict", "log_loss"), [("logistic", 1, "HOLD", 0.0059), ("hist_gb", 3, "INCONCLUSIVE", -0.0007)]
)
def test_other_models_beside_the_champion(judged: Story, model: str, code: int, verdict: str, log_loss: float) -> None:
    told = judged.told[model]
    assert told.returncode == code, told.stderr
    assert decision(told)["verdict"] == verdict
    assert outcome(told, "log_loss")["observed"] == pytest.approx(log_loss, abs=0.002)


@pytest.mark.nightly
def test_the_fresher_window_of_november_is_not_promoted(november: Story) -> None:
    told = november.told["by day"]
    assert told.returncode in (1, 3), told.stderr
    assert outcome(told, "log_loss")["clusters"] == 30
    assert outcome(told, "log_loss")["high"] > 0


@pytest.mark.nightly
def test_it_would_be_if_days_were_ignored(november: Story) -> None:
    """The same scores, judged as if every flight told something of its own."""
    told = november.told["by row"]
    assert told.returncode == 0, told.stderr
    by_row = json.loads(told.stdout)
    log_loss = next(one for one in by_row["outcomes"] if one["name"] == "log_loss")
    assert by_row["verdict"] == "PROMOTE"
    assert log_loss["high"] < 0
    assert log_loss["observed"] == outcome(november.told["by day"], "log_loss")["observed"]


@pytest.mark.nightly
def test_the_log_tells_the_story(november: Story) -> None:
    history = november.project.history()
    verdicts = [entry["event"]["decision"]["verdict"] for entry in history]
    assert verdicts[:3] == ["PROMOTE", "HOLD", "INCONCLUSIVE"]
    assert len(verdicts) == 4
    assert history[-1]["state"]["champion"]["run"] == november.runs["xgb"]


def refused(project: Any, *words: str) -> str:
    """The one line with which Predict refuses; the last version stays."""
    before = project.run("predictions", "versions", "--json").stdout
    told = project.run("predict", *words)
    assert told.returncode == 2, told.stdout
    assert "Traceback" not in told.stderr
    assert project.run("predictions", "versions", "--json").stdout == before
    assert len(json.loads(before)) == 1
    return told.stderr.splitlines()[-1]


@pytest.mark.nightly
def test_a_run_that_was_never_promoted_may_not_predict(judged: Story) -> None:
    line = refused(judged.project, "--upstream-run-id", judged.runs["logistic"])
    assert "was never promoted" in line
