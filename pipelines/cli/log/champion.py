"""`lockgate champion`: which model reigns, by the promotion log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lockgate.gates.errors import AdmissionError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Log
    from lockgate.gates.records.state import Champion, State


def champion(
    everyone: Annotated[
        bool, typer.Option("--all", help="And those that reigned before, and may again, and those that were revoked.")
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
            hint=_REVOKED if state.revoked else "`make evaluate model=xgb` trains one",
        )
    told = list(_told(log, state, everyone=everyone))
    if as_json:
        print_json(told if everyone else told[0])
        return
    if everyone and state.champion is None:
        typer.echo("no model reigns")
    for one in told:
        for line in _lines(one, marked=everyone):
            typer.echo("  " * line.startswith(" ") + printable(line))
    if not log.keyring.signed:
        typer.echo("the log is unsigned: whoever may write the store may change this")


_REVOKED = (
    "`lockgate champion --all` says why; what is published stays until another model's predictions replace it, or until"
    " `lockgate predictions withdraw`"
)


def _told(log: Log, state: State, *, everyone: bool) -> Iterator[dict[str, Any]]:
    """Each model, and why it may not be served; those that were revoked come last."""
    signed = log.keyring.signed
    known = (state.champion, *state.predecessors) if state.champion else state.predecessors
    for one in known if everyone else known[:1]:
        yield one.model_dump(mode="json") | {
            "reigns": one is state.champion,
            "refusal": _refusal(one, state),
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


def _lines(one: dict[str, Any], *, marked: bool) -> Iterator[str]:
    name = ("* " if one["reigns"] and marked else "") + str(one["run"] or "scores without a run")
    if one["seq"] is None:
        yield f"{name}, {one['refusal']}"
        yield f"  model sha256 {one['sha256']}"
        return
    ends = one["valid_until"] and datetime.fromisoformat(one["valid_until"]).astimezone(UTC)
    until = f", valid until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    yield f"{name}, promoted by entry {one['seq']}, judged on {one['as_of'] or 'rows without a month'}{until}"
    if one["refusal"]:
        yield f"  may not be served: {one['refusal']}"
    yield f"  model {one['format'] or 'of no format'} sha256 {one['sha256']}"


def _refusal(one: Champion, state: State) -> str:
    from lockgate.pipelines.promotion.actor import clock

    return one.refusal(clock(), revoked=state.revoked)
