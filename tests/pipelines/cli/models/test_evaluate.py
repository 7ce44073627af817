"""`lockgate evaluate` from start to end, on a small table.

Tests of pipelines/cli/models/predict.py
Tests of pipelines/cli/shared/flow_run.py
Tests of pipelines/promotion/decide.py
"""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_the_first_model_is_promoted_tagged_and_logged(promoted_project: Any) -> None:
    (run,) = promoted_project.runs()
    (entry,) = promoted_project.history()
    decision = entry["event"]["decision"]
    report = (entry["seq"], decision["verdict"], decision["binding"]["run"], entry["actor"])
    assert report == (1, "PROMOTE", run, "lockgate")
    assert entry["state"]["champion"]["run"] == run
    assert sorted(promoted_project.tags(run)) == ["champion", "deployment_candidate"]
    report = json.loads(promoted_project.run("champion", "--json").stdout)
    assert report == {**entry["state"]["champion"], "reigns": True, "refusal": "", "signed": False}
    assert run in promoted_project.run("champion").stdout


def test_a_policy_that_does_not_fit_ends_the_command_before_anything_is_trained(promoted_project: Any) -> None:
    runs = promoted_project.runs()
    refused = promoted_project.run("evaluate", "data.slices=[]", "gate.checks.auc_floor.metric=r2")
    metric, slices = refused.stderr.splitlines()
    assert refused.returncode == 2
    assert metric.startswith("lockgate: unknown metric 'r2' for task binary; expected one of auc, ")
    assert slices == "lockgate: the table has no slices by region; expected slices @ gate.checks.carriers.by"
    assert promoted_project.runs() == runs


@pytest.fixture(scope="module")
def judged(promoted_project: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any]:
    """A project in which the champion was trained again and a worse model was judged; what was said of each."""
    created = promoted_project.copy(tmp_path_factory.mktemp("judged"))
    again = created.run("evaluate", "--json", "--decision", "again.json")
    worse = created.run("evaluate", "model=baseline", "--report", "report.md", "--decision", "worse.json")
    return created, again, worse


@pytest.mark.nightly
def test_the_same_model_again(judged: tuple[Any, Any, Any]) -> None:
    project, again, _ = judged
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert document["decision"]["already_champion"]
    assert document["entry"] is None
    assert "it is the champion already" in document["note"]
    assert json.loads((project.home / "again.json").read_text(encoding="utf-8"))["already_champion"]
    assert [entry["event"]["decision"]["verdict"] for entry in project.history()] == ["PROMOTE", "HOLD"]
    assert project.tags(project.runs()[1]) == []


def test_a_worse_model(judged: tuple[Any, Any, Any]) -> None:
    project, _, worse = judged
    assert worse.returncode == 1, worse.stderr
    assert all(name in worse.stdout for name in ("auc_floor", "log_loss", "HOLD"))
    assert (project.home / "report.md").read_text(encoding="utf-8").startswith("## lockgate: HOLD")
    written = json.loads((project.home / "worse.json").read_text(encoding="utf-8"))
    item, two = project.history()
    assert two["event"]["decision"]["verdict"] == written["verdict"] == "HOLD"
    assert two["event"]["decision"] == {name: value for name, value in written.items() if name != "state"}
    assert two["previous"]
    assert item["log_id"] == two["log_id"]
    assert project.tags(project.runs()[-1]) == ["held"]

    repeated = project.run("judge", project.runs()[-1], "--json")
    assert repeated.returncode == 1
    noted = json.loads(repeated.stdout)["note"]
    assert noted.startswith("recorded before as entry 2 of the promotion log (unsigned); ")
    assert len(project.history()) == 2

    listed = json.loads(project.run("history", "--json").stdout)
    assert listed == project.history()
    assert [entry["seq"] for entry in json.loads(project.run("history", "--json", "--last", "1").stdout)] == [2]
    output = project.run("history").stdout
    assert project.runs()[0] in output
    assert "HOLD" in output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--advisory"], "this is advisory"),
        (
            ["gate.confidence=0.9", "store.path=other.db"],
            "the override gate.confidence=0.9 changes what the gates' owners decide",
        ),
    ],
)
def test_advice_and_changed_gates_are_judged_and_never_logged(project: Any, words: list[str], why: str) -> None:
    completed = project.run("evaluate", *words, "--json")
    assert completed.returncode == 0, completed.stderr
    document = json.loads(completed.stdout)
    assert document["decision"]["verdict"] == "PROMOTE"
    assert document["note"].startswith(f"nothing was logged or tagged: {why}")
    assert project.history() == []
    (run,) = project.runs()
    assert project.tags(run) == []


