"""Policies and evidence to judge, made in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from gates import Decision, Evidence, Policy, State, hash_row_ids, judge

DECLARED = {
    "if_no_champion": "absolute_only", "confidence": 0.95, "clusters": "if_present", "min_clusters": 10,
    "schedule": {"kind": "open"}, "disclose": "all", "valid_for": "90d",
}  # fmt: skip

CHECKS: dict[str, dict[str, Any]] = {
    "threshold": {"kind": "threshold", "metric": "auc", "min": 0.6, "decide": "bound"},
    "improvement": {"kind": "improvement", "metric": "log_loss", "margin": 0.0},
    "slices": {
        "kind": "slices", "by": "site", "metric": "log_loss", "margin": 0.0, "require": "non_inferior",
        "min_rows": 20, "small_slice": "inconclusive",
    },
    "calibration": {"kind": "calibration", "measure": "gap", "max": 0.1, "decide": "bound"},
    "leakage": {"kind": "leakage"},
}  # fmt: skip
"""One check of every kind, which `Make.evidence` passes."""


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
        return {**CHECKS[kind], **keys}

    @staticmethod
    def arrays(n: int = 600, *, seed: int = 7) -> dict[str, Any]:
        """A challenger that sees well, a champion that sees badly, three sites."""
        rng = np.random.default_rng(seed)
        truth = rng.normal(-0.5, 1.5, n)
        return {
            "label": (rng.random(n) < expit(truth)).astype(float),
            "challenger": expit(truth + rng.normal(0, 0.1, n)),
            "champion": expit(truth + rng.normal(0, 3.0, n)),
            "row_id": np.arange(n),
            "slices": {"site": np.array(["north", "south", "west"])[np.arange(n) % 3]},
            "facts": {"train_row_hashes": hash_row_ids(np.arange(n, 3 * n))},
        }

    @classmethod
    def evidence(cls, n: int = 600, *, seed: int = 7, **given: Any) -> Evidence:
        """Evidence from `arrays`, some of them replaced; None takes one away."""
        return Evidence.from_arrays(**{**cls.arrays(n, seed=seed), **given})

    @classmethod
    def facts(cls, n: int = 600, **facts: Any) -> dict[str, Any]:
        return {"train_row_hashes": hash_row_ids(np.arange(n, 3 * n)), **facts}

    @classmethod
    def judge(cls, check: Mapping[str, Any], evidence: Evidence, state: State | None = None, **keys: Any) -> Decision:
        """The decision of a policy with this one check."""
        return judge(cls.policy({"gate": check}, **keys), evidence, state)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make
