"""`lockgate init` as it is typed: twice, beside a flow, and where a file cannot be written. The pages play the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

FLOW = """
import metaflow

class ChurnFlow(metaflow.FlowSpec):
    @metaflow.step
    def start(self):
        self.model = Model().fit()
"""


def read_tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


@pytest.fixture
def start(project: Any) -> Any:
    """Types the command in a repository."""
    (project.home / ".git").mkdir()
    return lambda *words: project.run("init", *words, LOCKGATE_CONF="")


def test_a_second_time_changes_nothing_and_says_so(project: Any, start: Any) -> None:
    words = ("--project", "churn", "--owner", "@acme/platform")
    first = start(*words)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(
        "wrote lockgate.yaml, policy.yaml, scores_flow.py, .github/workflows/lockgate.yml in "
    )
    assert "\nadded lines to .github/CODEOWNERS\n" in first.stdout
    written = read_tree(project.home)
    assert len(written) == 5
    (project.home / "policy.yaml").write_text(
        (project.home / "policy.yaml").read_text(encoding="utf-8").replace("0.70", "0.80"), encoding="utf-8"
    )
    written = read_tree(project.home)
    again = start(*words)
    assert again.stdout.startswith("nothing to write: left as they are: lockgate.yaml, policy.yaml, scores_flow.py, ")
    assert read_tree(project.home) == written
    (project.home / "policy.yaml").unlink()
    assert start().stdout.startswith("wrote policy.yaml in ")
    assert read_tree(project.home).keys() == written.keys()


def test_a_flow_is_shown_what_it_needs_and_is_not_touched(project: Any, start: Any) -> None:
    (project.home / "churn_flow.py").write_text(FLOW, encoding="utf-8")
    shown = start("--project", "churn").stdout
    assert "next: gate ChurnFlow, whose step `start` fits a model @ churn_flow.py:6\n" in shown
    assert '    @gated(project="churn")    # above the @step of `start`\n' in shown
    assert (project.home / "churn_flow.py").read_text(encoding="utf-8") == FLOW
    gated = FLOW.replace("    @metaflow.step", '    @gated(project="churn")\n    @metaflow.step')
    (project.home / "churn_flow.py").write_text(gated, encoding="utf-8")
    assert start().stdout.endswith("ChurnFlow is gated: its step `start` @ churn_flow.py:7\n")


@pytest.mark.parametrize("blocked", [".github", ".github/workflows"])
def test_where_one_file_cannot_be_written_none_is(project: Any, start: Any, blocked: str) -> None:
    (project.home / blocked).parent.mkdir(exist_ok=True)
    (project.home / blocked).write_text("a file in the place of a folder", encoding="utf-8")
    before = read_tree(project.home)
    refused = start("--project", "churn")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert refused.stderr.startswith("lockgate: cannot write: Not a directory @ ")
    assert read_tree(project.home) == before


def test_what_does_not_fit_is_one_line(project: Any, start: Any) -> None:
    refused = start("--owner", "nobody")
    assert (
        refused.stderr == "lockgate: 'nobody' is no owner; expected @USER, @ORGANISATION/TEAM or an address @ --owner\n"
    )
    assert "binary" in start("--task", "ranking").stderr
    assert list(read_tree(project.home)) == []