@pytest.mark.nightly
def test_overrides_come_from_make_line_by_line(project: Any) -> None:
    completed = project.run(
        "evaluate", "--overrides-from-make", "--advisory", LOCKGATE_MAKE_OVERRIDES="model=baseline\nseed=3\n"
    )
    assert completed.returncode == 1, completed.stderr
    assert "baseline fitted" in completed.stderr


@pytest.mark.parametrize(
    "options",
    [
        "model=baseline\x0bseed=3\n",
        "model=baseline\x85\n",
        "model=baseline\u2028seed=3\n",
        "model=baseline\r\n",
        b"model=\xff\n".decode("utf-8", "surrogateescape"),
        "model=$(touch canary)\n",
        "--advisory\n",
        "model\n",
    ],
)
def test_what_make_hands_over_is_only_ever_split_at_newlines(project: Any, options: str) -> None:
    completed = project.run("evaluate", "--overrides-from-make", LOCKGATE_MAKE_OVERRIDES=options)
    assert completed.returncode == 2
    assert len(completed.stderr.splitlines()) == 1
    assert "bug" not in completed.stderr
    assert project.runs() == []
    assert not (project.home / "canary").exists()


def test_without_the_option_make_has_no_say(project: Any) -> None:
    completed = project.run("evaluate", "model=nothing", LOCKGATE_MAKE_OVERRIDES="model=alsonothing\n")
    assert "unknown model 'nothing'" in completed.stderr


@pytest.mark.nightly
def test_options_of_metaflow_reach_the_run(project: Any) -> None:
    """Also those whose value has `=` in it."""
    completed = project.run("evaluate", "model=baseline", "--tag", "why=trying", "--with", "retry:times=0", "--tag=two")
    assert completed.returncode == 1, completed.stderr
    (run,) = project.runs()
    assert sorted(project.tags(run)) == ["held", "two", "why=trying"]


def test_an_option_that_metaflow_does_not_have_is_said(project: Any) -> None:
    completed = project.run("evaluate", "--no-such-option")
    assert completed.returncode == 2
    assert "no such option" in completed.stderr.lower()
    assert "Traceback" not in completed.stderr


@pytest.mark.nightly
def test_predictions_are_published_read_and_rolled_back(promoted: Any) -> None:
    (run,) = promoted.runs()
    first = promoted.run("predict", "--json")
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert (document["version"], document["current"], document["window"], document["champion_run"]) == (
        1,
        True,
        "2024-06",
        run,
    )
    second = promoted.run("predict", "--window", "2024-05", "--upstream-run-id", run.split("/")[1])
    assert second.returncode == 0, second.stderr
    assert "version 2: 666 predictions of 2024-05" in second.stdout
    assert promoted.run("predictions", "get", "5").returncode == 2  # an order of June
    completed = promoted.run("predictions", "get", "5", "--version", "1", "--json")
    assert 0 < json.loads(completed.stdout)["score"] < 1
    assert promoted.run("predictions", "rollback").stdout.startswith("version 1 is current again")
    assert promoted.run("predictions", "get", "5").stdout.endswith(f"version 1 (2024-06), {run}\n")
    assert [version["version"] for version in json.loads(promoted.run("predictions", "versions", "--json").stdout)] == [
        2,
        1,
    ]
    assert promoted.run("predictions", "versions").stdout.splitlines()[1].startswith("*    1")
