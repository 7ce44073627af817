"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.configuration import CONF, SHIPPED

ROOT = Path(__file__).resolve().parent.parent


def test_the_reference_of_gates_is_written_by_the_code() -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs/render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.PAGE.read_text(encoding="utf-8") == render.render_page(), "run `python docs/render.py`"


def fenced(page: str, language: str) -> list[str]:
    """The blocks of a page that are of one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block.split("```")[0] for block in text.split(f"```{language}\n")[1:]]


def test_the_readme_shows_gates_of_the_policy_that_ships() -> None:
    policy = yaml.safe_load((ROOT / "conf/gate/default.yaml").read_text(encoding="utf-8"))
    (block,) = fenced("README.md", "yaml")
    gates = yaml.safe_load(block)
    assert gates.items() <= policy["checks"].items()
    assert len(gates) == 2


def test_the_page_about_your_own_data_shows_every_key_of_a_table() -> None:
    """The values are those that ship; somebody who follows the page has changed them in conf/."""
    (block,) = fenced("docs/own-data.md", "yaml")
    assert yaml.safe_load(block) == yaml.safe_load((CONF / "data/table.yaml").read_text(encoding="utf-8"))
    shipped = yaml.safe_load((SHIPPED / "data/table.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(block).keys() == shipped.keys()


@pytest.mark.parametrize("page", ["README.md", "docs/evidence.md"])
def test_python_of_a_page_runs_as_it_stands_and_prints_what_the_page_shows(page: str) -> None:
    (code,) = fenced(page, "python")
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed in fenced(page, "text")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
