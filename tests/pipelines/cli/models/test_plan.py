"""`lockgate plan`: with a file, with an assumed disagreement, and with the run that was judged last.

Tests of gates/report/plan.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

AHEAD = {"ahead": {"kind": "improvement", "metric": "accuracy", "margin": 0.0}}


def test_an_assumed_disagreement_needs_no_run(project: Any, policy_file: Any) -> None:
    words = ["plan", "--policy", str(policy_file(checks=AHEAD)), "--disagreement", "0.05", "--gain", "accuracy=0.01"]
    completed = project.run(*words)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "6,644 rows" in completed.stdout
    assert "ease.ml/ci's bound asks for" in completed.stdout
    assert "a plan does not count as a look" in completed.stdout
    assert not (project.home / ".metaflow").exists()
    document = json.loads(project.run(*words, "--json").stdout)
    assert document["needs"][0]["rows"] == document["together_rows"] == 6644
    assert document["power"] == 0.8


def test_an_evidence_file(project: Any, evidence_file: Any, policy_file: Any) -> None:
    words = ["plan", "--evidence", str(evidence_file("PROMOTE")), "--policy", str(policy_file())]
    completed = project.run(*words)
    assert (completed.returncode, completed.stderr) == (0, "")
    words_shown = ("auc_floor", "log_loss", "twice the margin", "passes here", "promote.arrow")
    assert all(word in completed.stdout for word in words_shown)
    document = json.loads(project.run(*words, "--json", "--power", "0.9", "--gain", "log_loss=0.5").stdout)
    assert (document["rows"], document["power"], document["needs"][1]["truth"]) == (300, 0.9, 0.5)
    assert document["enough"] is True
    assert "ENOUGH  on 300 rows" in project.run(*words, "--gain", "log_loss=0.5").stdout


@pytest.mark.nightly
def test_a_condition_and_alternatives_show_their_parts(project: Any, evidence_file: Any, policy_file: Any) -> None:
    either = {"good": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"}, "ahead": AHEAD["ahead"]}
    checks = {
        "fewer": {"kind": "condition", "condition": "n - o > 0 +/- 0.05 /\\ d < 0.9 +/- 0.05"},
        "either": {"kind": "any_of", "checks": either},
    }
    words = ["plan", "--evidence", str(evidence_file("PROMOTE")), "--policy", str(policy_file(checks=checks))]
    words += ["--gain", "accuracy=0.1"]
    completed = project.run(*words)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert all(word in completed.stdout for word in ("all of", "one of", "cheapest way", "as narrow as asked takes"))
    assert "looks" not in completed.stdout  # a file comes without a log
    fewer, both = json.loads(project.run(*words, "--json").stdout)["needs"]
    assert [part["name"] for part in fewer["parts"]] == ["n - o > 0 +/- 0.05", "d < 0.9 +/- 0.05"]
    assert all(part["narrow_rows"] > 0 for part in fewer["parts"])
    assert both["cheapest"] == "good"
    assert both["parts"][1]["truth"] == 0.1


@pytest.mark.nightly
def test_after_evaluate_it_plans_with_the_run_that_was_judged_beside_a_champion(promoted: Any) -> None:
    first = promoted.run("plan")
    assert first.returncode == 0, first.stderr
    assert "evaluate a second model beside it first" in first.stdout
    assert promoted.run("evaluate", "model=baseline").returncode == 1
    before, (champion, pilot) = promoted.history(), promoted.runs()
    completed = promoted.run("plan")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert f"the pilot is {pilot}, the last one judged" in completed.stdout
    assert "clusters" in completed.stdout
    assert "looks: 1 of 2 taken at this holdout, 1 left" in completed.stdout
    again = promoted.run("evaluate")
    assert again.returncode == 0, again.stderr  # already champion: not logged, so no pilot
    document = json.loads(promoted.run("plan", "--json").stdout)
    assert pilot in document["pilot"]
    assert (document["looks_left"], document["looks"]) == (1, "1 of 2 taken at this holdout, 1 left")
    parsed = json.loads(promoted.run("plan", champion, "gate.checks.auc_floor.min=0.55", "--json").stdout)
    assert champion in parsed["pilot"]
    assert parsed["needs"][0]["rule"].startswith("auc >= 0.55")
    assert promoted.history() == before
    assert promoted.tags(pilot) == ["held"]


def test_before_anything_was_judged(project: Any) -> None:
    completed = project.run("plan")
    assert completed.returncode == 0, completed.stderr
    assert "no run has been judged yet" in completed.stdout
    assert "NOTHING PLANNED" in completed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b"], "several things to plan with are given"),
        (["1", "--disagreement", "0.1"], "several things to plan with are given"),
        (["--policy", "p.yaml", "gate.confidence=0.9"], "overrides or --policy FILE"),
        (["--gain", "log_loss"], "'log_loss' is not a gain; expected METRIC=VALUE"),
        (["--gain", "log_loss=much"], "'log_loss=much' is not a gain"),
        (["--gain", "acc=0.1"], "no gate compares 'acc'"),
        (["--power", "1.5"], "power is 1.5"),
        (["--disagreement", "2"], "the disagreement is 2"),
        (["nothing"], "no such run"),
        (["--evidence", "nowhere"], "No such file"),
        (["--policy", "nowhere"], "No such file"),
        (["gate.confidence=2"], "gate.confidence"),
    ],
)
def test_what_cannot_be_planned_is_one_line(project: Any, words: list[str], message: str) -> None:
    completed = project.run("plan", *words)
    assert (completed.returncode, completed.stdout) == (2, "")
    (line,) = completed.stderr.splitlines()
    assert message in line
    assert "bug" not in line


def test_evidence_that_cannot_be_judged_is_one_line(project: Any, evidence_file: Any, tmp_path: Path) -> None:
    completed = project.run("plan", "--evidence", str(evidence_file("ERROR")))
    assert (completed.returncode, completed.stdout) == (2, "")
    assert len(completed.stderr.splitlines()) == 1
    assert not list(tmp_path.glob(".metaflow/lockgate/*/log/*"))
