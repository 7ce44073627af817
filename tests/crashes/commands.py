"""Runs `lockgate`, as often as it is asked over standard input, each time in a process of its own that may be killed.

A script: what takes long to import is there before the forks. All commands run in its directory, with its environment.
A request is a line of JSON: the words, and at which of the steps that the command reaches (from 0) it kills itself;
null: it runs to its end. The answer: exit code (−9: killed), output, and the steps reached.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from importlib import import_module
from typing import Any

from pipelines.settings import compose

IMPORTED_FIRST = (
    "metaflow", "numpy", "obstore.store", "pandas", "pyarrow", "scipy.stats", "gates.admission", "gates.engine",
    "gates.lifecycle", "gates.report.terminal", "pipelines.cli.deciding", "pipelines.cli.main",
    "pipelines.promotion_log", "pipelines.settings",
)  # fmt: skip


def run(asked: dict[str, Any], trace: int) -> None:
    """The command; does not return."""
    from gates import steps
    from pipelines.cli.main import main

    sys.argv = ["lockgate", *asked["words"]]
    reached = 0

    def hook(step: steps.Step) -> None:
        nonlocal reached
        os.write(trace, f"{step.name}\n".encode())
        if reached == asked["die_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        reached += 1

    steps.hook = hook
    code: Any = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Fork, run, wait."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as trace:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            run(asked, trace.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = []
        for file in (out, err, trace):
            file.seek(0)
            said.append(file.read().decode())
    return {"code": code, "out": said[0], "err": said[1], "steps": said[2].split()}


if __name__ == "__main__":
    for name in IMPORTED_FIRST:
        import_module(name)
    compose()  # for what Hydra imports
    for line in sys.stdin:
        print(json.dumps(answered(json.loads(line))), flush=True)
