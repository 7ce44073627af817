"""What is said of the scores of another process: how far they are from these, or why there are none."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest

from lockgate.gates.errors import ModelError
from lockgate.pipelines.scoring.parity import measure_parity

SCORES = np.linspace(0, 1, 300)


def answer(scores: np.ndarray) -> Future[tuple[str, np.ndarray]]:
    future: Future[tuple[str, np.ndarray]] = Future()
    future.set_result(("3.11.9", scores))
    return future


def test_scores_that_are_the_same() -> None:
    assert measure_parity(answer(SCORES), SCORES) == {"rows": 300, "max_difference": 0.0, "python": "3.11.9"}


def test_scores_that_differ() -> None:
    other = SCORES.copy()
    other[17] += 0.25
    assert measure_parity(answer(other), SCORES)["max_difference"] == pytest.approx(0.25)


def test_scores_that_are_no_numbers() -> None:
    assert measure_parity(answer(SCORES), np.full(300, np.nan)) == {"problem": "scores are not finite"}


def test_no_rows() -> None:
    assert measure_parity(answer(SCORES[:0]), SCORES[:0])["rows"] == 0


def test_a_process_that_gave_no_answer() -> None:
    future: Future[tuple[str, np.ndarray]] = Future()
    future.set_exception(ModelError("the model ended the process that scored it: SIGSEGV"))
    assert measure_parity(future, SCORES) == {"problem": "the model ended the process that scored it: SIGSEGV"}
