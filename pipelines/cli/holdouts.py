"""`lockgate holdouts`: the ledger of looks."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli import options

app = typer.Typer(help="Show which rows were judged on, and how often they may be yet.", invoke_without_command=True)


@app.callback()
def holdouts(context: typer.Context, as_json: options.Json = False) -> None:
    """Show every holdout that is known: since when, its looks, the error rate that they spent, and what is retired."""
    if context.invoked_subcommand:
        return
    from pipelines.cli.printing import console, print_json
    from pipelines.cli.project import project_log

    state = project_log().state()
    held = sorted(state.holdouts.items(), key=lambda item: (-item[1].last, item[0]))
    if as_json:
        print_json(
            {
                digest: {
                    "rows": one.rows, "since": one.since, "looks": len(one.looks), "last": one.last,
                    "spent": one.spent, "retired": one.retired, "retracted_by": state.retracted.get(digest),
                }
                for digest, one in held
            }
        )  # fmt: skip
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
        )  # fmt: skip
    console().print(table)


@app.command()
def register(
    run: Annotated[str, typer.Argument(help="A finished run whose holdout it is: EvaluateNewModel/ID, or its ID.")],
    note: Annotated[str, typer.Option(help="What these rows are, for whoever reads the log.")] = "",
    as_json: options.Json = False,
) -> None:
    """Make a run's holdout known before anything is judged on it."""
    from gates import lifecycle, runs
    from pipelines.cli.project import actor, clock, project_log
    from pipelines.cli.recording import tell

    log = project_log(writing=True)
    evidence = runs.claim(run if "/" in run else f"EvaluateNewModel/{run}").evidence
    tell(log, lifecycle.register(log, evidence, note=note, actor=actor(), clock=clock), as_json=as_json)
