"""Publishes one batch: `publisher.py STORE PATH SOURCE SCORE ROWS`. A script, so that it can be killed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipelines.stores import STORES, Batch

kind, path, source, score, rows = sys.argv[1:]
batch = Batch(
    source=source,
    project="orders",
    keys=[f"k{number}" for number in range(int(rows))],
    scores=np.full(int(rows), float(score)),
    window="2024-06",
    champion_run="EvaluateNewModel/1",
    model_sha256="0" * 64,
    log_seq=4,
    log_sha256="1" * 64,
    time=datetime(2024, 6, 1, tzinfo=UTC),
)
print("ready", flush=True)
sys.stdin.readline()
print("begun", flush=True)
print(STORES[kind](Path(path)).publish(batch).version, flush=True)
