"""Batches that must not be served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gates.errors import StoreError
from pipelines.stores import Batch, check


@pytest.mark.parametrize(
    ("changes", "expected_rows", "task", "said"),
    [
        ({}, 3, "binary", None),
        ({"scores": np.array([0.0, 1.0, 0.5])}, 3, "binary", None),
        ({"scores": np.array([-7.0, 1e9, 0.5])}, 3, "regression", None),
        (
            {"scores": np.array([0.1, np.nan, 0.5])},
            3,
            "binary",
            "1 of 3 scores are missing or out of range; expected 0",
        ),
        ({"scores": np.array([0.1, 1.0000001, -0.1])}, 3, "binary", "2 of 3 scores"),
        ({"scores": np.array([0.1, np.inf, 0.5])}, 3, "binary", "1 of 3 scores"),
        ({"scores": np.array([np.nan, np.inf, -np.inf])}, 3, "regression", "3 of 3 scores .*expected finite numbers"),
        ({}, 4, "binary", "3 scores for 3 keys; expected 4 of each"),
        ({}, 2, "binary", "3 scores for 3 keys; expected 2 of each"),
        ({"keys": ["a", "b"]}, 3, "binary", "3 scores for 2 keys"),
        ({"keys": ["a", "b"]}, 2, "binary", "3 scores for 2 keys"),
        ({"keys": ["a", "b", "a"]}, 3, "binary", "1 keys are repeated"),
        ({"keys": [], "scores": np.array([])}, 0, "binary", "0 scores for 0 keys; expected .*at least one"),
    ],
)
def test_what_must_not_be_served_is_refused(
    changes: Any, expected_rows: int, task: str, said: str | None, batch: Callable[..., Batch]
) -> None:
    held = batch(**changes)
    if said is None:
        check(held, expected_rows=expected_rows, task=task)
        return
    with pytest.raises(StoreError, match=said) as caught:
        check(held, expected_rows=expected_rows, task=task)
    assert "nothing was published; the last version stays" in str(caught.value)
