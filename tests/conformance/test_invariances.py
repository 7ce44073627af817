"""What must not matter to any kind of gate: the order of rows, the scale of weights, copies, the names of slices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lockgate import Decision
from lockgate.gates.kinds import KINDS


def judge_arrays(make: Any, kind: str, arrays: Mapping[str, Any]) -> Decision:
    """The kind's example on `make.evidence` with some arrays replaced."""
    return make.judge(make.check(kind), make.evidence(**arrays))


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_rows_changes_no_byte(make: Any, kind: str) -> None:
    rng = np.random.default_rng(3)
    arrays = {**make.arrays(), "cluster": np.arange(600) % 40, "weight": rng.uniform(0.1, 3.0, 600)}
    order = rng.permutation(600)
    shuffled = {name: np.asarray(values)[order] for name, values in arrays.items() if name not in ("slices", "facts")}
    shuffled["slices"] = {"site": arrays["slices"]["site"][order]}
    first, again = (judge_arrays(make, kind, rows).to_json() for rows in (arrays, shuffled))
    assert again == first


@pytest.mark.parametrize("scale", [4.0, 1e-12, 3.7, 1e300])
@pytest.mark.parametrize("kind", KINDS)
def test_only_ratios_of_weights_count(make: Any, kind: str, scale: float) -> None:
    weight = np.random.default_rng(4).uniform(0.1, 3.0, 600)
    first, scaled = (
        judge_arrays(make, kind, {"weight": values}).outcomes[0].model_dump_json()
        for values in (weight, weight * scale)
    )
    assert scaled == first


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "drift"])  # its bounds also count rows
def test_copies_of_a_row_equal_a_weight_where_they_share_a_cluster(make: Any, kind: str) -> None:
    arrays = make.arrays()
    copies = 1 + np.arange(600) % 3
    weighted = {"weight": copies.astype(float), "cluster": np.arange(600) % 60}
    repeated = {name: np.repeat(arrays[name], copies) for name in ("label", "challenger", "champion")} | {
        "row_id": np.arange(copies.sum()),
        "cluster": np.repeat(np.arange(600) % 60, copies),
        "slices": {"site": np.repeat(arrays["slices"]["site"], copies)},
        "period": np.repeat(arrays["period"], copies),
        "facts": make.facts(int(copies.sum())),
    }
    by_weight, by_copies = (judge_arrays(make, kind, rows).outcomes[0] for rows in (weighted, repeated))
    assert (by_weight.verdict, by_weight.clusters) == (by_copies.verdict, by_copies.clusters)
    for name in ("observed", "low", "high", "p"):
        result, expected = getattr(by_weight, name), getattr(by_copies, name)
        assert (result is None) is (expected is None)
        assert result is None or result == pytest.approx(expected, rel=1e-9, abs=1e-12)


HOSTILE = [
    "<script>alert(1)</script>",
    "__proto__",
    "@everyone | `x`\n# y",
    "\u202e\u0000\ufeff",
    "é" * 5000,
    "",
    "NaN",
]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "by" in KINDS[kind].model_fields])
def test_names_of_slices_are_only_names(make: Any, kind: str) -> None:
    decision = judge_arrays(make, kind, {"slices": {"site": [HOSTILE[row % len(HOSTILE)] for row in range(600)]}})
    assert {part.name for part in decision.outcomes[0].parts} == set(HOSTILE)
    assert json.loads(decision.to_json())["outcomes"][0]["kind"] == kind
