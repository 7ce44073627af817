"""`lockgate selftest`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_the_project_is_tried_and_nothing_is_logged(project: Any) -> None:
    completed = project.run("selftest", "--trials", "20", "--seeds", "2")
    assert completed.returncode in (0, 1), completed.stderr
    assert completed.stdout.startswith("selftest of the policy: xgb on orders, holdout 2024-05\n")
    for gain in ("the model with another seed", "Planted gains", "one score for every row", "trained on"):
        assert gain in completed.stdout
    assert "nothing was logged" in completed.stdout
    assert (project.history(), project.runs()) == ([], [])
    assert all(line.startswith("  ") for line in completed.stderr.splitlines())
    assert "judgements in" in completed.stderr


def test_an_evidence_file_is_tried_the_same_way_twice(project: Any, evidence_file: Any, policy_file: Any) -> None:
    words = ("selftest", "--evidence", str(evidence_file("PROMOTE")), "--policy", str(policy_file()))
    completed, again = project.run(*words, "--trials", "20"), project.run(*words, "--trials", "20")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert completed.stdout == again.stdout
    document = json.loads(project.run(*words, "--trials", "20", "--json").stdout)
    assert {"keeps", "destroys", "at_look", "plain_at_look"} <= document["drawn"][0].keys()
    assert {"kind", "value", "p", "shown", "allowed"} <= document["signs"][0].keys()
    assert "another seed" not in completed.stdout


def test_a_policy_that_cannot_fail_is_exit_code_1(project: Any, evidence_file: Any, policy_file: Any) -> None:
    floor = {"floor": {"kind": "threshold", "metric": "auc", "min": 0.01, "decide": "point"}}
    completed = project.run(
        "selftest",
        "--evidence",
        str(evidence_file("HOLD")),
        "--policy",
        str(policy_file(checks=floor)),
        "--trials",
        "20",
        "--json",
    )
    assert completed.returncode == 1, completed.stderr
    document = json.loads(completed.stdout)
    assert document["verdict"] == "unfit"
    assert "the policy cannot fail" in document["problems"][0]
    assert document["equal"]["promoted"]["count"] == document["equal"]["promoted"]["of"] == 20
    assert document["promised"] is None
    assert {"gains", "regressions", "hidden", "gates", "warnings", "drawn", "signs"} <= document.keys()
    assert document["equal"]["destroys"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["xgb"], "'xgb' is not an override"),
        (["model=nothing"], "model"),
        (["--evidence", "e.arrow"], "cannot read the evidence file: No such file or directory"),
        (["--policy", "p.yaml"], "it is not clear what to try"),
        (["as_of=2023-01"], "no rows"),
    ],
)
def test_what_cannot_be_tried_is_one_line_and_exit_code_2(project: Any, words: list[str], message: str) -> None:
    completed = project.run("selftest", *words)
    assert completed.returncode == 2
    (line,) = [line for line in completed.stderr.splitlines() if not line.startswith("  ")]
    assert line.startswith("lockgate: ")
    assert message in line


def test_evidence_of_one_model_has_nothing_to_swap(project: Any, policy_file: Any, tmp_path: Path) -> None:
    from lockgate import Evidence

    Evidence.from_arrays(label=[0, 1] * 20, challenger=[0.4, 0.6] * 20).write(tmp_path / "one.arrow")
    completed = project.run("selftest", "--evidence", str(tmp_path / "one.arrow"), "--policy", str(policy_file()))
    assert completed.returncode == 2
    assert "the evidence has no champion scores; expected a column `champion`: two models to swap" in completed.stderr


def test_trials_and_seeds_have_limits(project: Any) -> None:
    for words in (["--trials", "5"], ["--seeds", "1"], ["--trials", "many"]):
        assert project.run("selftest", *words).returncode == 2


def test_make_hands_its_overrides_on(project: Any) -> None:
    completed = project.run("selftest", "--overrides-from-make", LOCKGATE_MAKE_OVERRIDES="model=nothing\n")
    assert completed.returncode == 2
    assert "nothing" in completed.stderr
