"""Three repositories, by the words of a page alone: an empty folder, its files, its commands, and what they print."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lockgate.pipelines.starter.contents import write_snippet
from lockgate.pipelines.starter.plan import plan_start
from tests.pages import BLOCK, ROOT, play_page


def test_a_flow_of_its_own_with_its_own_format(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert play_page("docs/own-flow.md", tmp_path) >= 7


def test_a_table_of_scores_and_no_flow(tmp_path: Path) -> None:
    assert play_page("docs/own-scores.md", tmp_path) >= 14


def test_an_evaluation_with_repeats(tmp_path: Path) -> None:
    play_page("docs/evaluations.md", tmp_path, since="## On the record")


def test_init_writes_for_the_flow_of_the_page_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCKGATE_CONF")
    page = (ROOT / "docs/own-flow.md").read_text(encoding="utf-8")
    files = {name: content for _, name, content in BLOCK.findall(page) if name}
    ungated = files["churn_flow.py"].replace('    @gated(project="churn")\n', "")
    (tmp_path / "churn_flow.py").write_text(ungated, encoding="utf-8")
    plan = plan_start(tmp_path, project="churn", task=None, owner=None, action=None)
    assert plan.created == {name: files[name] for name in ("lockgate.yaml", "policy.yaml")}
    assert plan.flow is not None
    assert (plan.flow.name, plan.flow.step, plan.flow.fits) == ("ChurnFlow", "start", True)
    for line in write_snippet(plan.flow, "churn", "binary").splitlines():
        code = line.split("#")[0].split("…")[0].strip()
        assert code in files["churn_flow.py"], code
