"""`make bench`: each figure is a ratio of medians, measured in turn in the same run."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench import judging, log, reading, scoring, stores
from bench.timing import LOCKGATE_COMMAND, print_ratio, time_alternately, timed_command
from lockgate.pipelines.settings.groups import ROOT


def measure_commands() -> None:
    """Time whole commands against the smallest program that does the same."""
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        env = {
            **os.environ,
            "METAFLOW_USER": "bench",
            "BENCH_TABLE": str(ROOT / "data/flights.parquet"),
            "OMP_WAIT_POLICY": "passive",
        }
        bare = timed_command(
            [sys.executable, str(ROOT / "bench/bare_flow.py"), "--no-pylint", "run"], cwd=Path(scratch), env=env
        )
        ours = timed_command([LOCKGATE_COMMAND, "evaluate", "--advisory", "model=xgb"], cwd=Path(scratch), env=env)
        seconds = time_alternately(ours, bare, times=3)
        print_ratio(
            "lockgate evaluate model=xgb", *seconds, against="a bare two-step flow, same fit", goal="at most 1.5"
        )
        started = timed_command([sys.executable, "-c", "pass"], cwd=Path(scratch), env=env)
        helped = timed_command([LOCKGATE_COMMAND, "--help"], cwd=Path(scratch), env=env)
        ours_s, floor_s = time_alternately(helped, started, times=9)
        print(f"{'lockgate --help':<58} {ours_s - floor_s:6.3f} s after a bare Python start (goal: at most 0.3 s)")  # noqa: T201


if __name__ == "__main__":
    judging.measure()
    log.measure()
    reading.measure()
    scoring.measure()
    stores.measure()
    measure_commands()
