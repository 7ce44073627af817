"""`lockgate export`: a judgement with everything it was made from, for others to reproduce."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LogError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Log, LogEntry


def export(
    run: Annotated[str, typer.Argument(help="A run that was judged: EvaluateNewModel/ID, or its ID.")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.")],
    as_json: options.Json = False,
) -> None:
    """Write a recorded decision with its evidence, policy and context to a folder, all of it or nothing.

    `lockgate judge --evidence FOLDER` judges it again anywhere, without Metaflow or the log, and says whether the
    decision is the same. The evidence holds the labels: whoever gets the folder can judge any model on these rows.
    """
    from lockgate.gates import runs
    from lockgate.gates.log import policies
    from lockgate.gates.verification import export as exchange
    from lockgate.gates.verification import reproduction as again
    from lockgate.pipelines.cli.shared.files import check_free, print_json, write_folder
    from lockgate.pipelines.cli.shared.log import project_log

    check_free(out)
    log = project_log()
    entry, before = _find_judgement(log, run)
    decision = exchange.read_recorded_decision(entry)
    evidence = runs.load_claim(str(decision.binding.run)).evidence
    policy_file = policies.load_policy_bytes(log.store, exchange.require_judgement(entry).policy_sha256)
    policy = policies.parse_policy(policy_file, where=exchange.POLICY_FILE)
    files = exchange.export_entry(entry, before, evidence, policy_file)
    context = exchange.Context.from_bytes(files[exchange.CONTEXT_FILE], where=exchange.CONTEXT_FILE)
    reproduction = again.reproduce(evidence, policy, context, policy_file=policy_file)
    write_folder(out, files)
    if reproduction.differences:
        sys.stderr.write(f"  here it is {again.reproduction_error(reproduction.differences)}\n")
    elif not reproduction.same_engine:
        sys.stderr.write(f"  {again.describe_reproduction(entry, reproduction)}\n")
    if as_json:
        print_json(
            {
                "out": str(out),
                "entry": entry.seq,
                "decision": decision.sha256,
                "engine": reproduction.recorded_engine,
                "differences": list(reproduction.differences),
                "remarks": list(reproduction.remarks),
            }
        )
        return
    typer.echo(f"entry {entry.seq}, {decision.verdict} of {decision.binding.run}, decision sha256 {decision.sha256}")
    for name, blob in files.items():
        typer.echo(f"  {out / name}  {len(blob):,} bytes")


def _find_judgement(log: Log, run: str) -> tuple[LogEntry, LogEntry | None]:
    """The last entry that judged the run, and the one before it."""
    from lockgate.gates.log.events import JudgedEvent, ReverifiedEvent

    for entry in log.backwards():
        event = entry.event
        if isinstance(event, JudgedEvent | ReverifiedEvent):
            judged = event.run if isinstance(event, JudgedEvent) else event.evidence_run
            if judged and run in (judged, judged.rpartition("/")[2]):
                return entry, log.entry(entry.seq - 1) if entry.seq > 1 else None
    raise LogError(f"run {run[:80]!r} has no judgement in the log", hint="`lockgate history` lists the judged runs")
