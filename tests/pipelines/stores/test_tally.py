"""Tallies add up, and their distance is that of the scores themselves, as SciPy has it, as far as buckets can tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ks_2samp

from lockgate.gates.errors import StoreError
from lockgate.pipelines.stores import Tally

RNG = np.random.default_rng(5)
SAMPLES = {
    "same": (RNG.random(4000), RNG.random(4000)),
    "shifted": (RNG.beta(2, 5, 4000), RNG.beta(2.5, 5, 3000)),
    "far": (RNG.normal(0, 1, 4000), RNG.normal(1, 1, 4000)),
    "apart": (RNG.random(100), RNG.random(100) + 5),
    "wide": (10 ** RNG.normal(0, 20, 4000), 10 ** RNG.normal(2, 20, 4000)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_distance_is_kolmogorov_and_smirnovs(name: str) -> None:
    first, other = SAMPLES[name]
    exact = ks_2samp(first, other).statistic
    distance = Tally.of(first).distance(Tally.of(other))
    assert distance <= exact + 1e-12  # a difference at the bounds of buckets is one of the differences
    edges = np.concatenate([[0.0], *[bound(first), bound(other)]])
    inside = np.searchsorted(np.sort(edges), np.concatenate([first, other]))
    widest = max(np.unique(inside[: len(first)], return_counts=True)[1]) / len(first)
    assert exact - distance <= widest  # what is missed lies within one bucket


def bound(scores: np.ndarray) -> np.ndarray:
    """The upper bounds of the buckets that the scores are in, by the definition."""
    code = np.ceil(np.log(np.abs(scores) / 1e-12) / math.log1p(0.05))
    return np.sign(scores) * 1e-12 * np.exp(code * math.log1p(0.05))


def test_a_tally_by_hand() -> None:
    width = math.log1p(0.05)
    scores = np.array([0.0, 1e-13, -1e-13, 1e-12, 1e-12 * math.exp(2.5 * width), -1e-12 * math.exp(0.5 * width)])
    assert Tally.of(scores) == Tally(rows=6, buckets={0: 4, 3: 1, -1: 1})


def test_shards_add_up_to_the_whole() -> None:
    whole, _ = SAMPLES["far"]
    parts = [Tally.of(part) for part in np.array_split(whole, 7)]
    assert Tally.total(parts) == Tally.of(whole)
    assert Tally.total([]) == Tally(rows=0, buckets={})
    assert Tally.from_json(Tally.of(whole).to_json()) == Tally.of(whole)


def test_the_largest_and_the_smallest_numbers_have_a_bucket() -> None:
    largest = np.finfo(np.float64).max
    tally = Tally.of(np.array([largest, -largest, 5e-324]))
    assert (tally.rows, sorted(tally.buckets.values())) == (3, [1, 1, 1])
    assert tally.distance(tally) == 0.0
    assert math.isnan(tally.distance(Tally.total([])))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"rows": 1}', '{"rows": 1, "buckets": [[1]]}', "[" * 100_000])
def test_a_damaged_tally_is_one_line(text: str) -> None:
    with pytest.raises(StoreError, match=r"^the tally of a version cannot be read: .* \(the store is damaged\)$"):
        Tally.from_json(text)
