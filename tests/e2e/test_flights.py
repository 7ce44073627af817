"""The year of flights, as a newcomer meets it: a fresh directory, no user name, the real table and the real gates.

One story, told by fixtures that follow each other; what it says on the way is asserted in the tests.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)

Told = subprocess.CompletedProcess[str]
EXPIRED = """
import sys
from datetime import UTC, datetime, timedelta
from gates import runs
from gates.log import Log
from gates.promotion import commit
from pipelines.settings import compose
log = Log(runs.log_store("flights"), project="flights")
long_ago = datetime.now(UTC) - timedelta(days=91)
commit(compose().policy, runs.claim(sys.argv[1]).evidence, log, actor="ada", clock=lambda: long_ago)
print(log.head().verdict)
"""


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

    def play(self, name: str, *words: str) -> None:
        record = self.shared / f"{name}.json"
        with self.alone():
            if not record.exists():
                done = self.project.run(*words)
                run = (self.project.runs() or [""])[-1]
                record.write_text(json.dumps([list(words), done.returncode, done.stdout, done.stderr, run]))
            *said, self.runs[name] = json.loads(record.read_text())
        self.told[name] = subprocess.CompletedProcess(*said)

    def copy(self, home: Path) -> Any:
        with self.alone():
            return self.project.copy(home)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, project_at: Any) -> Story:
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "flights"
    (shared / "home").mkdir(parents=True, exist_ok=True)
    story = Story(shared, project_at(shared / "home", ROOT / "conf"))
    story.play("xgb", "evaluate", "model=xgb", "--decision", "xgb.json")
    return story


@pytest.fixture(scope="module")
def predicted(first: Story) -> Story:
    first.play("predict", "predict")
    return first


@pytest.fixture(scope="module")
def judged(predicted: Story) -> Story:
    predicted.play("again", "evaluate", "model=xgb", "--json")
    predicted.play("baseline", "evaluate", "model=baseline", "--with", "card")
    predicted.play("logistic", "evaluate", "model=logistic", "--json")
    predicted.play("hist_gb", "evaluate", "model=hist_gb", "--json")
    return predicted


@pytest.fixture(scope="module")
def november(judged: Story) -> Story:
    words = ("evaluate", "as_of=2013-11", "experiment=fresher_window", "--json")
    judged.play("by day", *words)
    judged.play("by row", *words, "gate.clusters=ignore")
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


def test_the_same_model_is_the_champion_already(judged: Story) -> None:
    told = judged.told["again"]
    assert told.returncode == 0, told.stderr
    assert decision(told)["already_champion"]


def test_a_baseline_is_held_and_the_gates_are_named(judged: Story) -> None:
    told = judged.told["baseline"]
    assert told.returncode == 1, told.stderr
    assert "HOLD  failed: auc_floor, log_loss, auc_kept" in told.stdout


def test_a_card_reaches_the_run(judged: Story) -> None:
    run = judged.runs["baseline"]
    cards = list((judged.project.home / ".metaflow" / "mf.cards").rglob(f"**/{run.split('/')[1]}/**/*.html"))
    assert cards
    assert all("<html" in card.read_text(encoding="utf-8")[:2000].lower() for card in cards)


@pytest.mark.parametrize(
    ("model", "code", "verdict", "log_loss"), [("logistic", 1, "HOLD", 0.0059), ("hist_gb", 3, "INCONCLUSIVE", -0.0007)]
)
def test_other_models_beside_the_champion(judged: Story, model: str, code: int, verdict: str, log_loss: float) -> None:
    told = judged.told[model]
    assert told.returncode == code, told.stderr
    assert decision(told)["verdict"] == verdict
    assert outcome(told, "log_loss")["observed"] == pytest.approx(log_loss, abs=0.002)


def test_the_fresher_window_of_november_is_not_promoted(november: Story) -> None:
    told = november.told["by day"]
    assert told.returncode in (1, 3), told.stderr
    assert outcome(told, "log_loss")["clusters"] == 30
    assert outcome(told, "log_loss")["high"] > 0


def test_it_would_be_if_days_were_ignored_and_is_not_logged_even_so(november: Story) -> None:
    told = november.told["by row"]
    assert told.returncode == 0, told.stderr
    assert decision(told)["verdict"] == "PROMOTE"
    assert outcome(told, "log_loss")["high"] < 0
    assert outcome(told, "log_loss")["observed"] == outcome(november.told["by day"], "log_loss")["observed"]
    assert "nothing was logged or tagged: the override gate.clusters=ignore" in json.loads(told.stdout)["note"]
    history = november.project.history()
    assert [entry["verdict"] for entry in history[:4]] == ["PROMOTE", "HOLD", "HOLD", "INCONCLUSIVE"]
    assert len(history) == 5
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


def test_a_run_that_was_never_promoted_may_not_predict(judged: Story) -> None:
    line = refused(judged.project, "--upstream-run-id", judged.runs["baseline"])
    assert "was never promoted" in line


def blob(project: Any, run: str, artifact: str) -> Path:
    """The file that holds an artifact."""
    (index,) = (project.home / ".metaflow" / run / "end").glob("[0-9]*/0.data.json")
    key = json.loads(index.read_text(encoding="utf-8"))["objects"][artifact]
    return project.home / ".metaflow" / "EvaluateNewModel" / "data" / key[:2] / key


def test_a_model_that_is_not_what_was_judged_may_not_predict(predicted: Story, tmp_path: Path) -> None:
    """Another model's bytes, in the place of the promoted one's: intact, only not what was judged."""
    project = predicted.copy(tmp_path)
    stored = blob(project, predicted.runs["xgb"], "model")
    model = bytearray(pickle.loads(gzip.decompress(stored.read_bytes())))
    model[-1] ^= 1
    stored.write_bytes(gzip.compress(pickle.dumps(bytes(model), protocol=4)))
    assert "sha-256" in refused(project).lower()
    stored.write_bytes(b"garbage")
    assert "not what Metaflow stores" in refused(project)


def test_a_promotion_that_has_expired_may_not_predict(predicted: Story, tmp_path: Path) -> None:
    project = predicted.copy(tmp_path)
    for entry in (project.home / ".metaflow" / "lockgate" / "flights" / "log").glob("*.json"):
        entry.unlink()
    assert project.python("-c", EXPIRED, predicted.runs["xgb"]).stdout == "PROMOTE\n"
    assert "expired at" in refused(project)


def test_the_flow_runs_bare(tmp_path: Path) -> None:
    """As any Metaflow flow does: without lockgate's command, and without its configuration being named."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "METAFLOW_USER": "ada", "LC_ALL": "C.UTF-8"}
    flow = ROOT / "pipelines" / "evaluate.py"
    done = subprocess.run(
        [sys.executable, str(flow), "run"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "scored alone: there is no champion yet" in done.stdout
