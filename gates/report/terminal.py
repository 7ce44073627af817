"""A decision as a rich renderable."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lockgate.gates.errors import printable
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Outcome, Ruling, Verdict
from lockgate.gates.report import wording

MAX_PARTS = 5
STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "bold magenta",
    Verdict.SKIP: "dim",
}
RULING_STYLES: dict[str, str] = {
    Ruling.PROMOTE: "bold green",
    Ruling.HOLD: "bold red",
    Ruling.INCONCLUSIVE: "bold yellow",
    Ruling.ERROR: "bold magenta",
}


def render(decision: Decision) -> RenderableType:
    """A table of gates, a sentence for each, its waivers and unsettled parts, the verdict, and what is guaranteed."""
    shown: list[RenderableType] = []
    if decision.outcomes:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("gate", "verdict", "observed", "interval (one-sided level)", "rule", "rows (in clusters)"):
            table.add_column(heading, overflow="fold")
        for outcome in decision.outcomes:
            table.add_row(
                _text(outcome.name),
                Text(wording.verdict(outcome), STYLES[outcome.verdict]),
                Text(wording.observed(outcome)),
                Text(wording.interval(outcome)),
                _text(outcome.rule),
                Text(wording.rows(outcome)),
            )
        sentences = Table.grid(padding=(0, 2, 0, 0))
        for outcome in decision.outcomes:
            sentences.add_row(_text(outcome.name, STYLES[outcome.verdict]), _text(outcome.message))
            for said in wording.waivers(decision, outcome.name):
                sentences.add_row("", _text(said, "bold"))
            for line in _below(outcome):
                sentences.add_row("", line)
        shown += [table, Padding(sentences, (1, 0))]
    verdict = Text()
    verdict.append(
        wording.headline(decision), "bold green" if decision.already_champion else RULING_STYLES[decision.verdict]
    )
    verdict.append(f"  {decision.reason}")
    left = (_text(said) for said in wording.waivers(decision))
    return Group(*shown, verdict, *left, Text("; ".join(wording.guarantee(decision)), "dim"))


def _below(outcome: Outcome) -> Iterator[Text]:
    """Why the gate exists, and its parts that are not settled, worst first."""
    if background := wording.background(outcome):
        yield _text(background, "dim")
    unsettled = [part for part in outcome.parts if part.verdict in wording.UNSETTLED]
    worst, rest = wording.worst_first(unsettled, MAX_PARTS)
    for part in worst:
        line = Text("  ")
        line.append(part.verdict, STYLES[part.verdict])
        line.append_text(_text(f"  {part.name}: {part.message}"))
        yield line
        if background := wording.background(part):
            yield _text(f"    {background}", "dim")
    if rest:
        yield Text(f"  {rest}", "dim")


def _text(text: str, style: str = "") -> Text:
    indent = text[: len(text) - len(text.lstrip(" "))]
    return Text(indent + printable(text), style)
