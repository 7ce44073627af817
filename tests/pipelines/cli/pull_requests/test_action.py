"""action.yml: its own steps, as a runner calls them, on evidence of another repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
(STEP,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "judge"]


def ran(folder: Path, evidence: Path | str, policy: Path | str, fail: str = "true") -> tuple[int, dict[str, str], str]:
    """The exit code, the outputs and the summary."""
    folder.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GITHUB_ACTION_PATH": str(ROOT),
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": "outputs",
        "GITHUB_STEP_SUMMARY": "summary",
        "EVIDENCE": str(evidence),
        "POLICY": str(policy),
        "FAIL_ON_HOLD": fail,
        "PROGRAM": str(Path(sys.executable).with_name("lockgate")),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEP["run"]]
    completed = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    outputs = dict(line.split("=", 1) for line in (folder / "outputs").read_text(encoding="utf-8").splitlines())
    summary = folder / "summary"
    return completed.returncode, outputs, summary.read_text(encoding="utf-8") if summary.exists() else completed.stderr


@pytest.mark.parametrize(
    ("verdict", "fail", "code"),
    [
        ("PROMOTE", "true", 0),
        ("HOLD", "true", 1),
        pytest.param("HOLD", "false", 0, marks=pytest.mark.nightly),
        pytest.param("ERROR", "false", 2, marks=pytest.mark.nightly),
    ],
)
def test_a_verdict_is_reported_and_handed_on(
    tmp_path: Path,
    evidence_file: Callable[[str], Path],
    policy_file: Callable[..., Path],
    verdict: str,
    fail: str,
    code: int,
) -> None:
    completed, outputs, summary = ran(tmp_path / "job", evidence_file(verdict), policy_file(), fail)
    assert (completed, outputs["verdict"]) == (code, verdict)
    decision = json.loads(Path(outputs["decision"]).read_text(encoding="utf-8"))
    assert (decision["verdict"], outputs["run"]) == (verdict, "")
    assert len(outputs["decision_sha256"]) == 64
    assert summary == Path(outputs["report"]).read_text(encoding="utf-8")
    assert summary.startswith(f"## lockgate: {verdict}")


@pytest.mark.nightly
def test_names_of_files_are_names(tmp_path: Path, policy_file: Callable[..., Path]) -> None:
    for index, name in enumerate(("$(touch x)", "`touch x`", "--policy=y", "a; touch x", "-")):
        completed, outputs, message = ran(tmp_path / f"job{index}", name, policy_file())
        assert completed == 2
        assert "verdict" not in outputs
        assert len(message.splitlines()) == 1
    assert list(tmp_path.rglob("x")) == []


def test_every_input_and_output_is_documented_and_used() -> None:
    text = (ROOT / "docs" / "action.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in [*ACTION["inputs"], *ACTION["outputs"]])
    steps = ACTION["runs"]["steps"]
    values = [value for step in steps for value in step.get("env", {}).values()]
    assert all(any(f"inputs.{name} " in value for value in values) for name in ACTION["inputs"])
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_no_process_that_reads_evidence_has_a_token() -> None:
    steps = [step for step in ACTION["runs"]["steps"] if "token" in str(step)]
    assert [step["env"]["GITHUB_TOKEN"] for step in steps] == ["${{ github.token }}"]
    assert re.findall(r'"\$PROGRAM" (\w+)', steps[0]["run"]) == ["comment"]
