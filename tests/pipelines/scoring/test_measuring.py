from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from lockgate.pipelines.scoring import measuring
from lockgate.pipelines.scoring.measuring import LATENCY_FACTS, code_state, measure_latency, peak_memory_mb


class Slow:
    """Takes so many seconds a call by its own clock, and ten times as long at every odd call where it is disturbed.

    The processor is busy with it for half of the time that it takes undisturbed.
    """

    def __init__(self, seconds: float, *, first: float = 0.0, disturbed: bool = False) -> None:
        self.seconds, self.first, self.disturbed, self.sizes = seconds, first, disturbed, []
        self.now = self.cpu = 0.0

    def clock(self) -> float:
        return self.now

    def cpu_clock(self) -> float:
        return self.cpu

    def measure(self, frame: pd.DataFrame) -> tuple[float, ...]:
        return tuple(measure_latency(self, frame, clock=self.clock, cpu_clock=self.cpu_clock).values())

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        slow = self.disturbed and len(self.sizes) % 2
        self.now += self.first if not self.sizes else self.seconds * (10 if slow else 1)
        self.cpu += self.seconds / 2
        self.sizes.append(len(frame))
        return np.zeros(len(frame))


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.zeros(rows)})


def test_a_first_call_and_disturbances_do_not_count() -> None:
    model = Slow(0.004, first=0.2, disturbed=True)
    assert model.measure(frame(2500)) == (2, 2, 4, 4)
    assert set(model.sizes) == {1000}
    assert len(model.sizes) <= measuring.WARM_UP_BATCHES + 2 * measuring.LATENCY_BATCHES


def test_a_slow_model_is_timed_less_often() -> None:
    model = Slow(0.03)
    assert model.measure(frame(1000)) == (15, 15, 30, 30)
    assert len(model.sizes) == measuring.WARM_UP_BATCHES + 2 * measuring.MIN_LATENCY_BATCHES


def test_few_rows_are_scaled_to_1000() -> None:
    model = Slow(0.002)
    assert model.measure(frame(100)) == (10, 10, 20, 20)
    assert set(model.sizes) == {100}


class Waiting:
    """Waits, as where other processes have the processor, and works a little."""

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        time.sleep(0.005)
        return np.zeros(len(frame))


def test_waiting_is_no_work_of_the_processor() -> None:
    measured = measure_latency(Waiting(), frame(1000))
    assert tuple(measured) == LATENCY_FACTS
    assert measured["predict_ms_per_1000_p50"] >= 5
    assert measured["predict_cpu_ms_per_1000_p50"] < 2.5  # the rest of 5 ms is what a sleep and two clocks take


def test_memory_is_of_this_process_alone() -> None:
    """A process that a large one has started says what it holds itself, as its own allocation shows."""
    small = "from lockgate.pipelines.scoring.measuring import peak_memory_mb as peak; print(peak())"
    large = f"held = b'1' * 300_000_000; {small}"
    ballast = bytearray(b"1") * 400_000_000
    peaks = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
        for code in (small, large)
    ]
    assert peaks[0] < 200
    assert peaks[1] - peaks[0] == pytest.approx(286, abs=15)
    assert peak_memory_mb() > len(ballast) / 2**20


def test_the_state_of_the_code(tmp_path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    assert code_state(tmp_path) == {"commit": None, "clean": None}
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    clean = code_state(tmp_path)
    assert (len(clean["commit"]), clean["clean"]) == (40, True)
    (tmp_path / "file").write_text("2")
    assert code_state(tmp_path) == {**clean, "clean": False}
