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
from lockgate.gates.report.tables import make_table

MAX_TERMINAL_PARTS = 5
VERDICT_STYLES = {
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
    """A table of gates, a sentence for each with its waivers and unsettled parts, the verdict, and the guarantee."""
    blocks: list[RenderableType] = []
    if decision.outcomes:
        table = make_table(
            "gate", "verdict", wording.OBSERVED_HEADING, wording.INTERVAL_HEADING, "rule", "rows (in clusters)"
        )
        for outcome in decision.outcomes:
            table.add_row(
                _indented_text(outcome.name),
                Text(wording.format_verdict(outcome), VERDICT_STYLES[outcome.verdict]),
                Text(wording.format_observed(outcome)),
                Text(wording.format_interval(outcome)),
                _indented_text(outcome.rule),
                Text(wording.format_rows(outcome)),
            )
        sentences = Table.grid(padding=(0, 2, 0, 0))
        for outcome in decision.outcomes:
            sentences.add_row(
                _indented_text(outcome.name, VERDICT_STYLES[outcome.verdict]), _indented_text(outcome.message)
            )
            if information := wording.format_information(outcome):
                sentences.add_row("", _indented_text(information, "dim"))
            for waiver in wording.list_waivers(decision, outcome.name):
                sentences.add_row("", _indented_text(waiver, "bold"))
            for line in _detail_lines(outcome):
                sentences.add_row("", line)
        blocks += [table, Padding(sentences, (1, 0))]
    verdict = Text()
    verdict.append(
        wording.format_headline(decision),
        "bold green" if decision.already_champion else RULING_STYLES[decision.verdict],
    )
    verdict.append(f"  {decision.reason}")
    unmatched = (_indented_text(waiver) for waiver in wording.list_waivers(decision))
    return Group(*blocks, verdict, *unmatched, Text("; ".join(wording.list_guarantees(decision)), "dim"))


def _detail_lines(outcome: Outcome) -> Iterator[Text]:
    """Why the gate exists and who owns it, then its parts that do not pass, worst first."""
    if background := wording.format_background(outcome):
        yield _indented_text(background, "dim")
    unsettled = [part for part in outcome.parts if part.verdict in wording.UNSETTLED_VERDICTS]
    worst, rest = wording.take_worst(unsettled, MAX_TERMINAL_PARTS)
    for part in worst:
        line = Text("  ")
        line.append(part.verdict, VERDICT_STYLES[part.verdict])
        line.append_text(_indented_text(f"  {part.name}: {part.message}"))
        yield line
        if background := wording.format_background(part):
            yield _indented_text(f"    {background}", "dim")
    if rest:
        yield Text(f"  {rest}", "dim")


def _indented_text(text: str, style: str = "") -> Text:
    indent = text[: len(text) - len(text.lstrip(" "))]
    return Text(indent + printable(text), style)
