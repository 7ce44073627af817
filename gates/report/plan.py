"""A plan as a rich renderable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lockgate.gates.planning import Need, Plan

COLUMNS = ("gate", "asked", "level", "supposed to be true", "needs", "passes here", "this holdout shows")


def render(plan: Plan) -> RenderableType:
    """A table of gates, why some have no number, and what all of them need together."""
    here = plan.rows is not None
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in COLUMNS if here else COLUMNS[:5]:
        table.add_column(heading, overflow="fold")
    told = [(need, depth) for top in plan.needs for need, depth in _flat(top)]
    for need, depth in told:
        name = "  " * depth + need.name + (" (warn)" if need.severity == "warn" and not depth else "")
        cells = [name, _asked(need), _level(need), need.supposed or "–", size(need.rows, need.clusters)]
        row = [Text(cell) for cell in cells]
        table.add_row(*row, *([_chance(need.chance, plan.power), Text(need.shows or "–")] if here else []))
    names: dict[str, list[str]] = {}
    for need, _ in told:
        for note in _notes(need):
            names.setdefault(note, []).append(need.name)
    notes = Table.grid(padding=(0, 2, 0, 0))
    for note, gates in names.items():
        notes.add_row(Text(", ".join(gates)), Text(note))
    return Group(table, Padding(notes, (1, 0) if names else 0), _together(plan))


def _flat(need: Need, depth: int = 0) -> Iterator[tuple[Need, int]]:
    """A gate, and below it its parts."""
    yield need, depth
    for part in need.parts:
        yield from _flat(part, depth + 1)


def _asked(need: Need) -> str:
    if not need.parts:
        return need.rule
    return "one of" if need.kind == "any_of" else "all of"


def size(rows: int | None, clusters: int | None) -> str:
    """How many rows, in how many clusters; – where there is no number."""
    if rows is None:
        return "–"
    return f"{rows:,} rows" if clusters is None else f"{rows:,} rows in {clusters:,} clusters"


def _level(need: Need) -> str:
    if need.level is None:
        return "–" if need.truth is None else "point"
    return f"{need.level:.6g}"


def _chance(chance: float | None, power: float) -> Text:
    if chance is None:
        return Text("–")
    return Text(probability(chance), "green" if chance >= power else "yellow")


def probability(value: float) -> str:
    """Two digits, and never 0 or 1 for what is not."""
    if 0.005 <= value <= 0.995 or value in (0.0, 1.0):
        return f"{value:.2f}"
    return "> 0.99" if value > 0.5 else "< 0.01"


def _notes(need: Need) -> list[str]:
    notes = [need.why] if need.why else []
    if need.cheapest and len(need.parts) > 1:
        notes.append(f"{need.cheapest!r} is the cheapest way to pass it")
    if need.narrow_rows is not None:
        notes.append(f"an interval as narrow as asked takes {need.narrow_rows:,} rows")
    if need.bound_rows is not None and need.saving is not None:
        notes.append(
            f"ease.ml/ci's bound asks for {need.bound_rows:,} rows of the same condition: "
            f"{need.saving:.1f} times as many"
        )
    return notes


def _together(plan: Plan) -> Text:
    """What all blocking gates need together, in a sentence or two."""
    said = Text()
    if plan.chance is not None and plan.chance_most is not None:
        said.append(*_headline(plan))
        least, most = probability(plan.chance), probability(plan.chance_most)
        within = least if least == most else f"{least} to {most}"
        said.append(
            f"  on {size(plan.rows, plan.clusters)} all blocking gates{' planned' if plan.unplanned else ''} pass "
            f"together with probability {within}, if what is supposed is true"
        )
        if not plan.enough:
            said.append(f"; {_more(plan)}")
    elif plan.together_rows is not None:
        said.append(size(plan.together_rows, plan.together_clusters), "bold")
        said.append(f" make all blocking gates planned pass together with probability {plan.power:g} at least")
    else:
        said.append("NOTHING PLANNED", "bold yellow")
    if plan.unplanned:
        said.append(f"\nnot planned, and left out: {', '.join(plan.unplanned)}", "dim")
    if plan.looks:
        said.append(f"\nlooks: {plan.looks}", "yellow" if plan.looks_left == 0 else "")
    return said


def _headline(plan: Plan) -> tuple[str, str]:
    if not plan.enough:
        return "NOT ENOUGH", "bold yellow"
    return ("ENOUGH SO FAR", "bold yellow") if plan.unplanned else ("ENOUGH", "bold green")


def _more(plan: Plan) -> str:
    """How many rows it would take, and which gate asks for most of them."""
    if plan.together_rows is None:
        return f"no number of rows makes it {plan.power:g}"
    needs = [need for need in plan.needs if need.severity == "block" and need.rows is not None]
    most = max(needs, key=lambda need: need.rows or 0, default=None)
    by = f" ({most.name} asks for most)" if most and len(needs) > 1 else ""
    return f"{size(plan.together_rows, plan.together_clusters)} make it {plan.power:g}{by}"
