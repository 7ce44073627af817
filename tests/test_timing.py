"""No test depends on how fast the machine is."""

from __future__ import annotations

import ast
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parent
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "time", "time_ns"}


def asserted_times(tree: ast.Module) -> list[int]:
    """Lines that assert what a clock of the module `time` says."""
    calls = (
        (statement.lineno, call.func)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Assert)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call)
    )
    return [
        line
        for line, called in calls
        if isinstance(called, ast.Attribute)
        and called.attr in CLOCKS
        and isinstance(called.value, ast.Name)
        and called.value.id == "time"
    ]


def test_an_example_may_take_as_long_as_it_needs() -> None:
    default = hypothesis.settings()
    assert default.deadline is None
    assert hypothesis.HealthCheck.too_slow in default.suppress_health_check


def test_no_test_asserts_a_time() -> None:
    files = sorted(TESTS.rglob("*.py"))
    asserted = {str(file.relative_to(TESTS)): asserted_times(ast.parse(file.read_bytes())) for file in files}
    assert {name: lines for name, lines in asserted.items() if lines} == {}


@pytest.mark.parametrize("code", ["assert time.monotonic() - began < 20", "assert 3 < min(1, time.time())"])
def test_an_asserted_time_is_noticed(code: str) -> None:
    assert asserted_times(ast.parse(code)) == [1]


def test_a_loop_that_waits_asserts_nothing() -> None:
    assert asserted_times(ast.parse("while time.monotonic() < until: assert entry.time <= now")) == []
