"""Policies that no run on a table could be judged by are refused before anything is trained, all mistakes in one line.

Tests of gates/gate/table.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate import Evidence, Verdict
from lockgate.gates.errors import PolicyError
from lockgate.gates.gate.table import DeclaredTable
from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS

FLAT = DeclaredTable(task="regression", slices=("region",), has_clusters=False, periods=0)
RICH = DeclaredTable(task="binary", slices=("site", "region"), has_clusters=True, periods=3)


def refuse(make: Any, checks: dict[str, Any], table: DeclaredTable, **keys: Any) -> tuple[str, ...]:
    policy = make.policy(checks, **keys)
    with pytest.raises(PolicyError) as caught:
        policy.check_fit(table)
    return caught.value.problems


def test_everything_that_does_not_fit_is_said_at_once(make) -> None:
    checks = {
        "floor": make.check("threshold", metric="recall@0.2"),
        "gain": make.check("improvement", metric="mae"),
        "shops": make.check("slices", by=["shop", "region"], metric="rmse"),
        "groups": make.check("fairness", by="city"),
        "months": make.check("periods", metric="rmse", min_periods=4),
        "either": {"kind": "any_of", "checks": {"wide": make.check("calibration", measure="ece")}},
    }
    known = f"for task regression; expected one of {', '.join(METRICS['regression'])}"
    assert refuse(make, checks, FLAT, clusters="required") == (
        "the table has no clusters; expected data.cluster, or clusters: if_present @ gate.clusters",
        f"unknown metric 'recall@0.2' {known} @ gate.checks.floor.metric",
        "the table has no slices by shop; expected region @ gate.checks.shops.by",
        f"unknown metric 'brier' {known} @ gate.checks.groups.metric",
        "the table has no slices by city; expected region @ gate.checks.groups.by",
        "rows of the holdout have no period; expected holdout: {kind: rolling, periods: …} @ gate.checks.months.kind",
        f"unknown metric 'ece' {known} @ gate.checks.either.checks.wide.measure",
    )


@pytest.mark.parametrize(
    ("check", "table", "problem"),
    [
        ({"kind": "slices"}, {"slices": ()}, "the table has no slices by site; expected slices @ gate.checks.a.by"),
        (
            {"kind": "condition"},
            {"task": "regression"},
            "a condition is not defined for regression; expected task binary or multiclass @ gate.checks.a.kind",
        ),
        (
            {"kind": "disagreement", "beyond": 0.5},
            {},
            "task binary decides by itself; expected no `beyond` @ gate.checks.a.beyond",
        ),
        (
            {"kind": "disagreement"},
            {"task": "regression"},
            "task regression has no decisions; expected `beyond`: how far apart predictions must be to differ",
        ),
        (
            {"kind": "data", "label_rate": {"min": 0.1}, "min_clusters": 5},
            {"task": "regression", "has_clusters": False},
            "task regression has no rate of label 1; expected task binary @ gate.checks.a.label_rate",
        ),
    ],
)
def test_what_a_kind_needs(make, check: dict[str, Any], table: dict[str, Any], problem: str) -> None:
    settings = {name: getattr(RICH, name) for name in ("task", "slices", "has_clusters", "periods")}
    problems = refuse(make, {"a": {**make.check(check["kind"]), **check}}, DeclaredTable(**settings | table))
    assert problem in "\n".join(problems)


@pytest.mark.parametrize("kind", KINDS)
def test_what_fits_is_judged_and_what_does_not_is_an_error(make, kind: str) -> None:
    """The example of every kind, on a table and on evidence of the same task, slices and periods."""
    policy = make.policy({"a": make.check(kind)})
    arrays = make.arrays()
    policy.check_fit(RICH)  # fewer periods than are asked are INCONCLUSIVE, which is an answer
    numbers = {**arrays, "label": np.linspace(0, 1, 600), "task": "regression"}
    table = DeclaredTable(task="regression", slices=tuple(arrays.get("slices", {})), has_clusters=False, periods=0)
    outcome = make.judge(make.check(kind), Evidence.from_arrays(**numbers)).outcomes[0]
    misfits = policy.checks["a"].list_misfits(table)
    undefined = outcome.verdict is Verdict.ERROR and ("task" in outcome.message or "defined for" in outcome.message)
    assert undefined == any("period" not in problem for problem in misfits.values()), (misfits, outcome.message)
