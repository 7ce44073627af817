"""Runs `lockgate` and more, as often as it is asked over standard input, each time in a fork of its own.

A script: what takes long to import is there before the forks. All of it happens in its directory, with its
environment. A request is a line of JSON: environment variables to add, and the words of a command. Beside those of
`lockgate` there are `serve [UPSTREAM]`, which is what the flow Predict does, without a flow, and `python CODE`. The
answer: exit code, output, and by how many MB the process grew.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from importlib import import_module
from typing import Any

IMPORTED_FIRST = (
    "gates.engine", "gates.lifecycle", "gates.report.terminal", "gates.verification", "metaflow", "numpy",
    "obstore.store", "pandas", "pipelines.cli.deciding", "pipelines.cli.main", "pipelines.cli.verify",
    "pipelines.prediction", "pyarrow.csv", "pyarrow.ipc", "scipy.stats", "skops.io", "xgboost",
)  # fmt: skip


def serve(upstream: str = "") -> None:
    """What the two steps of Predict do; its errors in one line."""
    from gates.errors import LockgateError
    from pipelines.prediction import publish, resolve
    from pipelines.settings import compose

    settings = compose().settings
    try:
        serving = resolve(settings, upstream=upstream, window="", say=lambda _: None)
        print(publish(settings, serving, source=f"Predict/{os.getpid()}", say=lambda _: None))
    except LockgateError as err:
        sys.stderr.write(f"lockgate: {err}\n")
        raise SystemExit(2) from err


def run(words: list[str]) -> None:
    if words[0] == "serve":
        serve(*words[1:])
    elif words[0] == "python":
        exec(words[1], {"__name__": "__main__"})
    else:
        from pipelines.cli.main import main

        sys.argv = ["lockgate", *words]
        main()


def child(asked: dict[str, Any], grown: int) -> None:
    """Does what was asked, in this process; does not return."""
    os.environ.update(asked["env"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code: Any = 0
    try:
        run(asked["words"])
    except SystemExit as done:
        code = done.code
    except Exception as err:  # noqa: BLE001 (whatever it is)
        sys.stderr.write(f"Traceback: {err!r}\n")
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(grown, b"%d" % ((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024))
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Fork, run, wait."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as grown:
        forked = os.fork()
        if not forked:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            child(asked, grown.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1])
        said = []
        for file in (out, err, grown):
            file.seek(0)
            said.append(file.read().decode())
    return {"code": code, "out": said[0], "err": said[1], "grown_mb": int(said[2] or 0)}


if __name__ == "__main__":
    for name in IMPORTED_FIRST:
        import_module(name)
    from pipelines.settings import compose

    compose()  # for what Hydra imports
    for line in sys.stdin:
        print(json.dumps(answered(json.loads(line))), flush=True)
