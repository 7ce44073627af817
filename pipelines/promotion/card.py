"""A decision on a Metaflow card. All of it is in cells of tables, which show text as it is: the card's Markdown knows
no way to say a character that means something to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lockgate.gates.kinds import PART_NOUNS
from lockgate.gates.records.outcome import tally
from lockgate.gates.report import wording
from lockgate.gates.report.markdown import MAX_PARTS

if TYPE_CHECKING:
    from lockgate.gates.records.outcome import Outcome
    from lockgate.pipelines.promotion.decide import Reported


def components(told: Reported) -> Iterator[Any]:
    """Verdict first, then the gates, what was seen, the parts of each gate, and what the decision binds."""
    from metaflow.cards import Markdown, Table

    decision = told.decision
    yield Markdown(f"# {wording.headline(decision)}")
    yield _table([[decision.reason], *([said] for said in wording.waivers(decision)), [told.note]], [""])
    if decision.outcomes:
        yield Markdown("## Gates")
        yield _table(
            [
                [one.name, *_measured(one, wording.verdict(one)), one.rule, wording.rows(one)]
                for one in decision.outcomes
            ],
            ["gate", "verdict", "observed", "interval (one-sided level)", "rule", "rows (in clusters)"],
        )
        yield _table([[one.name, _seen(one)] for one in decision.outcomes], ["gate", "what was seen"])
    for one in decision.outcomes:
        yield from _parts(one, one.name)
    bound = decision.binding
    digests = {"holdout": bound.holdout, "policy": bound.policy, "model": bound.model, "decision": decision.sha256}
    yield Markdown("## Bound")
    yield _table([[name, value or "unknown"] for name, value in digests.items()], ["", "SHA-256"])
    yield Table([[wording.cell(said)] for said in wording.guarantee(decision)])


def _parts(outcome: Outcome, title: str) -> Iterator[Any]:
    if not outcome.parts:
        return
    from metaflow.cards import Markdown

    noun = wording.part_noun(outcome, PART_NOUNS)
    shown, rest = wording.worst_first(outcome.parts, MAX_PARTS)
    yield Markdown(f"## By {noun}")
    yield _table([[title, tally(outcome.parts, noun), rest]], ["gate", f"{noun}s", ""])
    yield _table(
        [[one.name, *_measured(one, one.verdict), wording.rows(one), _seen(one)] for one in shown],
        [noun, "verdict", "observed", "interval (one-sided level)", "rows (in clusters)", "what was seen"],
    )
    for one in shown:
        yield from _parts(one, f"{title} / {one.name}")


def _measured(outcome: Outcome, verdict: str) -> list[str]:
    return [f"{wording.ICON[outcome.verdict]} {verdict}", wording.observed(outcome), wording.interval(outcome)]


def _seen(outcome: Outcome) -> str:
    background = wording.background(outcome)
    return outcome.message + (f" ({background})" if background else "")


def _table(rows: list[list[str]], headers: list[str]) -> Any:
    from metaflow.cards import Table

    return Table([[wording.cell(cell) for cell in row] for row in rows], headers=headers)
