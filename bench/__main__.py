"""`make bench`: each figure is a ratio of medians, measured in turn in this run."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench import judging, log, scoring, stores
from bench.timing import alternately, command, show

ROOT = Path(__file__).resolve().parent.parent
LOCKGATE = str(Path(sys.executable).with_name("lockgate"))


def commands() -> None:
    """Whole processes, against the least that could do the same."""
    with tempfile.TemporaryDirectory(prefix="lockgate-bench-") as scratch:
        env = {
            **os.environ,
            "METAFLOW_USER": "bench",
            "BENCH_TABLE": str(ROOT / "data/flights.parquet"),
            "OMP_WAIT_POLICY": "passive",
        }
        bare = command(
            [sys.executable, str(ROOT / "bench/bare_flow.py"), "--no-pylint", "run"], cwd=Path(scratch), env=env
        )
        ours = command([LOCKGATE, "evaluate", "--advisory", "model=xgb"], cwd=Path(scratch), env=env)
        seconds = alternately(ours, bare, times=3)
        show("lockgate evaluate model=xgb", *seconds, against="a bare two-step flow, same fit", goal="at most 1.5")
        started = command([sys.executable, "-c", "pass"], cwd=Path(scratch), env=env)
        helped = command([LOCKGATE, "--help"], cwd=Path(scratch), env=env)
        ours_s, floor_s = alternately(helped, started, times=9)
        print(f"{'lockgate --help':<58} {ours_s - floor_s:6.3f} s after a bare Python start (goal: at most 0.3 s)")  # noqa: T201


if __name__ == "__main__":
    judging.measure()
    log.measure()
    scoring.measure()
    stores.measure()
    commands()
