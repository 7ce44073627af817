"""`lockgate history`: every entry of the promotion log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import SettingsError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Keyring, LogEntry

NARROW_WIDTH = 110
"""On a terminal with fewer columns, a run is shown by its id alone."""

MAX_UNBROKEN_RUN = 20
"""Runs of at most this many letters are not broken over lines."""


def history(
    last: Annotated[int, typer.Option("--last", min=1, help="Show the last N entries that match.")] = 50,
    run: Annotated[str, typer.Option(help="Only this run: EvaluateNewModel/ID, or its ID.")] = "",
    event: Annotated[str, typer.Option(help="Only this kind: judged, revoked, rolled_back, waived, retracted …")] = "",
    verdict: Annotated[str, typer.Option(help="Only this verdict: PROMOTE, HOLD or INCONCLUSIVE.")] = "",
    by: Annotated[
        str, typer.Option("--actor", "--by", help="Only entries by this actor; the name is self-reported.")
    ] = "",
    since: Annotated[str, typer.Option(help="Only from this time on: 2026-11-01, 2026-11-01T12:00 (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Only up to this time.")] = "",
    as_json: options.Json = False,
) -> None:
    """Show what was judged and done, when, by whom, and why. Checks the hash chain and the signatures while reading."""
    from lockgate.gates.log.events import EVENT_TYPES
    from lockgate.pipelines.cli.shared.dates import parse_moment
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log
    from lockgate.pipelines.promotion.actor import clock

    kinds = [event_type.model_fields["kind"].default for event_type in EVENT_TYPES]
    if event and event not in kinds:
        raise SettingsError(f"unknown event {event[:40]!r}", expected=f"one of {', '.join(kinds)}", where="--event")
    first = parse_moment(since, now=clock(), where="--since", end_of_day=False) if since else None
    end = parse_moment(until, now=clock(), where="--until") if until else None

    def fits(entry: LogEntry) -> bool:
        entry_run = entry.event.run or ""
        return (
            (not run or run in (entry_run, entry_run.rpartition("/")[2]))
            and (not event or entry.event.kind == event)
            and (not verdict or entry.event.verdict == verdict.upper())
            and (not by or entry.actor == by)
            and (first is None or entry.time >= first)
            and (end is None or entry.time <= end)
        )

    log = project_log()
    entries = [entry for entry in log.entries() if fits(entry)][-last:]
    if as_json:
        print_json([entry.as_json() for entry in entries])
    elif entries:
        _show(entries, log.keyring)
    else:
        filtered = any((run, event, verdict, by, since, until))
        typer.echo("no entry matches" if filtered else "nothing has been judged yet")


def _show(entries: list[LogEntry], keyring: Keyring) -> None:
    from rich.text import Text

    from lockgate.gates.errors import printable
    from lockgate.gates.report.tables import make_table
    from lockgate.gates.report.terminal import RULING_STYLES
    from lockgate.pipelines.cli.shared.files import console

    out = console()
    narrow = out.width < NARROW_WIDTH
    runs = [printable(entry.event.run or "–") for entry in entries]
    runs = [run.rpartition("/")[2] for run in runs] if narrow else runs
    whole = {"entry", "verdict"} | ({"run"} if max(map(len, runs)) <= MAX_UNBROKEN_RUN else set())
    table = make_table("entry", "time", "verdict", "run", "by", "reason", unbroken=whole)
    for entry, run in zip(entries, runs, strict=True):
        signed = keyring.name(entry.signature.key) if entry.signature else ""
        table.add_row(
            str(entry.seq),
            f"{entry.time:%Y-%m-%d %H:%M:%S}",
            Text(entry.event.verdict, RULING_STYLES.get(entry.event.verdict, "bold")),
            Text(run),
            Text(printable(entry.actor) + (f" (signed: {signed})" if signed else "")),
            Text(printable(entry.event.summary)),
        )
    out.print(table)
