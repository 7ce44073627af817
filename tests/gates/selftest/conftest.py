"""Two models that are as good as each other, on rows in clusters whose days move both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from lockgate import Evidence, hash_row_ids

DEFAULT = {
    "floor": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"},
    "gain": {"kind": "improvement", "metric": "log_loss", "margin": 0.001},
    "kept": {"kind": "improvement", "metric": "auc", "margin": -0.03},
    "sites": {
        "kind": "slices",
        "by": "site",
        "metric": "log_loss",
        "margin": -0.02,
        "require": "no_proven_harm",
        "min_rows": 50,
        "small_slice": "skip",
    },
    "calibrated": {"kind": "calibration", "measure": "gap", "max": 0.05, "decide": "point"},
    "leakage": {"kind": "leakage"},
}


def make_pair(rows: int = 2000, *, clusters: int | None = 50, by_cluster: float = 0.0, seed: int = 3) -> Evidence:
    """Scores of two models that err independently: by row, and by `by_cluster` logits together in each cluster."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-0.5, 1.3, rows)
    cluster = np.arange(rows) % (clusters or rows)

    def scores() -> Any:
        shared = rng.normal(0, by_cluster, clusters or rows)[cluster] if by_cluster else 0.0
        return expit(truth + rng.normal(0, 0.2, rows) + shared)

    return Evidence.from_arrays(
        label=(rng.random(rows) < expit(truth)).astype(float),
        challenger=scores(),
        champion=scores(),
        row_id=np.arange(rows),
        cluster=cluster if clusters else None,
        slices={"site": np.array(["north", "south", "west"])[np.arange(rows) // 7 % 3]},
        facts={"train_row_hashes": hash_row_ids(np.arange(rows, 2 * rows))},
    )


@pytest.fixture(scope="session")
def twins() -> Callable[..., Evidence]:
    return make_pair


@pytest.fixture(scope="session")
def pair() -> Evidence:
    return make_pair()


@pytest.fixture(scope="session")
def checks() -> dict[str, dict[str, Any]]:
    """Gates of which each can pass and fail on the pair."""
    return DEFAULT
