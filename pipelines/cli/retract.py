"""`lockgate retract`: rows, a metric or an entry was wrong; what rested on it is suspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import options

if TYPE_CHECKING:
    from gates.log import Entry, Log


def retract(
    reason: options.Reason,
    data: Annotated[str, typer.Option(help="Rows, by the digest of a holdout or of training rows.")] = "",
    metric: Annotated[str, typer.Option(help="A metric, by name.")] = "",
    entry: Annotated[int | None, typer.Option(min=1, help="An entry of the promotion log.")] = None,
    as_json: options.Json = False,
) -> None:
    """Say that something was wrong: every model that was promoted on it is suspect, and not served until re-verified.

    So is each that was judged against a suspect one. Rows that were retracted are not judged on again.
    """
    from gates import lifecycle
    from pipelines.acting import actor, clock
    from pipelines.cli.project import project_log
    from pipelines.cli.recording import tell

    log = project_log(writing=True)
    made = lifecycle.retract(
        log, data=data, metric=metric, entry=entry, reason=reason, actor=actor(), clock=clock
    )  # fmt: skip
    told = [f"suspect: {run or 'a model without a run'}, promoted by entry {seq}" for seq, run in _suspects(log, made)]
    tell(log, made, as_json=as_json, then=[*told, *_next(made)])


def _suspects(log: Log, entry: Entry) -> list[tuple[int, str | None]]:
    """Every promotion that is in doubt now, those of models that no longer count too."""
    return [(seq, log.entry(seq).event.run) for seq in getattr(entry.event, "suspects", ())]


def _next(entry: Entry) -> list[str]:
    """What to run, where it concerns who reigns."""
    if not getattr(entry.event, "suspects", ()):
        return ["no champion, past or present, rested on it"]
    champion, earlier = entry.state.champion, entry.state.before_champion(entry.time)
    if champion is None or champion.suspect is None:
        return [f"{champion.run} reigns and does not rest on it" if champion else "no model reigns"]
    back = [f"  lockgate rollback --reason '…': lets {earlier.run} reign, which is not suspect"] if earlier else []
    return [
        f"{champion.run} reigns, and nothing new is served until one of these is done:",
        "  lockgate reverify: judges it again, alone, and clears it where it passes",
        *back,
        "  lockgate evaluate: trains and judges another",
    ]
