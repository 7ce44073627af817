"""Groups of rows, and the splits that gates judge."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.gates.errors import UnjudgeableError
from lockgate.gates.evidence.columns import encode_names
from lockgate.gates.metrics.rows import GroupedRows, Rows, cross_columns


def test_columns_are_crossed_into_the_groups_that_occur() -> None:
    origin = encode_names("origin", np.array(["LGA", "EWR", "EWR", "LGA", "EWR"]))
    carrier = encode_names("carrier", np.array(["UA", "UA", "AA", "UA", "AA"]))
    result = cross_columns([origin, carrier])
    assert result.names == ("EWR, AA", "EWR, UA", "LGA, UA")
    assert result.code.tolist() == [2, 1, 0, 2, 0]
    assert cross_columns([origin]).names == ("EWR", "LGA")


def test_names_are_in_order_however_they_are_crossed() -> None:
    rng = np.random.default_rng(0)
    a, b = (np.array(list("zyxab"))[rng.integers(0, 5, 300)] for _ in range(2))
    result = cross_columns([encode_names("a", a), encode_names("b", b)])
    assert list(result.names) == sorted(result.names)
    assert [result.names[code] for code in result.code] == [f"{x}, {y}" for x, y in zip(a, b, strict=True)]


def test_too_many_groups() -> None:
    rng = np.random.default_rng(0)
    columns = [encode_names("a", rng.integers(0, 200, 30_000)), encode_names("b", rng.integers(0, 200, 30_000))]
    with pytest.raises(UnjudgeableError, match=r"form .* groups; expected at most 10,000"):
        cross_columns(columns)


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0, 2, 3])])
def test_rows_and_clusters_that_count(weight: np.ndarray | None) -> None:
    rows = Rows(label=np.zeros(4), challenger=np.zeros(4), weight=weight, cluster=np.array([0, 1, 1, 2]))
    split = GroupedRows(rows=rows, groups=cross_columns([encode_names("s", np.array(["a", "a", "b", "b"]))]))
    lost = 0 if weight is None else 1
    assert (rows.n, rows.clusters) == (4 - lost, 3)
    assert split.n.tolist() == [2 - lost, 2]
    assert split.clusters.tolist() == [2 - lost, 2]


def test_many_rows_are_sorted_in_threads_to_the_same_order() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random((2, 120_000))
    rows = Rows(label=np.zeros(120_000), challenger=scores[0], champion=scores[1])
    for model, score in zip(("challenger", "champion"), scores, strict=True):
        np.testing.assert_array_equal(rows.ascending[model].order, np.argsort(score))
        assert rows.ascending[model].run is None
