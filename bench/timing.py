"""Commands or functions that are timed in turn, so that both meet the same load of the machine."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOCKGATE_COMMAND = str(Path(sys.executable).with_name("lockgate"))


def timed_command(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], expect: int = 0) -> Callable[[], None]:
    """A function that runs a command. It raises RuntimeError if the exit code is not `expect`."""

    def run() -> None:
        completed = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        if completed.returncode != expect:
            raise RuntimeError(f"{' '.join(words)} exited with {completed.returncode}: {completed.stderr[-500:]}")

    return run


def time_alternately(*runs: Callable[[], object], times: int) -> list[float]:
    """Median seconds of each function, run in turn (A B A B …) after one round that is not counted."""
    seconds: list[list[float]] = [[] for _ in runs]
    for round_number in range(times + 1):
        for durations, run in zip(seconds, runs, strict=True):
            started = time.perf_counter()
            run()
            if round_number:
                durations.append(time.perf_counter() - started)
    return [statistics.median(times) for times in seconds]


def print_ratio(title: str, ours: float, floor: float, *, against: str, goal: str) -> None:
    """Print one line with the ratio, both medians and the goal."""
    print(f"{title:<58} {ours / floor:6.2f} × {against:<32} ({ours:.3f} s / {floor:.3f} s; goal {goal})")  # noqa: T201
