from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from lockgate.gates.stats.proportions import holm


def test_reference_numbers() -> None:
    adjusted = holm(np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.001]))
    np.testing.assert_allclose(adjusted, [0.05, 0.08, 0.09, 0.09, 0.09, 0.006], rtol=1e-12)


def test_none_at_all() -> None:
    assert holm(np.array([])).size == 0


def test_as_statsmodels() -> None:
    rng = np.random.default_rng(0)
    for p in (rng.random(7) ** 3, np.round(rng.random(40), 1), np.full(3, 0.02), np.array([0.0, 1.0])):
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_by_definition(p: list[float]) -> None:
    """A p is the largest, over those up to it in order, of p times how many are left."""
    result = holm(np.array(p))
    for value, adjusted in zip(p, result, strict=True):
        up_to = [q * sum(other >= q for other in p) for q in p if q <= value]
        np.testing.assert_allclose(adjusted, min(1.0, max(up_to)), rtol=1e-12)
