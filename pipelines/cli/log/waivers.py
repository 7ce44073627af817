"""`lockgate waivers`: every waiver that was granted, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import LogEntry
    from lockgate.gates.records.state import Waiver


def waivers(
    run: Annotated[str, typer.Option(help="Of this run: EvaluateNewModel/ID, or its ID.")] = "",
    as_json: options.Json = False,
) -> None:
    """Show every waiver: for which gate and run, by whom, until when, and whether it lifted anything."""
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log
    from lockgate.pipelines.promotion.actor import clock

    entries = list(project_log().entries())
    granted = [one for one in entries if one.event.kind == "waived"]
    shown = [one for one in granted if not run or run in (one.event.run, str(one.event.run).rpartition("/")[2])]
    told = [_told(one, entries, clock()) for one in shown]
    if as_json:
        print_json([one.as_json() for one in told])
    elif told:
        _show(told)
    else:
        typer.echo("no gate was waived" + (" for this run" if run else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A waiver, and what came of it in a word and in a sentence."""

    waiver: Waiver
    status: str  # used, waiting, unused, unmatched, expired, sealed
    said: str

    def as_json(self) -> dict[str, Any]:
        return {**self.waiver.model_dump(mode="json"), "status": self.status, "said": self.said}


def _told(granted: LogEntry, entries: list[LogEntry], now: datetime) -> Told:
    """What the judgements that were recorded since say of a waiver, and where there are none, what the clock says."""
    from lockgate.gates.judge.waivers import unmatched
    from lockgate.gates.log.events import WaivedEvent
    from lockgate.gates.records.state import State

    assert isinstance(granted.event, WaivedEvent)  # for the type checker
    one = granted.event.waiver
    judged = [entry for entry in entries[one.seq :] if entry.judgement and entry.event.run == one.run]
    found = {use.entry: (use, entry) for entry in judged for use in entry.read_decision().waivers}.get(one.seq)
    ended = f"; ran out at {one.until.astimezone(UTC):%Y-%m-%d %H:%M}" if now > one.until else ""
    if found:
        use, entry = found
        lifted = f"lifted it in entry {entry.seq}: {entry.event.verdict}{ended}"
        return Told(waiver=one, status=use.status, said=lifted if use.status == "used" else use.message)
    if any(entry.read_decision().sealed for entry in judged):
        return Told(waiver=one, status="sealed", said=f"judged since, and the policy discloses promotions only{ended}")
    idle = [
        said for _, said in unmatched(State(waivers=(one,)), frozenset(str(each.event.run) for each in judged), now)
    ]
    return Told(
        waiver=one, status="expired" if ended else "waiting", said=idle[0] if idle else "another model was judged"
    )


def _show(told: list[Told]) -> None:
    from rich.table import Table
    from rich.text import Text

    from lockgate.gates.errors import printable
    from lockgate.pipelines.cli.log.history import WHOLE_RUN
    from lockgate.pipelines.cli.shared.files import console

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    whole = {"entry"} | ({"run"} if all(len(one.waiver.run.rpartition("/")[2]) <= WHOLE_RUN for one in told) else set())
    for heading in ("entry", "gate", "run", "by", "until (UTC)", "reason", "what came of it"):
        table.add_column(heading, overflow="fold", no_wrap=heading in whole)
    for one in told:
        waiver = one.waiver
        run, until = waiver.run.rpartition("/")[2], f"{waiver.until.astimezone(UTC):%Y-%m-%d %H:%M}"
        cells = (waiver.gate, run, waiver.approver, until, waiver.reason, one.said)
        table.add_row(str(waiver.seq), *(Text(printable(cell)) for cell in cells))
    console().print(table)
