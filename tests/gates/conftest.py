"""Policies and evidence to judge, made in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from lockgate import Decision, Evidence, Policy, State, hash_row_ids, judge
from lockgate.gates.gate.check import Reads
from lockgate.gates.kinds import KINDS
from lockgate.gates.stats.cell_shares import cell_of, quantile_edges

DECLARED = {
    "if_no_champion": "absolute_only",
    "confidence": 0.95,
    "clusters": "if_present",
    "min_clusters": 10,
    "min_class_rows": 2,
    "serial_dependence": "if_ordered",
    "schedule": {"kind": "open"},
    "disclose": "all",
    "valid_for": "90d",
}

CHECKS: dict[str, dict[str, Any]] = {
    name: dict(kind.example) for name, kind in KINDS.items() if hasattr(kind, "example")
}
"""The example of every kind, which `Make.evidence` passes."""

RUN_FACTS: dict[str, Any] = {
    "code": {"commit": "c" * 40, "clean": True},
    "fit_seconds": 12.5,
    "parity": {"rows": 600, "max_difference": 0.0, "python": "3.12.1"},
}
"""What its run says, beside how features and scores are distributed."""


class Make:
    """Builders. Everything is seeded; what is not named is such that every check of CHECKS passes."""

    checks = CHECKS

    @staticmethod
    def mapping(checks: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
        return {**DECLARED, **keys, "checks": dict(checks if checks is not None else {"gate": CHECKS["threshold"]})}

    @classmethod
    def policy(cls, checks: Mapping[str, Any] | None = None, **keys: Any) -> Policy:
        return Policy.parse(cls.mapping(checks, **keys))

    @classmethod
    def check(cls, kind: str, **keys: Any) -> dict[str, Any]:
        if kind not in CHECKS:
            pytest.fail(f"gates/kinds/{kind}.py: give the class an `example`, a gate that Make.evidence passes")
        return {**CHECKS[kind], **keys}

    @classmethod
    def reads(cls, kind: str) -> Reads:
        """What the example of a kind rests on."""
        if not hasattr(KINDS[kind], "reads") and kind != "any_of":  # which reads what its checks read
            pytest.fail(f"gates/kinds/{kind}.py: give the class `reads`, what its verdict rests on")
        (source,) = KINDS[kind].model_validate(cls.check(kind)).sources
        return source

    @staticmethod
    def arrays(n: int = 600, *, seed: int = 7) -> dict[str, Any]:
        """A challenger that sees well, a champion that sees badly, three sites, three months."""
        rng = np.random.default_rng(seed)
        truth = rng.normal(-0.5, 1.5, n)
        return {
            "label": (rng.random(n) < expit(truth)).astype(float),
            "challenger": expit(truth + rng.normal(0, 0.1, n)),
            "champion": expit(truth + rng.normal(0, 3.0, n)),
            "row_id": np.arange(n),
            "slices": {"site": np.array(["north", "south", "west"])[np.arange(n) % 3]},
            "period": Make.periods(n),
            "facts": Make.facts(n),
        }

    @staticmethod
    def periods(n: int) -> np.ndarray:
        """Three months, one after the other, for n rows."""
        return np.array(["2013-08", "2013-09", "2013-10"])[np.arange(n) * 3 // max(n, 1)]

    @classmethod
    def evidence(cls, n: int = 600, *, seed: int = 7, **options: Any) -> Evidence:
        """Evidence from `arrays`, some of them replaced; None takes one away. There are months for as many labels."""
        arrays = {**cls.arrays(n, seed=seed), **options}
        return Evidence.from_arrays(**{**arrays, "period": options.get("period", cls.periods(len(arrays["label"])))})

    @classmethod
    def facts(cls, n: int = 600, **facts: Any) -> dict[str, Any]:
        """What a run says of n holdout rows, some of it replaced or added."""
        rng = np.random.default_rng(3)
        scores = expit(rng.normal(-0.5, 1.5, 12_000))
        edges = quantile_edges(scores)
        in_cells = np.bincount(cell_of(scores, edges)).tolist()
        features = {
            "age": {
                "kind": "number",
                "edges": [30.0, 50.0],
                "train": {"cells": [400, 410, 380], "missing": 10},
                "holdout": {"cells": [n - 2 * (n // 3), n // 3, n // 3], "missing": 0},
            },
            "site": {
                "kind": "name",
                "values": ["north", "south"],
                "train": {"cells": [400, 400], "other": 400},
                "holdout": {"cells": [n // 3, n // 3], "other": n - 2 * (n // 3)},
            },
        }
        actual = {
            **RUN_FACTS,
            "features": features,
            "scores": {"kind": "number", "edges": edges.tolist(), "train": {"cells": in_cells}},
        }
        return {"train_row_hashes": hash_row_ids(np.arange(n, 3 * n)), **actual, **facts}

    @classmethod
    def judge(cls, check: Mapping[str, Any], evidence: Evidence, state: State | None = None, **keys: Any) -> Decision:
        """The decision of a policy with this one check."""
        return judge(cls.policy({"gate": check}, **keys), evidence, state)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make
