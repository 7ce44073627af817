"""A decision on a Metaflow card.

All text is in cells of tables, which show it as it is: the card's Markdown has no way to escape a character.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lockgate.gates.errors import printable
from lockgate.gates.kinds import PART_NOUNS
from lockgate.gates.records.outcome import summarise_parts
from lockgate.gates.report import wording
from lockgate.gates.report.markdown import MAX_MARKDOWN_PARTS

if TYPE_CHECKING:
    from lockgate.gates.records.outcome import Outcome
    from lockgate.pipelines.promotion.decide import ReportedDecision


def build_card(reported: ReportedDecision) -> Iterator[Any]:
    """The verdict, then the gates, their sentences, the parts of each gate, and the digests."""
    from metaflow.cards import Markdown, Table

    decision = reported.decision
    yield Markdown(f"# {wording.format_headline(decision)}")
    yield _table(
        [[decision.reason], *([sentence] for sentence in wording.list_waivers(decision)), [reported.note]], [""]
    )
    if decision.outcomes:
        yield Markdown("## Gates")
        yield _table(
            [
                [
                    outcome.name,
                    *_measurement_cells(outcome, wording.format_verdict(outcome)),
                    outcome.rule,
                    wording.format_rows(outcome),
                ]
                for outcome in decision.outcomes
            ],
            ["gate", "verdict", wording.OBSERVED_HEADING, wording.INTERVAL_HEADING, "rule", "rows (in clusters)"],
        )
        yield _table(
            [[outcome.name, _describe_outcome(outcome)] for outcome in decision.outcomes], ["gate", "what was seen"]
        )
    for outcome in decision.outcomes:
        yield from _part_tables(outcome, outcome.name)
    bound = decision.binding
    digests = {"holdout": bound.holdout, "policy": bound.policy, "model": bound.model, "decision": decision.sha256}
    yield Markdown("## Bound")
    yield _table([[name, value or "unknown"] for name, value in digests.items()], ["", "SHA-256"])
    yield Table([[printable(sentence)] for sentence in wording.list_guarantees(decision)])


def _part_tables(outcome: Outcome, title: str) -> Iterator[Any]:
    if not outcome.parts:
        return
    from metaflow.cards import Markdown

    noun = wording.part_noun(outcome, PART_NOUNS)
    worst, rest = wording.take_worst(outcome.parts, MAX_MARKDOWN_PARTS)
    yield Markdown(f"## By {noun}")
    yield _table([[title, summarise_parts(outcome.parts, noun), rest]], ["gate", f"{noun}s", ""])
    yield _table(
        [
            [part.name, *_measurement_cells(part, part.verdict), wording.format_rows(part), _describe_outcome(part)]
            for part in worst
        ],
        [noun, "verdict", wording.OBSERVED_HEADING, wording.INTERVAL_HEADING, "rows (in clusters)", "what was seen"],
    )
    for part in worst:
        yield from _part_tables(part, f"{title} / {part.name}")


def _measurement_cells(outcome: Outcome, verdict: str) -> list[str]:
    return [
        f"{wording.VERDICT_ICONS[outcome.verdict]} {verdict}",
        wording.format_observed(outcome),
        wording.format_interval(outcome),
    ]


def _describe_outcome(outcome: Outcome) -> str:
    background = wording.format_background(outcome)
    return outcome.message + (f" ({background})" if background else "")


def _table(rows: list[list[str]], headers: list[str]) -> Any:
    from metaflow.cards import Table

    return Table([[wording.format_cell(cell) for cell in row] for row in rows], headers=headers)
