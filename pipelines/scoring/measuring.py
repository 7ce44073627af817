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


LATENCY_FACTS = (
    "predict_cpu_ms_per_1000_p50",
    "predict_cpu_ms_per_1000_p99",
    "predict_ms_per_1000_p50",
    "predict_ms_per_1000_p99",
)


def measure_latency(
    model: Fitted,
    frame: pd.DataFrame,
    *,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.thread_time,
) -> dict[str, float]:
    """The facts `LATENCY_FACTS`: how long scoring 1,000 rows takes, in milliseconds of the processor and of the clock.

    They are the median and the 99th percentile over batches of 1,000 rows. On a busy machine the clock goes on while
    others have the processor; the processor's time, of the thread that scores, does not. Models here score in one
    thread. (The time of the whole process moves in steps of a scheduler's tick where RLIMIT_CPU is set.)
    Every batch is scored twice and the quicker time counts. The first three batches warm up and do not count. Fewer
    rows than 1,000 are one batch, and its time is scaled. The clocks give seconds. A confined model is timed in its own
    process.
    """
    import numpy as np

    if isinstance(model, ConfinedModel):
        return model.measure_latency(frame)

    def seconds(batch: int) -> tuple[float, float]:
        first = batch * LATENCY_ROWS % max(1, len(frame) - LATENCY_ROWS + 1)
        rows = frame.iloc[first : first + LATENCY_ROWS]
        started, cpu_started = clock(), cpu_clock()
        model.score(rows)
        cpu, elapsed = cpu_clock() - cpu_started, clock() - started
        return cpu * LATENCY_ROWS / len(rows), elapsed * LATENCY_ROWS / len(rows)

    for batch in range(WARM_UP_BATCHES):
        seconds(batch)
    until = clock() + LATENCY_BUDGET_S
    times: list[list[float]] = []
    while len(times) < LATENCY_BATCHES and (len(times) < MIN_LATENCY_BATCHES or clock() < until):
        times.append([min(pair) for pair in zip(seconds(len(times)), seconds(len(times)), strict=True)])
    quantiles = np.quantile(times, [0.5, 0.99], axis=0) * 1000
    return {name: round(float(ms), 3) for name, ms in zip(LATENCY_FACTS, quantiles.T.ravel(), strict=True)}


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
