"""A selftest on a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from lockgate.gates.report.selftest import format_rate, render
from lockgate.gates.selftest import Rate, Selftest, selftest

CHECKS = {
    "gain": {"kind": "improvement", "metric": "log_loss", "margin": 0.0},
    "floor": {"kind": "threshold", "metric": "auc", "min": 0.55, "decide": "point", "severity": "warn"},
}


@pytest.fixture(scope="module")
def result(make: Any) -> Selftest:
    evidence = make.evidence()
    return selftest(make.policy(CHECKS), evidence, trials=20, seeds=[evidence])


def print_selftest(result: Selftest) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as capture:
        console.print(render(result))
    return capture.get()


def test_everything_that_was_tried_is_shown(result: Selftest) -> None:
    text = print_selftest(result)
    assert "600 rows; gains are in log_loss" in text
    assert "the model with another seed 1 1 of 1 5% at most" in " ".join(text.split())
    assert "scores swapped row by row" in text
    for trials in (*result.gains, *result.regressions, *result.hidden):
        assert trials.planted in text
    assert "floor (warn)" in text
    assert result.summary in " ".join(text.split())


def test_every_draw_says_what_it_keeps_and_what_it_destroys(result: Selftest) -> None:
    text = " ".join(print_selftest(result).split())
    assert "rows with scores swapped: keeps labels and slices; every gate is judged; destroys skew" in text
    assert "rows as they are: keeps skew; destroys whatever rows share" in text
    assert "looked for: skewness of rows" in text
    assert "rows as they are 2,000" in text
    assert "as they are" not in print_selftest(replace(result, drawn=(), signs=()))


def test_the_verdict_comes_last_with_what_to_change(result: Selftest) -> None:
    fine = replace(result, problems=(), warnings=())
    for variant, headline in (
        (fine, "OK"),
        (replace(fine, warnings=("w",)), "WARNINGS"),
        (replace(fine, problems=("p",), warnings=("w",)), "UNFIT"),
    ):
        last = print_selftest(variant).split("\n\n")[-1]
        assert last.startswith(f"{headline}  promoted: equal models in ")
        assert [line for line in last.splitlines()[1:] if line] == [
            f"  • {problem}" for problem in variant.problems + variant.warnings
        ]


def test_names_cannot_paint(result: Selftest) -> None:
    assert "\x1b" not in print_selftest(replace(result, warnings=("\x1b[31mred",)))


def test_gates_that_were_left_out_are_named(result: Selftest) -> None:
    assert "left out, because they judge the run and not its rows: traced" in print_selftest(
        replace(result, left_out=("traced",))
    )
    assert "as they ask for gains in parts of the rows: monthly" in print_selftest(
        replace(result, undrawn=("monthly",))
    )


@pytest.mark.parametrize(
    ("count", "total", "text"),
    [(0, 12, "0 of 12"), (60, 100, "60% (50–69)"), (0, 200, "0.0% (0.0–1.9)"), (50, 50, "100% (93–100)")],
)
def test_a_rate_with_its_interval(count: int, total: int, text: str) -> None:
    assert format_rate(Rate(count=count, total=total)) == text
