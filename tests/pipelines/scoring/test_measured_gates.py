"""What EvaluateNewModel measures, judged: one run beside a champion, and every gate that rests on its facts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

DRIFT = {"kind": "drift", "max": 0.5, "decide": "bound"}
REQUIRED = ["finished", "committed", "clean", "model", "champion", "data"]
MEASURED = ("predict_ms_per_1000_p50", "predict_ms_per_1000_p99", "model_bytes", "fit_seconds", "peak_memory_mb")
CHECKS: dict[str, dict[str, Any]] = {
    "features": {**DRIFT, "of": "features", "measure": "psi", "against": "training"},
    "moved": {**DRIFT, "of": "features", "measure": "js", "against": "champion"},
    "fitted": {**DRIFT, "of": "scores", "measure": "ks", "against": "training"},
    "alike": {**DRIFT, "of": "scores", "measure": "js", "against": "champion"},
    **{fact: {"kind": "resource", "fact": fact, "max": 1e6, "min": 0.001} for fact in MEASURED},
    "reproducible": {"kind": "parity", "max_difference": 0, "min_rows": 250},
    "traced": {"kind": "provenance", "require": REQUIRED, "max_age": "1h", "severity": "warn"},
    "sound": {
        "kind": "data",
        "min_rows": 500,
        "min_clusters": 20,
        "label_rate": {"min": 0.2, "max": 0.8},
        "max_missing": 0,
        "require_columns": ["region", "a"],
        "banned_columns": ["late", "day"],
        "types": {"region": "name", "b": "number"},
    },
    "fresh": {"kind": "data", "max_age": "30d", "severity": "warn"},
}


@pytest.fixture(scope="module")
def judged(promoted_project: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    """A second run in a promoted project, under a policy of these gates alone; the project and its outcomes."""
    project = promoted_project.copy(tmp_path_factory.mktemp("measured"))
    conf = project.home / "conf"
    shutil.copytree(project.conf, conf)
    policy = yaml.safe_load((conf / "gate" / "default.yaml").read_text(encoding="utf-8"))
    (conf / "gate" / "default.yaml").write_text(yaml.safe_dump({**policy, "checks": CHECKS}), encoding="utf-8")
    done = project.run(
        "evaluate", "--advisory", "--decision", "decision.json", "model.trees=25", LOCKGATE_CONF=str(conf)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    decision = json.loads((project.home / "decision.json").read_bytes())
    return project, {outcome["name"]: outcome for outcome in decision["outcomes"]}


def test_every_gate_judges(judged) -> None:
    _, outcomes = judged
    verdicts = {name: outcome["verdict"] for name, outcome in outcomes.items() if name not in ("traced", "fresh")}
    assert set(verdicts.values()) == {"PASS"}, {name: outcomes[name]["message"] for name in verdicts}
    assert outcomes["fresh"]["verdict"] == "FAIL"  # the orders are of 2024


def test_every_feature_is_a_part(judged) -> None:
    _, outcomes = judged
    for name in ("features", "moved"):
        assert [part["name"] for part in outcomes[name]["parts"]] == ["a", "b", "c", "region"]
        assert all(part["low"] <= part["observed"] <= part["high"] for part in outcomes[name]["parts"])
    assert outcomes["features"]["rows"] == outcomes["alike"]["rows"]


def test_the_scores_are_the_same_bit_for_bit(judged) -> None:
    _, outcomes = judged
    assert (outcomes["reproducible"]["observed"], outcomes["reproducible"]["rows"]) == (0, 256)


def test_where_it_comes_from(judged) -> None:
    """Whether the checkout that is tested is clean is not the test's to say; all else is."""
    _, outcomes = judged
    found = {part["name"]: part["verdict"] for part in outcomes["traced"]["parts"]}
    assert set(found) == {*REQUIRED, "age"}
    own = {name: verdict for name, verdict in found.items() if name not in ("committed", "clean")}
    assert set(own.values()) == {"PASS"}, outcomes["traced"]["parts"]


FORGED = """
import sys
from dataclasses import replace
from pathlib import Path
from lockgate.gates import runs
claimed = runs.load_claim(sys.argv[1])
assert claimed.evidence.witness is not None
Path(sys.argv[2]).write_bytes(claimed.evidence.to_bytes())
"""


def test_a_file_of_the_same_evidence_is_of_no_run(judged, tmp_path: Path) -> None:
    project, _ = judged
    made = project.python("-c", FORGED, project.runs()[-1], str(tmp_path / "evidence.arrow"))
    assert made.returncode == 0, made.stderr
    policy = project.home / "conf" / "gate" / "default.yaml"
    done = project.run(
        "judge", "--evidence", str(tmp_path / "evidence.arrow"), "--policy", str(policy), "--decision", "file.json"
    )
    assert done.returncode == 0, done.stderr
    decision = json.loads((project.home / "file.json").read_bytes())
    traced = next(outcome for outcome in decision["outcomes"] if outcome["name"] == "traced")
    assert traced["verdict"] == "ERROR"
    assert {part["name"] for part in traced["parts"] if part["verdict"] == "ERROR"} == {"finished", "model"}


def test_nothing_is_left_running(judged) -> None:
    """No process of Python is left that was started for this project to score again."""
    project, _ = judged
    home = str(project.home).encode()
    asked = [
        one for one in Path("/proc").glob("[0-9]*") if b"lockgate.pipelines.scoring.parity" in _read(one / "cmdline")
    ]
    left = [one for one in asked if home in _read(one / "environ")]
    assert left == []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
