"""Clusters that follow each other in time are found, and put in order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lockgate.gates.evidence.order import order_in_time


def order(codes: list[int], times: list[str] | None) -> tuple[list[int], bool]:
    time = None if times is None else pa.array(times, pa.string())
    renumbered, ordered = order_in_time(np.array(codes, dtype=np.intp), time)
    return renumbered.tolist(), ordered


@pytest.mark.parametrize(
    ("codes", "times", "renumbered"),
    [
        ([0, 0, 1, 1, 2], ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03"], [0, 0, 1, 1, 2]),
        ([2, 0, 1, 2, 0], ["2024-01-01", "2024-02-01", "2024-01-02", "2024-01-01", "2024-02-01"], [0, 2, 1, 0, 2]),
        ([1, 1, 0], ["2024-01-01T00:10", "2024-01-01T23:50", "2024-01-02T00:00"], [0, 0, 1]),
        ([0, 1, 0], ["2023-12-31", "2024-01-01", "2023-12-30"], [0, 1, 0]),
        ([1, 0], ["0999", "1000"], [0, 1]),
    ],
)
def test_days_are_numbered_in_time(codes: list[int], times: list[str], renumbered: list[int]) -> None:
    assert order(codes, times) == (renumbered, True)


@pytest.mark.parametrize(
    ("codes", "times"),
    [
        ([0, 1, 0, 1], ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),  # customers that come again
        ([0, 0, 1], ["2024-01-01", "2024-01-02", "2024-01-02"]),  # one ends when the next begins
        ([1, 1, 0], ["2024-01-01", "2024-01-02", "2024-01-02"]),
        ([0, 1, 2], ["2024-01-01", "2024-01-01", "2024-01-02"]),
        ([0, 1, 1, 2], ["2024-01-02", "2024-01-01", "2024-01-04", "2024-01-03"]),  # one lasts while others pass
    ],
)
def test_clusters_that_meet_in_time_have_no_order_and_keep_their_codes(codes: list[int], times: list[str]) -> None:
    assert order(codes, times) == (codes, False)


def test_nothing_is_known_without_times_or_rows() -> None:
    assert order([1, 0], None) == ([1, 0], False)
    assert order([], []) == ([], False)


def test_one_cluster_follows_nothing_but_is_in_order() -> None:
    assert order([0, 0], ["2024-01-02", "2024-01-01"]) == ([0, 0], True)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_days_of_any_codes_are_the_days(seed: int) -> None:
    rng = np.random.default_rng(seed)
    day = rng.permutation(np.repeat(np.arange(28), rng.integers(1, 9, 28)))
    names = rng.permutation(28)
    times = [
        f"2024-02-{number + 1:02}T{hour:02}:00" for number, hour in zip(day, rng.integers(0, 24, day.size), strict=True)
    ]
    assert order(names[day].tolist(), times) == (day.tolist(), True)
