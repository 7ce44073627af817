"""`lockgate selftest`, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_the_project_is_tried_and_nothing_is_logged(project: Any) -> None:
    done = project.run("selftest", "--trials", "20", "--seeds", "2")
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.startswith("selftest of the policy: xgb on orders, holdout 2024-05\n")
    for said in ("the model with another seed", "Planted gains", "one score for every row", "trained on"):
        assert said in done.stdout
    assert "nothing was logged" in done.stdout
    assert (project.history(), project.runs()) == ([], [])
    assert all(line.startswith("  ") for line in done.stderr.splitlines())
    assert "judgements in" in done.stderr


def test_an_evidence_file_is_tried_the_same_way_twice(project: Any, evidence_file: Any, policy_file: Any) -> None:
    words = ("selftest", "--evidence", str(evidence_file("PROMOTE")), "--policy", str(policy_file()))
    done, again = project.run(*words, "--trials", "20"), project.run(*words, "--trials", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == again.stdout
    assert "another seed" not in done.stdout


def test_a_policy_that_cannot_fail_is_exit_code_1(project: Any, evidence_file: Any, policy_file: Any) -> None:
    floor = {"floor": {"kind": "threshold", "metric": "auc", "min": 0.01, "decide": "point"}}
    done = project.run(
        "selftest",
        "--evidence",
        str(evidence_file("HOLD")),
        "--policy",
        str(policy_file(checks=floor)),
        "--trials",
        "20",
        "--json",
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "unfit"
    assert "the policy cannot fail" in told["problems"][0]
    assert told["equal"]["promoted"]["count"] == told["equal"]["promoted"]["of"] == 20
    assert told["promised"] is None
    assert {"gains", "regressions", "hidden", "gates", "warnings"} <= told.keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["xgb"], "'xgb' is not an override"),
        (["model=nothing"], "model"),
        (["--evidence", "e.arrow"], "it is not clear what to try"),
        (["--policy", "p.yaml"], "it is not clear what to try"),
        (["as_of=2023-01"], "no rows"),
    ],
)
def test_what_cannot_be_tried_is_one_line_and_exit_code_2(project: Any, words: list[str], said: str) -> None:
    done = project.run("selftest", *words)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert line.startswith("lockgate: ")
    assert said in line


def test_evidence_of_one_model_has_nothing_to_swap(project: Any, policy_file: Any, tmp_path: Path) -> None:
    from lockgate import Evidence

    Evidence.from_arrays(label=[0, 1] * 20, challenger=[0.4, 0.6] * 20).write(tmp_path / "one.arrow")
    done = project.run("selftest", "--evidence", str(tmp_path / "one.arrow"), "--policy", str(policy_file()))
    assert done.returncode == 2
    assert "the evidence has no champion scores; expected a column `champion`: two models to swap" in done.stderr


def test_trials_and_seeds_have_limits(project: Any) -> None:
    for words in (["--trials", "5"], ["--seeds", "1"], ["--trials", "many"]):
        assert project.run("selftest", *words).returncode == 2


def test_make_hands_its_overrides_on(project: Any) -> None:
    done = project.run("selftest", "--overrides-from-make", LOCKGATE_MAKE_OVERRIDES="model=nothing\n")
    assert done.returncode == 2
    assert "nothing" in done.stderr
