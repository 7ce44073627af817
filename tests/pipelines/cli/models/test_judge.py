"""`lockgate judge --evidence`: exit codes, what is printed, what is written, and that nothing is logged.

Tests of pipelines/cli/shared/decision.py
Tests of pipelines/cli/shared/options.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockgate import Decision, Evidence, Policy, judge

CODES = {"PROMOTE": 0, "HOLD": 1, "ERROR": 2, "INCONCLUSIVE": 3}


@pytest.mark.parametrize(("verdict", "code"), CODES.items())
def test_the_exit_code_is_the_verdict(
    project: Any, evidence_file: Any, policy_file: Any, verdict: str, code: int
) -> None:
    completed = project.run("judge", "--evidence", str(evidence_file(verdict)), "--policy", str(policy_file()))
    assert completed.returncode == code, completed.stdout + completed.stderr
    assert completed.stderr == ""
    assert f"\n{verdict}  " in completed.stdout
    assert "nothing was logged or tagged: the evidence comes from a file" in completed.stdout
    assert all(name in completed.stdout for name in ("auc_floor", "log_loss", "interval"))
    assert not (project.home / ".metaflow").exists()


@pytest.mark.parametrize("verdict", CODES)
def test_json_the_decision_file_and_the_engine_say_the_same(
    project: Any, evidence_file: Any, policy_file: Any, tmp_path: Path, verdict: str
) -> None:
    evidence, policy = evidence_file(verdict), policy_file()
    words = ["judge", "--evidence", str(evidence), "--policy", str(policy), "--json"]
    completed = project.run(*words, "--decision", "d.json", "--report", "r.md")
    document = json.loads(completed.stdout)
    written = (tmp_path / "d.json").read_text(encoding="utf-8")
    assert document["decision"] == json.loads(written)
    assert document["entry"] is None
    decision = Decision.model_validate_json(written)
    assert written == decision.to_json() + "\n"
    import yaml

    own = judge(Policy.parse(yaml.safe_load(policy.read_text())), Evidence.read(evidence))
    assert decision.outcomes == own.outcomes
    assert decision.binding == own.binding
    assert (decision.verdict, decision.exit_code) == (verdict, completed.returncode)
    report = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert report.startswith(f"## lockgate: {verdict}\n")
    assert "| auc\\_floor |" in report or "auc&#95;floor" in report


def test_judging_twice_gives_the_same_bytes_but_for_the_clock(
    project: Any, evidence_file: Any, policy_file: Any, tmp_path: Path
) -> None:
    words = ["judge", "--evidence", str(evidence_file("HOLD")), "--policy", str(policy_file())]
    for name in ("one.json", "two.json"):
        assert project.run(*words, "--decision", name).returncode == 1
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_reports_are_appended_as_a_step_summary_wants_it(
    project: Any, evidence_file: Any, policy_file: Any, tmp_path: Path
) -> None:
    (tmp_path / "r.md").write_text("before\n", encoding="utf-8")
    words = ["judge", "--evidence", str(evidence_file("HOLD")), "--policy", str(policy_file()), "--report", "r.md"]
    project.run(*words)
    project.run(*words)
    text = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert text.startswith("before\n## lockgate: HOLD\n")
    assert text.count("## lockgate: HOLD") == 2


@pytest.mark.parametrize(("verdict", "code"), [("PROMOTE", 0), ("HOLD", 1), ("INCONCLUSIVE", 1), ("ERROR", 1)])
def test_promotions_only_tells_nothing_else(
    project: Any, evidence_file: Any, policy_file: Any, tmp_path: Path, verdict: str, code: int
) -> None:
    words = ["judge", "--evidence", str(evidence_file(verdict))]
    words += ["--policy", str(policy_file(disclose="promotion_only")), "--decision", "d.json", "--report", "r.md"]
    for also in ([], ["--json"]):
        completed = project.run(*words, *also)
        assert completed.returncode == code
        text = completed.stdout + (tmp_path / "d.json").read_text() + (tmp_path / "r.md").read_text()
        assert not any(word in text for word in ("observed", "auc_floor", "log_loss", "INCONCLUSIVE", "ERROR"))
        assert "the policy discloses promotions only" in text


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["EvaluateNewModel/1", "--evidence", "x", "--policy", "y"],
        ["--evidence", "x"],
        ["--policy", "y"],
    ],
)
def test_a_run_or_a_file_with_a_policy(project: Any, words: list[str]) -> None:
    completed = project.run("judge", *words)
    assert completed.returncode == 2
    assert completed.stderr.splitlines() == [
        "lockgate: nothing to judge; expected a RUN, or --evidence FILE with --policy FILE"
    ]


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"ARROW1\0\0", b"\x80\x04\x88.", b"\x89HDF"])
def test_evidence_that_is_none_is_one_line(project: Any, policy_file: Any, tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "evidence").write_bytes(garbage)
    completed = project.run("judge", "--evidence", "evidence", "--policy", str(policy_file()))
    assert (completed.returncode, completed.stdout) == (2, "")
    (line,) = completed.stderr.splitlines()
    assert "evidence" in line
    assert "bug" not in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "NoneType is no policy"),
        (b"[1, 2]", "list is no policy"),
        (b"a: [", "is not YAML"),
        (b"\xff\xfe", "is not YAML"),
        (b"!!python/object/apply:os.system [touch canary]", "a tag is not allowed"),
        (b"checks: {}", "gate"),
    ],
)
def test_a_policy_that_is_none_is_refused(
    project: Any, evidence_file: Any, tmp_path: Path, text: bytes, message: str
) -> None:
    (tmp_path / "policy.yaml").write_bytes(text)
    completed = project.run("judge", "--evidence", str(evidence_file("PROMOTE")), "--policy", "policy.yaml")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
    assert "bug" not in completed.stderr
    assert all(line.startswith("lockgate: ") for line in completed.stderr.splitlines())
    assert not (tmp_path / "canary").exists()


TWICE = (
    "auc_floor: {kind: threshold, metric: auc, min: 0.95, decide: point}",
    "auc_floor: {kind: threshold, metric: auc, min: 0.5, decide: point}",
)


@pytest.mark.parametrize("name", ["policy.yaml", "policy.json"])
@pytest.mark.parametrize("verb", ["judge", "plan", "selftest"])
def test_a_gate_that_is_written_twice_is_refused(
    project: Any, evidence_file: Any, policy_file: Any, tmp_path: Path, verb: str, name: str
) -> None:
    """The last, weaker one would count."""
    import yaml

    text = policy_file().read_text().replace("checks:\n", "checks:\n" + "".join(f"  {line}\n" for line in TWICE))
    if name.endswith(".json"):
        gates = ", ".join(json.dumps(yaml.safe_load(line))[1:-1] for line in TWICE)
        text = json.dumps(yaml.safe_load(policy_file().read_text())).replace('"checks": {', f'"checks": {{{gates}, ')
    (tmp_path / name).write_text(text, encoding="utf-8")
    completed = project.run(verb, "--evidence", str(evidence_file("PROMOTE")), "--policy", name)
    assert (completed.returncode, completed.stdout) == (2, "")
    (line,) = completed.stderr.splitlines()
    assert line.startswith(f"lockgate: 'auc_floor' occurs twice; expected each key once @ {name} (")


def test_every_mistake_in_a_policy_has_its_line(project: Any, evidence_file: Any, policy_file: Any) -> None:
    policy = policy_file(confidence=2, clusters="some", checks={"auc": {"kind": "threshold", "mertic": "auc"}})
    completed = project.run("judge", "--evidence", str(evidence_file("PROMOTE")), "--policy", str(policy))
    assert completed.returncode == 2
    lines = completed.stderr.splitlines()
    assert len(lines) >= 3
    for path in ("@ gate.confidence", "@ gate.clusters", "@ gate.checks.auc.mertic"):
        assert any(path in line for line in lines)


@pytest.mark.parametrize("option", ["--evidence", "--policy"])
def test_files_that_are_not_there_are_one_line(project: Any, evidence_file: Any, policy_file: Any, option: str) -> None:
    text = {"--evidence": str(evidence_file("HOLD")), "--policy": str(policy_file())} | {option: "nowhere"}
    completed = project.run("judge", *[word for pair in text.items() for word in pair])
    assert (completed.returncode, completed.stdout) == (2, "")
    (line,) = completed.stderr.splitlines()
    assert "No such file" in line
    assert "nowhere" in line


@pytest.mark.parametrize("option", ["--decision", "--report"])
@pytest.mark.parametrize("path", ["no/such/folder/file", "."])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_judged(
    project: Any, evidence_file: Any, policy_file: Any, option: str, path: str
) -> None:
    completed = project.run(
        "judge", "--evidence", str(evidence_file("HOLD")), "--policy", str(policy_file()), option, path
    )
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "Traceback" not in completed.stderr
