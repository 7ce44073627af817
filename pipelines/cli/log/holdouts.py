"""`lockgate holdouts`: the ledger of looks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.pipelines.cli.shared import options

app = typer.Typer(
    help="Show which rows were used for judging, and how often they may still be.", invoke_without_command=True
)


@app.callback()
def holdouts(context: typer.Context, as_json: options.Json = False) -> None:
    """Show every known holdout: since which entry, its looks, the error rate they used, and whether it is retired."""
    if context.invoked_subcommand:
        return
    from lockgate.pipelines.cli.shared.files import console, print_json
    from lockgate.pipelines.cli.shared.log import project_log

    state = project_log().state()
    ledger = sorted(state.holdouts.items(), key=lambda item: (-item[1].last, item[0]))
    if as_json:
        print_json(
            {
                digest: {
                    "rows": holdout.rows,
                    "since": holdout.since,
                    "looks": len(holdout.looks),
                    "last": holdout.last,
                    "spent": holdout.spent,
                    "retired": holdout.retired,
                    "retracted_by": state.retracted.get(digest),
                }
                for digest, holdout in ledger
            }
        )
        raise typer.Exit
    if not ledger:
        typer.echo("no holdout is known: nothing that requires a gain has been judged yet")
        raise typer.Exit
    from lockgate.gates.report.tables import make_table

    table = make_table("holdout", "rows", "since entry", "looks", "last in entry", "error rate spent", "")
    for digest, holdout in ledger:
        retracted = state.retracted.get(digest)
        status = f"retracted by entry {retracted}" if retracted else "retired" if holdout.retired else "open"
        table.add_row(
            digest[:12],
            f"{holdout.rows:,}",
            str(holdout.since),
            str(len(holdout.looks)),
            str(holdout.last),
            f"{holdout.spent:g}",
            status,
        )
    console().print(table)
    typer.echo("retired: no further comparison on these rows can pass; open: one can, at the remaining error rate")


@app.command()
def register(
    run: Annotated[
        str | None, typer.Argument(help="The finished run whose holdout to register: EvaluateNewModel/ID, or its ID.")
    ] = None,
    evidence: Annotated[Path | None, typer.Option(help="Or an evidence file with the rows.")] = None,
    note: Annotated[str, typer.Option(help="What these rows are, for people who read the log.")] = "",
    as_json: options.Json = False,
) -> None:
    """Register the holdout of a run, or the rows of an evidence file, before anything is judged on them."""
    from lockgate.gates import runs
    from lockgate.gates.evidence.evidence import Evidence
    from lockgate.gates.lifecycle import actions
    from lockgate.pipelines.cli.shared.log import project_log, show_recorded
    from lockgate.pipelines.promotion.actor import actor, clock

    if (run is None) == (evidence is None):
        raise SettingsError(
            "nothing to register" if run is None else "both a RUN and --evidence are given",
            expected="a RUN, or --evidence FILE",
        )
    log = project_log(writing=True)
    if evidence is not None:
        registered = Evidence.read(evidence)
    else:
        registered = runs.load_claim(str(run) if "/" in str(run) else f"EvaluateNewModel/{run}").evidence
    project = registered.facts.get("project")
    if project is not None and project != log.project:
        raise LockgateError(
            f"the rows belong to project {project!r}", expected=f"project {log.project!r}", where=str(evidence or run)
        )
    show_recorded(log, actions.register(log, registered, note=note, actor=actor(), clock=clock), as_json=as_json)
