"""What EvaluateNewModel measures, and every gate that judges it: one run beside a champion.

Tests of pipelines/scoring/evidence.py, pipelines/scoring/train.py, pipelines/scoring/champion.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from lockgate.gates.evidence.evidence import Evidence

DRIFT = {"kind": "drift", "max": 0.5, "decide": "bound"}
REQUIRED = ["finished", "committed", "clean", "model", "champion", "data"]
MEASURED = (
    "predict_cpu_ms_per_1000_p50",
    "predict_cpu_ms_per_1000_p99",
    "predict_ms_per_1000_p50",
    "predict_ms_per_1000_p99",
    "model_bytes",
    "fit_seconds",
    "peak_memory_mb",
)
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
def measured_run(promoted_project: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    """A second run in a promoted project, under a policy of these gates alone; the project and its outcomes."""
    project = promoted_project.copy(tmp_path_factory.mktemp("measured"))
    conf = project.home / "conf"
    shutil.copytree(project.conf, conf)
    policy = yaml.safe_load((conf / "gate" / "default.yaml").read_text(encoding="utf-8"))
    (conf / "gate" / "default.yaml").write_text(yaml.safe_dump({**policy, "checks": CHECKS}), encoding="utf-8")
    completed = project.run(
        "evaluate", "--advisory", "--decision", "decision.json", "model.trees=25", LOCKGATE_CONF=str(conf)
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    decision = json.loads((project.home / "decision.json").read_bytes())
    return project, {outcome["name"]: outcome for outcome in decision["outcomes"]}


def test_every_gate_judges(measured_run) -> None:
    _, outcomes = measured_run
    verdicts = {name: outcome["verdict"] for name, outcome in outcomes.items() if name not in ("traced", "fresh")}
    assert set(verdicts.values()) == {"PASS"}, {name: outcomes[name]["message"] for name in verdicts}
    assert outcomes["fresh"]["verdict"] == "FAIL"  # the orders are of 2024


def test_every_feature_is_a_part(measured_run) -> None:
    _, outcomes = measured_run
    for name in ("features", "moved"):
        assert [part["name"] for part in outcomes[name]["parts"]] == ["a", "b", "c", "region"]
        assert all(part["low"] <= part["observed"] <= part["high"] for part in outcomes[name]["parts"])
    assert outcomes["features"]["rows"] == outcomes["alike"]["rows"]


def test_the_scores_are_the_same_bit_for_bit(measured_run) -> None:
    _, outcomes = measured_run
    assert (outcomes["reproducible"]["observed"], outcomes["reproducible"]["rows"]) == (0, 256)


def test_where_it_comes_from(measured_run) -> None:
    """Whether the checkout that is tested is clean is not the test's to say; all else is."""
    _, outcomes = measured_run
    verdicts = {part["name"]: part["verdict"] for part in outcomes["traced"]["parts"]}
    assert set(verdicts) == {*REQUIRED, "age"}
    own = {name: verdict for name, verdict in verdicts.items() if name not in ("committed", "clean")}
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


def test_a_file_of_the_same_evidence_is_of_no_run(measured_run, tmp_path: Path) -> None:
    project, _ = measured_run
    completed = project.python("-c", FORGED, project.runs()[-1], str(tmp_path / "evidence.arrow"))
    assert completed.returncode == 0, completed.stderr
    facts = Evidence.from_bytes((tmp_path / "evidence.arrow").read_bytes()).facts
    assert facts["schema"] == {"region": "text", "a": "decimal", "b": "decimal", "c": "decimal"}
    policy = project.home / "conf" / "gate" / "default.yaml"
    verdict = project.run(
        "judge", "--evidence", str(tmp_path / "evidence.arrow"), "--policy", str(policy), "--decision", "file.json"
    )
    assert verdict.returncode == 0, verdict.stderr
    decision = json.loads((project.home / "file.json").read_bytes())
    traced = next(outcome for outcome in decision["outcomes"] if outcome["name"] == "traced")
    assert traced["verdict"] == "ERROR"
    assert {part["name"] for part in traced["parts"] if part["verdict"] == "ERROR"} == {"finished", "model"}


def test_nothing_is_left_running(measured_run) -> None:
    """No process of Python is left that was started for this project to score again."""
    project, _ = measured_run
    home = str(project.home).encode()
    processes = [
        process
        for process in Path("/proc").glob("[0-9]*")
        if b"lockgate.pipelines.scoring.parity" in read_bytes(process / "cmdline")
    ]
    remaining = [entry for entry in processes if home in read_bytes(entry / "environ")]
    assert remaining == []


def read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
