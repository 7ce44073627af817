"""Runs `lockgate`, each time it is asked, in the directory and the environment of tests/forked.py, and may kill itself.

The word `serve` does what Predict does, without a flow. Asked are the words, and at which of the steps that the command
reaches (from 0) it kills itself; null: it runs to its end. It notes the steps reached.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMPORTED_FIRST = (
    "metaflow",
    "numpy",
    "obstore.store",
    "pandas",
    "pyarrow",
    "scipy.stats",
    "lockgate.gates.lifecycle.admission",
    "lockgate.gates.judge.engine",
    "lockgate.gates.lifecycle.actions",
    "lockgate.gates.report.terminal",
    "lockgate.pipelines.promotion.decide",
    "lockgate.pipelines.cli.main",
    "lockgate.pipelines.scoring.predict",
    "lockgate.pipelines.promotion.log",
    "lockgate.pipelines.settings.settings",
    "xgboost",
)
SERVE = Path(__file__).parents[1] / "forgeries" / "commands.py"


def run(request: dict[str, Any], note: Callable[[str], None]) -> None:
    from lockgate.gates.log import crash_points
    from lockgate.pipelines.cli.main import main

    sys.argv = ["lockgate", *request["words"]]
    reached = 0

    def hook(step: crash_points.Step) -> None:
        nonlocal reached
        note(f"{step.name}\n")
        if reached == request["die_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        reached += 1

    crash_points.hook = hook
    if request["words"] == ["serve"]:
        runpy.run_path(str(SERVE))["serve"]()
    else:
        main()
