"""Runs `lockgate` and more, each time it is asked, in the directory and the environment of tests/forked.py.

Asked are environment variables to add, and the words of a command. Beside those of `lockgate` there are
`serve [UPSTREAM]`, which is what the flow Predict does, without a flow, and `python CODE`. It notes by how many MB the
process grew.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from typing import Any

IMPORTED_FIRST = (
    "lockgate.gates.judge.engine",
    "lockgate.gates.lifecycle.actions",
    "lockgate.gates.report.terminal",
    "lockgate.gates.verification",
    "metaflow",
    "numpy",
    "obstore.store",
    "pandas",
    "lockgate.pipelines.promotion.decide",
    "lockgate.pipelines.cli.main",
    "lockgate.pipelines.cli.log.verify",
    "lockgate.pipelines.scoring.predict",
    "pyarrow.csv",
    "pyarrow.ipc",
    "scipy.stats",
    "skops.io",
    "xgboost",
)


def serve(upstream: str = "") -> None:
    """What the steps of Predict do; its errors in one line."""
    from lockgate.gates.errors import LockgateError
    from lockgate.pipelines.scoring.predict import publish_version, resolve_serving, stage_shard
    from lockgate.pipelines.settings.settings import compose

    settings = compose().settings
    try:
        source = f"Predict/{os.getpid()}"
        serving = resolve_serving(settings, source=source, upstream=upstream, window="", report=lambda *_, **__: None)
        for shard in range(len(serving.shards)):
            stage_shard(settings, serving, shard, report=lambda *_, **__: None)
        print(publish_version(settings, serving, report=lambda *_, **__: None))
    except LockgateError as err:
        sys.stderr.write(f"lockgate: {err}\n")
        raise SystemExit(2) from err


def command(words: list[str]) -> None:
    if words[0] == "serve":
        serve(*words[1:])
    elif words[0] == "python":
        exec(words[1], {"__name__": "__main__"})
    else:
        from lockgate.pipelines.cli.main import main

        sys.argv = ["lockgate", *words]
        main()


def run(request: dict[str, Any], note: Callable[[str], None]) -> None:
    os.environ.update(request["env"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        command(request["words"])
    finally:
        note(str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024))
