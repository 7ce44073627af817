"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.configuration import CONF, SHIPPED
from tests.pages import read_blocks, read_terminal, strip_lines

ROOT = Path(__file__).resolve().parent.parent
EVALUATIONS = "docs/evaluations.md"


def test_the_reference_of_gates_is_written_by_the_code() -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs/render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.PAGE.read_text(encoding="utf-8") == render.render_page(), "run `python docs/render.py`"


def test_the_readme_shows_gates_of_the_policy_that_ships() -> None:
    policy = yaml.safe_load((ROOT / "conf/gate/default.yaml").read_text(encoding="utf-8"))
    (block,) = read_blocks("README.md", "yaml")
    gates = yaml.safe_load(block)
    assert gates.items() <= policy["checks"].items()
    assert len(gates) == 2


def test_the_page_about_your_own_data_shows_every_key_of_a_table() -> None:
    """The values are those that ship; somebody who follows the page has changed them in conf/."""
    (block,) = read_blocks("docs/own-data.md", "yaml")
    assert yaml.safe_load(block) == yaml.safe_load((CONF / "data/table.yaml").read_text(encoding="utf-8"))
    shipped = yaml.safe_load((SHIPPED / "data/table.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(block).keys() == shipped.keys()


@pytest.mark.parametrize("page", ["README.md", "docs/evidence.md"])
def test_python_of_a_page_runs_as_it_stands_and_prints_what_the_page_shows(page: str) -> None:
    (code,) = read_blocks(page, "python")
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed in read_blocks(page, "text")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_two_result_files_become_a_verdict_by_the_words_of_the_page(project: Any) -> None:
    """In a folder that has nothing but what the page says: no conf/, no flow, no log."""
    (harness,), (policy,) = read_blocks(EVALUATIONS, "python"), read_blocks(EVALUATIONS, "yaml")
    subprocess.run([sys.executable, "-c", harness], cwd=project.home, check=True)
    (project.home / "evaluation.yaml").write_text(policy, encoding="utf-8")
    exit_codes = []
    for (command, *words), shown in read_terminal(EVALUATIONS):
        assert command == "lockgate"
        completed = project.run(*words)
        assert strip_lines(completed.stdout) == shown
        assert completed.stderr == ""
        exit_codes.append(completed.returncode)
    assert exit_codes == [0, 0, 0, 3]
    verdicts = [
        shown.split("\n\n")[-1].split("  ")[0] for words, shown in read_terminal(EVALUATIONS) if "judge" in words
    ]
    assert verdicts == ["PROMOTE", "INCONCLUSIVE"]
