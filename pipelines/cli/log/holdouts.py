"""`lockgate holdouts`: the ledger of looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.pipelines.cli.shared import options

app = typer.Typer(help="Show which rows were judged on, and how often they may be yet.", invoke_without_command=True)


@app.callback()
def holdouts(context: typer.Context, as_json: options.Json = False) -> None:
    """Show every holdout that is known: since when, its looks, the error rate that they spent, and what is retired."""
    if context.invoked_subcommand:
        return
    from lockgate.pipelines.cli.shared.files import console, print_json
    from lockgate.pipelines.cli.shared.log import project_log

    state = project_log().state()
    held = sorted(state.holdouts.items(), key=lambda item: (-item[1].last, item[0]))
    if as_json:
        print_json(
            {
                digest: {
                    "rows": one.rows,
                    "since": one.since,
                    "looks": len(one.looks),
                    "last": one.last,
                    "spent": one.spent,
                    "retired": one.retired,
                    "retracted_by": state.retracted.get(digest),
                }
                for digest, one in held
            }
        )
        raise typer.Exit
    if not held:
        typer.echo("no holdout is known: nothing that asks for a gain was judged yet")
        raise typer.Exit
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("holdout", "rows", "since entry", "looks", "last in entry", "error rate spent", ""):
        table.add_column(heading, overflow="fold")
    for digest, one in held:
        retracted = state.retracted.get(digest)
        said = f"retracted by entry {retracted}" if retracted else "retired" if one.retired else "open"
        table.add_row(
            digest[:12], f"{one.rows:,}", str(one.since), str(len(one.looks)), str(one.last), f"{one.spent:g}", said
        )
    console().print(table)
    typer.echo("retired: no further comparison on these rows can pass; open: it may, at the error rate that is left")


@app.command()
def register(
    run: Annotated[
        str | None, typer.Argument(help="A finished run whose holdout it is: EvaluateNewModel/ID, or its ID.")
    ] = None,
    evidence: Annotated[Path | None, typer.Option(help="Or an evidence file with these rows.")] = None,
    note: Annotated[str, typer.Option(help="What these rows are, for whoever reads the log.")] = "",
    as_json: options.Json = False,
) -> None:
    """Make the holdout of a run, or the rows of an evidence file, known before anything is judged on them."""
    from lockgate.gates import runs
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import project_log, tell
    from lockgate.pipelines.promotion.actor import actor, clock

    if (run is None) == (evidence is None):
        raise SettingsError(
            "nothing to register" if run is None else "two things at once", expected="a RUN, or --evidence FILE"
        )
    log = project_log(writing=True)
    if evidence is not None:
        held = Evidence.read(evidence)
    else:
        held = runs.load_claim(str(run) if "/" in str(run) else f"EvaluateNewModel/{run}").evidence
    project = held.facts.get("project")
    if project is not None and project != log.project:
        raise LockgateError(
            f"the rows are of project {project!r}", expected=f"project {log.project!r}", where=str(evidence or run)
        )
    tell(log, actions.register(log, held, note=note, actor=actor(), clock=clock), as_json=as_json)
