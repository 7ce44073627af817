"""What a run measures about itself: time, memory, and the code that it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from lockgate.pipelines.models import Fitted

WARM_UPS = 3
LATENCY_BATCHES = 100
LATENCY_ROWS = 1000
LATENCY_SECONDS = 0.25
"""A model so slow that 100 batches take longer is timed on as many as this leaves room for, and on 10 at least."""

LEAST_BATCHES = 10


def predict_ms_per_1000(
    model: Fitted, frame: pd.DataFrame, *, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Median and 99th percentile, over batches of 1,000 rows, of the milliseconds that scoring 1,000 rows takes.

    Every batch is scored twice and the quicker time counts: what other processes take from the machine for a moment
    is not the model's. The first three batches warm up and do not count. Fewer rows than 1,000 are one batch, and its
    time is scaled. `clock` gives seconds.
    """
    import numpy as np

    def seconds(batch: int) -> float:
        first = batch * LATENCY_ROWS % max(1, len(frame) - LATENCY_ROWS + 1)
        rows = frame.iloc[first : first + LATENCY_ROWS]
        started = clock()
        model.score(rows)
        return (clock() - started) * LATENCY_ROWS / len(rows)

    for batch in range(WARM_UPS):
        seconds(batch)
    until = clock() + LATENCY_SECONDS
    found: list[float] = []
    while len(found) < LATENCY_BATCHES and (len(found) < LEAST_BATCHES or clock() < until):
        found.append(min(seconds(len(found)), seconds(len(found))))
    p50, p99 = np.quantile(found, [0.5, 0.99]) * 1000
    return round(float(p50), 3), round(float(p99), 3)


def peak_memory_mb() -> float:
    """The largest resident memory of this process so far, in MB of 2²⁰ bytes.

    On Linux from /proc: `getrusage` there also counts what the process that started this one held when it did.
    """
    import resource

    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            return round(int(found[1]) / 1024, 1)
    except (OSError, UnicodeDecodeError):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


COMMIT = "LOCKGATE_COMMIT"
"""Environment variable of pods: the commit that was deployed."""


def code_state(root: Path) -> dict[str, Any]:
    """The commit of the code and whether nothing beside it is changed; None for both where nobody knows.

    Where there is no checkout, as in pods, it is the commit that was deployed: of a clean tree, as no other is.
    """
    if deployed := os.environ.get(COMMIT):
        return {"commit": deployed, "clean": True}

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain")
    return {"commit": commit, "clean": None if commit is None or changes is None else changes == ""}
