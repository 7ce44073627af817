"""Pages of the documentation as tests read them: their blocks of code, and what they show of a terminal."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
ROOT = Path(__file__).resolve().parents[1]


def read_blocks(page: str, language: str) -> list[str]:
    """The blocks of a page that are of one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block.split("```")[0] for block in text.split(f"```{language}\n")[1:]]


def read_terminal(page: str) -> Iterator[tuple[list[str], str]]:
    """Each command after a `$ ` in the page's blocks `console`, as words, and what is shown to be printed."""
    for block in read_blocks(page, "console"):
        for shown in block.removeprefix("$ ").split("\n$ "):
            command, _, printed = shown.partition("\n")
            yield shlex.split(command), printed.rstrip("\n")


def strip_lines(text: str) -> str:
    """Text without spaces at the ends of its lines, which nobody sees on a page."""
    return "\n".join(line.rstrip() for line in text.rstrip("\n").split("\n"))


def play_page(page: str, folder: Path, *, since: str = "") -> int:
    """Do in a folder what a page says: write its named blocks, type those of `sh`, and compare what it shows as `text`.

    `…` stands for a word, such as the number of a run. since: the heading to begin at. Returns how many lines agree.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "METAFLOW_USER": "ada",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "160",
    }
    printed, compared = "", 0
    for language, name, content in BLOCK.findall(text[text.index(since) :]):
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        elif language == "sh":
            completed = subprocess.run(
                ["sh", "-c", content], cwd=folder, env=env, capture_output=True, encoding="utf-8", check=False
            )
            assert "Traceback" not in completed.stderr
            printed = completed.stdout + completed.stderr
        elif language == "text":
            for line in content.splitlines():
                pattern = re.escape(line).replace("…", r"\S+")
                if not re.search(pattern, printed):
                    pytest.fail(f"the page says {line!r}, but it printed\n{printed}", pytrace=False)
                compared += 1
        else:
            pytest.fail(f"a block of {language} is neither a file nor a command", pytrace=False)
    return compared
