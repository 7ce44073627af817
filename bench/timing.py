"""Pairs of commands or functions, timed in turn."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def command(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], expect: int = 0) -> Callable[[], None]:
    """A command as something to time. Raises RuntimeError where it exits with another code than `expect`."""

    def run() -> None:
        done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        if done.returncode != expect:
            raise RuntimeError(f"{' '.join(words)} exited with {done.returncode}: {done.stderr[-500:]}")

    return run


def alternately(*runs: Callable[[], object], times: int) -> list[float]:
    """Median seconds of each, run in turn (A B A B …) after one round that is not counted."""
    seconds: list[list[float]] = [[] for _ in runs]
    for round_number in range(times + 1):
        for held, run in zip(seconds, runs, strict=True):
            started = time.perf_counter()
            run()
            if round_number:
                held.append(time.perf_counter() - started)
    return [statistics.median(held) for held in seconds]


def show(what: str, ours: float, floor: float, *, against: str, goal: str) -> None:
    """One line: the ratio, both medians, and what is aimed at."""
    print(f"{what:<58} {ours / floor:6.2f} × {against:<32} ({ours:.3f} s / {floor:.3f} s; goal {goal})")  # noqa: T201
