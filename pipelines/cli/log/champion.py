"""`lockgate champion`: which model reigns, by the promotion log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.durations import convert_to_utc
from lockgate.gates.errors import AdmissionError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Log
    from lockgate.gates.records.state import Champion, State


def champion(
    everyone: Annotated[
        bool, typer.Option("--all", help="Also show earlier champions that may reign again, and revoked models.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show the champion: the run that production predicts with, by the promotion log."""
    from lockgate.gates.errors import printable
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log

    log = project_log()
    state = log.state()
    if state.champion is None and not everyone:
        raise AdmissionError(
            f"project {log.project!r} has no champion" + (" any more" if state.revoked else " yet"),
            hint=_REVOKED if state.revoked else _NOTHING_YET,
        )
    models = list(_describe_models(log, state, everyone=everyone))
    if as_json:
        print_json(models if everyone else models[0])
        return
    if everyone and state.champion is None:
        typer.echo("no model reigns")
    for model in models:
        for line in _describe_lines(model, marked=everyone):
            typer.echo("  " * line.startswith(" ") + printable(line))
    if not log.keyring.requires_signatures:
        typer.echo("the log is unsigned: anybody who can write to the store can change it")


_NOTHING_YET = "`make evaluate model=xgb` trains and judges one; `lockgate judge FLOW/ID` judges a run of another flow"

_REVOKED = (
    "`lockgate champion --all` says why; what is published stays until another model's predictions replace it, or until"
    " `lockgate predictions withdraw`"
)


def _describe_models(log: Log, state: State, *, everyone: bool) -> Iterator[dict[str, Any]]:
    """Each model, and why it may not be served; revoked models come last."""
    signed = log.keyring.requires_signatures
    champions = (state.champion, *state.predecessors) if state.champion else state.predecessors
    for promoted in champions if everyone else champions[:1]:
        yield promoted.model_dump(mode="json") | {
            "reigns": promoted is state.champion,
            "refusal": _refusal(promoted, state),
            "signed": signed,
        }
    for model, seq in sorted(state.revoked.items(), key=lambda item: -item[1]) if everyone else ():
        event = log.entry(seq).event
        yield {
            "run": event.run,
            "sha256": model,
            "reigns": False,
            "refusal": f"revoked by entry {seq}: {event.summary}",
            "signed": signed,
            "seq": None,
            "as_of": None,
            "format": None,
            "valid_until": None,
            "suspect": None,
        }


def _describe_lines(model: dict[str, Any], *, marked: bool) -> Iterator[str]:
    name = ("* " if model["reigns"] and marked else "") + str(model["run"] or "scores without a run")
    if model["seq"] is None:
        yield f"{name}, {model['refusal']}"
        yield f"  model sha256 {model['sha256']}"
        return
    ends = model["valid_until"] and convert_to_utc(datetime.fromisoformat(model["valid_until"]))
    until = f", valid until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    yield f"{name}, promoted by entry {model['seq']}, judged on {model['as_of'] or 'rows of no one period'}{until}"
    if model["refusal"]:
        yield f"  may not be served: {model['refusal']}"
    yield f"  model {model['format'] or 'without a format'} sha256 {model['sha256']}"


def _refusal(promoted: Champion, state: State) -> str:
    from lockgate.pipelines.promotion.actor import clock

    return promoted.refusal(clock(), revoked=state.revoked)
