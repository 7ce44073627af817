"""A plan as a rich renderable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lockgate.gates.records.numbers import format_times
from lockgate.gates.report.tables import make_table

if TYPE_CHECKING:
    from lockgate.gates.planning import Need, RowPlan

COLUMNS = ("gate", "asked", "level", "assumed to be true", "needs", "passes here", "this holdout shows")


def render(plan: RowPlan) -> RenderableType:
    """A table of gates, notes on them, and what all of them need together."""
    has_rows = plan.rows is not None
    table = make_table(*(COLUMNS if has_rows else COLUMNS[:5]))
    needs = [(need, depth) for top in plan.needs for need, depth in _flatten(top)]
    for need, depth in needs:
        name = "  " * depth + need.name + (" (warn)" if need.severity == "warn" and not depth else "")
        cells = [
            name,
            _describe_condition(need),
            _format_level(need),
            need.supposed or "–",
            format_size(need.rows, need.clusters),
        ]
        row = [Text(cell) for cell in cells]
        table.add_row(*row, *([_format_chance(need.chance, plan.power), Text(need.shows or "–")] if has_rows else []))
    names: dict[str, list[str]] = {}
    for need, _ in needs:
        for note in _list_notes(need):
            names.setdefault(note, []).append(need.name)
    notes = Table.grid(padding=(0, 2, 0, 0))
    for note, gates in names.items():
        notes.add_row(Text(", ".join(gates)), Text(note))
    return Group(table, Padding(notes, (1, 0) if names else 0), _summarise(plan))


def _flatten(need: Need, depth: int = 0) -> Iterator[tuple[Need, int]]:
    """A gate and, one level deeper, its parts."""
    yield need, depth
    for part in need.parts:
        yield from _flatten(part, depth + 1)


def _describe_condition(need: Need) -> str:
    if not need.parts:
        return need.rule
    return "one of" if need.kind == "any_of" else "all of"


def format_size(rows: int | None, clusters: int | None) -> str:
    """A number of rows and of clusters; – where it is unknown."""
    if rows is None:
        return "–"
    return f"{rows:,} rows" if clusters is None else f"{rows:,} rows in {clusters:,} clusters"


def _format_level(need: Need) -> str:
    if need.level is None:
        return "–" if need.truth is None else "point"
    return f"{need.level:.6g}"


def _format_chance(chance: float | None, power: float) -> Text:
    if chance is None:
        return Text("–")
    return Text(format_probability(chance), "green" if chance >= power else "yellow")


def format_probability(value: float) -> str:
    """Two digits; only what is exactly 0 or 1 is shown as such."""
    if 0.005 <= value <= 0.995 or value in (0.0, 1.0):
        return f"{value:.2f}"
    return "> 0.99" if value > 0.5 else "< 0.01"


def _list_notes(need: Need) -> list[str]:
    notes = [need.why] if need.why else []
    if need.cheapest and len(need.parts) > 1:
        notes.append(f"{need.cheapest!r} is the cheapest way to pass it")
    if need.rows_range is not None:
        low, high = need.rows_range
        notes.append(f"the pilot knows its error only so well: {low:,} to {high:,} rows, in 90% of pilots")
    if need.narrow_rows is not None:
        notes.append(f"an interval as narrow as asked takes {need.narrow_rows:,} rows")
    if need.bound_rows is not None and need.saving is not None:
        notes.append(
            f"ease.ml/ci's bound asks for {need.bound_rows:,} rows of the same condition: "
            f"{format_times(need.saving)} as many"
        )
    return notes


def _summarise(plan: RowPlan) -> Text:
    """What all blocking gates need together: a sentence or two."""
    text = Text()
    if plan.chance is not None and plan.chance_most is not None:
        text.append(*_choose_headline(plan))
        lower, upper = format_probability(plan.chance), format_probability(plan.chance_most)
        probability = lower if lower == upper else f"{lower} to {upper}"
        text.append(
            f"  on {format_size(plan.rows, plan.clusters)} all{' planned' if plan.unplanned else ''} blocking gates"
            f" pass together with probability {probability}, if the assumptions are true"
        )
        if not plan.enough:
            text.append(f"; {_describe_shortage(plan)}")
    elif plan.together_rows is not None:
        text.append(format_size(plan.together_rows, plan.together_clusters), "bold")
        text.append(f" make all planned blocking gates pass together with a probability of at least {plan.power:g}")
    else:
        text.append("NOTHING PLANNED", "bold yellow")
    if plan.unplanned:
        text.append(f"\nnot planned and left out: {', '.join(plan.unplanned)}", "dim")
    if plan.looks:
        text.append(f"\nlooks: {plan.looks}", "yellow" if plan.looks_left == 0 else "")
    return text


def _choose_headline(plan: RowPlan) -> tuple[str, str]:
    if not plan.enough:
        return "NOT ENOUGH", "bold yellow"
    return ("ENOUGH SO FAR", "bold yellow") if plan.unplanned else ("ENOUGH", "bold green")


def _describe_shortage(plan: RowPlan) -> str:
    """How many rows it would take, and which gate needs most of them."""
    if plan.together_rows is None:
        return f"no number of rows makes it {plan.power:g}"
    needs = [need for need in plan.needs if need.severity == "block" and need.rows is not None]
    largest = max(needs, key=lambda need: need.rows or 0, default=None)
    by = f" ({largest.name} needs most)" if largest and len(needs) > 1 else ""
    return f"{format_size(plan.together_rows, plan.together_clusters)} make it {plan.power:g}{by}"
