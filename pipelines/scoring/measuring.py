"""What a run measures about itself: time, memory, and the version of its code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.pipelines.scoring.confined import ConfinedModel

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.pipelines.models import Fitted

WARM_UP_BATCHES = 3
LATENCY_BATCHES = 100
LATENCY_ROWS = 1000
LATENCY_BUDGET_S = 0.25
"""A model that is too slow for 100 batches in this time is timed on fewer, but on at least 10."""

MIN_LATENCY_BATCHES = 10


def predict_ms_per_1000(
    model: Fitted, frame: pd.DataFrame, *, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Median and 99th percentile, over batches of 1,000 rows, of the milliseconds that scoring 1,000 rows takes.

    Every batch is scored twice and the quicker time counts, so that a moment of load from other processes does not
    show. The first three batches warm up and do not count. Fewer rows than 1,000 are one batch, and its time is
    scaled. `clock` gives seconds. A confined model is timed in its own process.
    """
    import numpy as np

    if isinstance(model, ConfinedModel):
        return model.predict_ms_per_1000(frame)

    def seconds(batch: int) -> float:
        first = batch * LATENCY_ROWS % max(1, len(frame) - LATENCY_ROWS + 1)
        rows = frame.iloc[first : first + LATENCY_ROWS]
        started = clock()
        model.score(rows)
        return (clock() - started) * LATENCY_ROWS / len(rows)

    for batch in range(WARM_UP_BATCHES):
        seconds(batch)
    until = clock() + LATENCY_BUDGET_S
    seconds_per_1000: list[float] = []
    while len(seconds_per_1000) < LATENCY_BATCHES and (len(seconds_per_1000) < MIN_LATENCY_BATCHES or clock() < until):
        seconds_per_1000.append(min(seconds(len(seconds_per_1000)), seconds(len(seconds_per_1000))))
    p50, p99 = np.quantile(seconds_per_1000, [0.5, 0.99]) * 1000
    return round(float(p50), 3), round(float(p99), 3)


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far, in MB of 2²⁰ bytes.

    On Linux from /proc: `getrusage` there also counts what the process that started this one held when it did.
    """
    import resource

    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        if peak_line := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            return round(int(peak_line[1]) / 1024, 1)
    except (OSError, UnicodeDecodeError):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


COMMIT_VARIABLE = "LOCKGATE_COMMIT"
"""The environment variable of pods with the commit that was deployed."""


def code_state(root: Path) -> dict[str, Any]:
    """The commit of the code and whether the tree is clean; None for both if unknown.

    Pods have no checkout: for them it is the commit that was deployed, and only clean trees are deployed.
    """
    if deployed := os.environ.get(COMMIT_VARIABLE):
        return {"commit": deployed, "clean": True}

    def git(*words: str) -> str | None:
        try:
            completed = subprocess.run(
                ["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=20
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return completed.stdout.strip()

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": commit, "clean": None if commit is None or changes is None else changes == ""}
