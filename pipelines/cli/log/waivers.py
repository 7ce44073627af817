"""`lockgate waivers`: every waiver that was granted, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.durations import convert_to_utc
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import LogEntry
    from lockgate.gates.records.state import Waiver


def waivers(
    run: Annotated[str, typer.Option(help="Only this run: EvaluateNewModel/ID, or its ID.")] = "",
    as_json: options.Json = False,
) -> None:
    """Show every waiver: its gate and run, who granted it, until when, and whether it lifted anything."""
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log
    from lockgate.pipelines.promotion.actor import clock

    entries = list(project_log().entries())
    granted = [entry for entry in entries if entry.event.kind == "waived"]
    selected = [
        entry for entry in granted if not run or run in (entry.event.run, str(entry.event.run).rpartition("/")[2])
    ]
    outcomes = [_describe_waiver(entry, entries, clock()) for entry in selected]
    if as_json:
        print_json([outcome.as_json() for outcome in outcomes])
    elif outcomes:
        _show(outcomes)
    else:
        typer.echo("no gate was waived" + (" for this run" if run else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverOutcome:
    """A waiver, and its outcome as a word and as a sentence."""

    waiver: Waiver
    status: str  # used, waiting, unused, unmatched, expired, sealed
    explanation: str

    def as_json(self) -> dict[str, Any]:
        return {**self.waiver.model_dump(mode="json"), "status": self.status, "said": self.explanation}


def _describe_waiver(granted: LogEntry, entries: list[LogEntry], now: datetime) -> WaiverOutcome:
    """The outcome of a waiver, by the judgements recorded since, or by the clock if there are none."""
    from lockgate.gates.judge.waivers import find_unused_waivers
    from lockgate.gates.log.events import WaivedEvent
    from lockgate.gates.records.state import State

    assert isinstance(granted.event, WaivedEvent)  # for the type checker
    waiver = granted.event.waiver
    judged = [entry for entry in entries[waiver.seq :] if entry.judgement and entry.event.run == waiver.run]
    applied = {use.entry: (use, entry) for entry in judged for use in entry.read_decision().waivers}.get(waiver.seq)
    ended = f"; expired at {convert_to_utc(waiver.until):%Y-%m-%d %H:%M}" if now > waiver.until else ""
    if applied:
        use, entry = applied
        lifted = f"lifted it in entry {entry.seq}: {entry.event.verdict}{ended}"
        return WaiverOutcome(
            waiver=waiver, status=use.status, explanation=lifted if use.status == "used" else use.message
        )
    if any(entry.read_decision().sealed for entry in judged):
        return WaiverOutcome(
            waiver=waiver, status="sealed", explanation=f"judged since, and the policy discloses promotions only{ended}"
        )
    idle = [
        reason
        for _, reason in find_unused_waivers(
            State(waivers=(waiver,)), frozenset(str(each.event.run) for each in judged), now
        )
    ]
    return WaiverOutcome(
        waiver=waiver,
        status="expired" if ended else "waiting",
        explanation=idle[0] if idle else "another model was judged",
    )


def _show(outcomes: list[WaiverOutcome]) -> None:
    from rich.text import Text

    from lockgate.gates.errors import printable
    from lockgate.gates.report.tables import make_table
    from lockgate.pipelines.cli.log.history import MAX_UNBROKEN_RUN
    from lockgate.pipelines.cli.shared.files import console

    whole = {"entry"} | (
        {"run"}
        if all(len(outcome.waiver.run.rpartition("/")[2]) <= MAX_UNBROKEN_RUN for outcome in outcomes)
        else set()
    )
    headings = ("entry", "gate", "run", "by", "until (UTC)", "reason", "what came of it")
    table = make_table(*headings, unbroken=whole)
    for outcome in outcomes:
        waiver = outcome.waiver
        run, until = waiver.run.rpartition("/")[2], f"{convert_to_utc(waiver.until):%Y-%m-%d %H:%M}"
        cells = (waiver.gate, run, waiver.approver, until, waiver.reason, outcome.explanation)
        table.add_row(str(waiver.seq), *(Text(printable(cell)) for cell in cells))
    console().print(table)
