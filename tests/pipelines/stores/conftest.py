from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from pipelines.stores import Batch


@pytest.fixture
def batch() -> Callable[..., Batch]:
    """Makes a batch of `rows` keys k0, k1, … that all have one score."""

    def make(source: str = "Predict/1", *, score: float = 0.5, rows: int = 3, **changes: Any) -> Batch:
        made = Batch(
            source=source,
            project="orders",
            keys=[f"k{number}" for number in range(rows)],
            scores=np.full(rows, score),
            window="2024-06",
            champion_run="EvaluateNewModel/1",
            model_sha256="0" * 64,
            log_seq=4,
            log_sha256="1" * 64,
            time=datetime(2024, 6, 1, 12, tzinfo=UTC),
        )
        return replace(made, **changes)

    return make
