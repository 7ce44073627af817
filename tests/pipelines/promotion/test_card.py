"""The card of Promote: the whole decision, and nothing that a run names is read as Markdown."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from lockgate import judge
from lockgate.gates.policy.policy import Policy
from lockgate.pipelines.promotion.card import build_card
from lockgate.pipelines.promotion.decide import ReportedDecision
from tests.gates.conftest import DECLARED, Make

HOSTILE = ["a_b*c* `d`", "[x](javascript:alert(1))", "<script>x</script>", "# h", "&lt;\x1b[31m\n| row |", "@everyone"]


@pytest.fixture(scope="module", autouse=True)
def _metaflow() -> None:
    with warnings.catch_warnings(action="ignore"):  # not ours, and errors in tests
        import_module("metaflow.cards")


def make_reported() -> ReportedDecision:
    checks = {"sites": Make.checks["slices"], "floor": {**Make.checks["threshold"], "min": 0.999}}
    names = np.array(HOSTILE)
    evidence = Make().evidence(slices={"site": names[np.arange(600) % len(HOSTILE)]})
    decision = judge(Policy.parse({**DECLARED, "checks": checks}), evidence)
    return ReportedDecision(decision=decision, entry=3, note="entry 3 of the _promotion_ log")


def texts(component: Any) -> Iterator[str]:
    """All that a component shows."""
    match component:
        case str():
            yield component
        case list() | tuple():
            for item in component:
                yield from texts(item)
        case dict():
            for item in component.values():
                yield from texts(item)


def test_what_a_run_names_is_in_tables_only_and_as_it_is() -> None:
    results = [item.render() for item in build_card(make_reported())]
    markdown = [item["source"] for item in results if item["type"] == "markdown"]
    assert markdown == ["# HOLD", "## Gates", "## By slice", "## Bound"]
    cells = [text for item in results if item["type"] == "table" for text in texts([item["data"], item["columns"]])]
    for name in HOSTILE:
        flat = " ".join(name.split()).replace("\x1b", "�")
        assert flat in cells
    assert not any("&#" in cell or "\x1b" in cell or "\n" in cell for cell in cells)
    assert len(results) == len(markdown) + sum(item["type"] == "table" for item in results)


def test_the_whole_decision_is_on_it() -> None:
    report = make_reported()
    output = json.dumps([item.render() for item in build_card(report)], ensure_ascii=False)
    for item in (
        report.note,
        report.decision.sha256,
        "auc >= 0.999 (bound)",
        "🔴 FAIL",
        "6 slices",
        report.decision.guarantee,
    ):
        assert item in output
