"""A decision as a rich renderable."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gates.decision import Decision
from gates.outcome import Ruling, Verdict
from gates.report import wording

STYLES = {
    Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.INCONCLUSIVE: "yellow", Verdict.ERROR: "bold magenta",
    Verdict.SKIP: "dim",
}  # fmt: skip
RULING_STYLES = {
    Ruling.PROMOTE: "bold green", Ruling.HOLD: "bold red", Ruling.INCONCLUSIVE: "bold yellow",
    Ruling.ERROR: "bold magenta",
}  # fmt: skip


def render(decision: Decision) -> RenderableType:
    """A table of gates, a sentence for each, and the verdict with its reason."""
    parts: list[RenderableType] = []
    if decision.outcomes:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("gate", "verdict", "observed", "interval (one-sided level)", "rule", "rows (in clusters)"):
            table.add_column(heading, overflow="fold")
        for outcome in decision.outcomes:
            table.add_row(
                Text(outcome.name), Text(wording.verdict(outcome), STYLES[outcome.verdict]),
                Text(wording.observed(outcome)), Text(wording.interval(outcome)), Text(outcome.rule),
                Text(wording.rows(outcome)),
            )  # fmt: skip
        sentences = Table.grid(padding=(0, 2, 0, 0))
        for outcome in decision.outcomes:
            sentences.add_row(Text(outcome.name, STYLES[outcome.verdict]), Text(outcome.message))
        parts += [table, Padding(sentences, (1, 0))]
    verdict = Text()
    verdict.append(
        wording.headline(decision), "bold green" if decision.already_champion else RULING_STYLES[decision.verdict]
    )
    verdict.append(f"  {decision.reason}")
    parts.append(verdict)
    look = decision.look
    if look.scheduled and look.number is not None and not (decision.sealed or decision.already_champion):
        again = ", taken before: recorded, and free" if look.repeated else ""
        parts.append(Text(f"look {look.number} of {look.of} at this holdout{again}; {decision.guarantee}", "dim"))
    return Group(*parts)
