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
from lockgate.pipelines.promotion.card import components
from lockgate.pipelines.promotion.decide import Reported
from tests.gates.conftest import DECLARED, Make

HOSTILE = ["a_b*c* `d`", "[x](javascript:alert(1))", "<script>x</script>", "# h", "&lt;\x1b[31m\n| row |", "@everyone"]


@pytest.fixture(scope="module", autouse=True)
def _metaflow() -> None:
    with warnings.catch_warnings(action="ignore"):  # not ours, and errors in tests
        import_module("metaflow.cards")


def made() -> Reported:
    checks = {"sites": Make.checks["slices"], "floor": {**Make.checks["threshold"], "min": 0.999}}
    names = np.array(HOSTILE)
    evidence = Make().evidence(slices={"site": names[np.arange(600) % len(HOSTILE)]})
    decision = judge(Policy.parse({**DECLARED, "checks": checks}), evidence)
    return Reported(decision=decision, entry=3, note="entry 3 of the _promotion_ log")


def texts(component: Any) -> Iterator[str]:
    """All that a component shows."""
    match component:
        case str():
            yield component
        case list() | tuple():
            for one in component:
                yield from texts(one)
        case dict():
            for one in component.values():
                yield from texts(one)


def test_what_a_run_names_is_in_tables_only_and_as_it_is() -> None:
    shown = [one.render() for one in components(made())]
    markdown = [one["source"] for one in shown if one["type"] == "markdown"]
    assert markdown == ["# HOLD", "## Gates", "## By slice", "## Bound"]
    cells = [text for one in shown if one["type"] == "table" for text in texts([one["data"], one["columns"]])]
    for name in HOSTILE:
        flat = " ".join(name.split()).replace("\x1b", "�")
        assert flat in cells
    assert not any("&#" in cell or "\x1b" in cell or "\n" in cell for cell in cells)
    assert len(shown) == len(markdown) + sum(one["type"] == "table" for one in shown)


def test_the_whole_decision_is_on_it() -> None:
    told = made()
    shown = json.dumps([one.render() for one in components(told)], ensure_ascii=False)
    for said in (
        told.note,
        told.decision.sha256,
        "auc >= 0.999 (bound)",
        "🔴 FAIL",
        "6 slices",
        told.decision.guarantee,
    ):
        assert said in shown
