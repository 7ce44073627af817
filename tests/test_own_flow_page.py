"""docs/own-flow.md by its words alone: an empty repository, its files, its commands, and what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/own-flow.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_leads_from_nothing_to_a_second_refused_challenger(tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "METAFLOW_USER": "ada",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "160",
    }
    printed, compared = "", 0
    for language, name, content in blocks:
        if name:
            (tmp_path / name).write_text(content, encoding="utf-8")
        elif language == "sh":
            done = subprocess.run(
                ["sh", "-c", content], cwd=tmp_path, env=env, capture_output=True, encoding="utf-8", check=False
            )
            assert "Traceback" not in done.stderr
            printed = done.stdout + done.stderr
        elif language == "text":
            for line in content.splitlines():
                pattern = re.escape(line).replace("…", r"\S+")
                if not re.search(pattern, printed):
                    pytest.fail(f"the page says {line!r}, but it printed\n{printed}", pytrace=False)
                compared += 1
        else:
            pytest.fail(f"a block of {language} is neither a file nor a command", pytrace=False)
    assert compared >= 7
