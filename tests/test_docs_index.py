"""docs/index.md links every page, links lead somewhere, and the pages about the code name files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INDEX = ROOT / "docs/index.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
MAPS = [ROOT / "ARCHITECTURE.md", ROOT / "docs/walkthrough.md", ROOT / "docs/glossary.md"]

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")
"""Stands for any name, as in `gates/kinds/KIND.py`."""


def find_links(page: Path) -> set[Path]:
    """The files that a page links, wherever they should be; pages of the web are left out."""
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text(encoding="utf-8"))}


def name_path(file: Path) -> str:
    return str(file.relative_to(ROOT))


def find_code(text: str) -> set[str]:
    """What stands between backticks outside of blocks of code."""
    return set(CODE.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)))


def find_lost_paths(text: str) -> list[str]:
    """The paths between backticks that start with a folder of the repository and lead to nothing."""
    folders = {file.name for file in ROOT.iterdir() if file.is_dir()}
    paths = {code for code in find_code(text) if re.fullmatch(r"[\w.-]+/[\w./-]*", code)}
    names = {path for path in paths if path.partition("/")[0] in folders}
    return sorted(path for path in names if not any(ROOT.glob(PLACEHOLDER.sub("*", path.rstrip("/")))))


def test_the_index_links_every_page() -> None:
    assert [name_path(page) for page in PAGES if page not in {INDEX, *find_links(INDEX)}] == []


@pytest.mark.parametrize("page", PAGES, ids=name_path)
def test_links_lead_to_files(page: Path) -> None:
    assert [str(target) for target in find_links(page) if not target.exists()] == []


@pytest.mark.parametrize("page", MAPS, ids=name_path)
def test_paths_lead_to_files(page: Path) -> None:
    assert find_lost_paths(page.read_text(encoding="utf-8")) == []


def test_rows_of_the_room_table_name_files_of_their_room() -> None:
    lost = []
    for row in MAPS[0].read_text(encoding="utf-8").splitlines():
        rooms = [room for room in find_code(row.split(" | ")[0]) if room.startswith(("gates/", "pipelines/"))]
        names = {name for name in find_code(row) if re.fullmatch(r"[a-z_]+\.py", name)} if row.startswith("| ") else ()
        lost += [name for name in names if rooms and not any((ROOT / room / name).is_file() for room in rooms)]
    assert lost == []


def test_a_path_that_leads_nowhere_is_reported() -> None:
    text = "`gates/kinds/threshold.py`, `gates/kinds/KIND.py`, `conf/gate/` and `model=xgb`, but `gates/none.py`"
    assert find_lost_paths(text) == ["gates/none.py"]
