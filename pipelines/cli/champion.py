"""`lockgate champion`: which model reigns, by the promotion log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gates.errors import AdmissionError
from pipelines.cli import options

if TYPE_CHECKING:
    from gates.state import Champion, State


def champion(
    everyone: Annotated[bool, typer.Option("--all", help="And those that reigned before, and may again.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show the champion: the run that production predicts with, by the promotion log."""
    from pipelines.cli.printing import print_json
    from pipelines.cli.project import project_log

    log = project_log()
    state = log.state()
    if state.champion is None and not everyone:
        raise AdmissionError(
            f"project {log.project!r} has no champion" + (" any more" if state.revoked else " yet"),
            hint="`make evaluate model=xgb` trains and judges one",
        )
    shown = [state.champion] if state.champion else []
    shown += state.predecessors if everyone else ()
    if as_json:
        told = [one.model_dump(mode="json") | {"refusal": _refusal(one, state)} for one in shown]
        print_json(told if everyone else told[0])
        raise typer.Exit
    for one in shown:
        reigns = "" if one is not state.champion else "* " if everyone else ""
        until = f", valid until {one.valid_until:%Y-%m-%d}" if one.valid_until else ""
        typer.echo(f"{reigns}{one.run}  promoted by entry {one.seq}, judged on {one.as_of}{until}")
        if refusal := _refusal(one, state):
            typer.echo(f"may not be served: {refusal}")
        typer.echo(f"model {one.format} sha256 {one.sha256}")
    if not log.keyring.signed:
        typer.echo("the log is unsigned: whoever may write the store may change this")


def _refusal(one: Champion, state: State) -> str:
    from pipelines.cli.project import clock

    return one.refusal(clock(), revoked=state.revoked)
