"""What `make check` asks of this repository's workflows, asked of one that others get."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def lint_workflow(file: Path) -> str:
    """What zizmor and actionlint find; empty where that is nothing."""
    programs = Path(sys.executable).parent
    findings = []
    for command in (
        ["zizmor", "--offline", "--quiet", "--persona", "auditor"],
        ["actionlint", "-shellcheck=", "-pyflakes="],
    ):
        words = [str(programs / command[0]), *command[1:], file.name]
        completed = subprocess.run(words, cwd=file.parent, capture_output=True, text=True, check=False)
        if completed.returncode:
            findings.append(completed.stdout + completed.stderr)
    return "\n".join(findings)
