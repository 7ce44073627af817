"""`disclose: promotion_only` through the command line: no number of any outcome gets out, wherever one looks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

OUTCOMES = """
import json, sys
from lockgate import judge
from lockgate.gates import runs
from lockgate.pipelines.settings.settings import compose
policy = compose().policy.model_copy(update={"disclose": "all"})
def said(outcomes):
    for one in outcomes:
        yield from (value for value in (one.observed, one.low, one.high, one.p) if value is not None)
        yield from said(one.parts)
decision = judge(policy, runs.load_claim(sys.argv[1]).evidence)
json.dump({"numbers": list(said(decision.outcomes)), "names": list(policy.checks), "verdict": decision.verdict}, sys.stdout)
"""  # noqa: E501 (a script)


def canaries(project: Any, run: str) -> set[str]:
    """What a sealed run must not show: its gates' names, and their numbers as they are written anywhere."""
    completed = project.python("-c", OUTCOMES, run)
    assert completed.returncode == 0, completed.stderr
    document = json.loads(completed.stdout)
    numbers = [value for value in document["numbers"] if len(f"{value:.12g}".strip("-0.")) >= 6]
    assert len(numbers) >= 6
    output = {form.format(value) for value in numbers for form in ("{:.12g}", "{:.6g}", "{:.4g}", "{:+.4f}")}
    return {text for text in output if len(text.strip("+-0.")) >= 3} | set(document["names"])


@pytest.fixture
def sealed(project: Any, tmp_path: Path) -> Any:
    """The project of orders, with promotions disclosed and nothing else."""
    conf = tmp_path / "conf"
    shutil.copytree(project.conf, conf)
    file = conf / "gate" / "default.yaml"
    text = file.read_text(encoding="utf-8")
    assert "disclose: all" in text
    file.write_text(text.replace("disclose: all", "disclose: promotion_only"), encoding="utf-8")
    return replace(project, conf=conf)


def everything(project: Any, *words: str) -> tuple[int, str]:
    """All that a command says and writes, as text and as JSON, and all that is in the log after it."""
    code, message = 0, ""
    for also in ((), ("--json",)):
        completed = project.run(*words, *also, "--decision", "d.json", "--report", "r.md")
        code = completed.returncode
        message += completed.stdout + completed.stderr
    message += "".join((project.home / name).read_text(encoding="utf-8") for name in ("d.json", "r.md"))
    message += project.run("history").stdout + project.run("history", "--json").stdout + project.run("champion").stdout
    files = sorted((project.home / ".metaflow" / "lockgate").glob("*/log/*.json"))
    assert files
    return code, message + "".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.nightly
def test_a_promotion_and_a_refusal_tell_no_number(sealed: Any) -> None:
    first = sealed.run("evaluate", "--json")
    assert first.returncode == 0, first.stderr
    worse = sealed.run("evaluate", "model=baseline")
    assert worse.returncode == 1, worse.stderr
    promoted, refused = sealed.runs()
    hidden = canaries(sealed, promoted) | canaries(sealed, refused)
    assert {"auc_floor", "log_loss"} <= hidden
    for run, exit_code in ((refused, 1), (promoted, 0)):
        code, message = everything(sealed, "judge", run)
        assert code == exit_code
        message += first.stdout + first.stderr + worse.stdout + worse.stderr
        assert {text for text in hidden if text in message} == set()
        assert "INCONCLUSIVE" not in message
        assert "ERROR" not in message
        assert "however challengers are chosen through lockgate's answers" in " ".join(message.split())
    entries = sealed.history()
    decisions = [entry["event"]["decision"] for entry in entries]
    assert [decision["verdict"] for decision in decisions] == ["PROMOTE", "HOLD"]
    assert [(decision["outcomes"], decision["look"]["number"]) for decision in decisions] == [([], None)] * 2
    assert all(len(decision["commitment"]) == 64 for decision in decisions)
    assert [sorted(sealed.tags(run)) for run in (promoted, refused)] == [["champion", "deployment_candidate"], []]


@pytest.mark.parametrize(
    "verdict", ["HOLD", *(pytest.param(verdict, marks=pytest.mark.nightly) for verdict in ("INCONCLUSIVE", "ERROR"))]
)
def test_all_that_is_not_promoted_looks_alike(
    project: Any, evidence_file: Any, policy_file: Any, tmp_path: Path, verdict: str
) -> None:
    """Of an evidence file: what differs are the digests of what the outsider brought, and the commitment."""

    def told(which: str) -> tuple[int, str, Any, str]:
        policy = policy_file(disclose="promotion_only")
        words = ["judge", "--evidence", str(evidence_file(which)), "--policy", str(policy)]
        (tmp_path / "r.md").unlink(missing_ok=True)
        completed = project.run(*words, "--decision", "d.json", "--report", "r.md")
        decision = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
        own = (decision["binding"].pop("scores"), decision["look"].pop("key"), decision.pop("commitment"))
        assert all(own)
        report = (tmp_path / "r.md").read_text(encoding="utf-8").split("<sub>")[0]
        return completed.returncode, completed.stdout, decision, report

    assert told(verdict) == told("HOLD")
