"""`lockgate retract`: rows, a metric or an entry was wrong; what rested on it is suspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import options

if TYPE_CHECKING:
    from gates.log import Entry


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
    from pipelines.cli.project import actor, clock, project_log
    from pipelines.cli.recording import tell

    log = project_log(writing=True)
    made = lifecycle.retract(
        log, data=data, metric=metric, entry=entry, reason=reason, actor=actor(), clock=clock
    )  # fmt: skip
    tell(log, made, as_json=as_json, then="\n".join(_next(made)))


def _next(entry: Entry) -> list[str]:
    """Every champion that is suspect now, and what to run."""
    state = entry.state
    known = (state.champion, *state.predecessors) if state.champion else state.predecessors
    suspects = getattr(entry.event, "suspects", ())
    told = [f"suspect: {one.run}, promoted by entry {one.seq}" for one in known if one.seq in suspects]
    older = [seq for seq in suspects if seq not in {one.seq for one in known}]
    if older:
        told.append(f"suspect, and not remembered as able to serve: entries {', '.join(map(str, older))}")
    if not suspects:
        return ["no champion, past or present, rested on it"]
    if state.champion and state.champion.suspect is not None:
        told += [
            "nothing new is served until one of these is done:",
            "  lockgate reverify            judges the champion on fresh rows, and clears it where it passes",
            "  lockgate rollback --reason   goes back to the last model that is not suspect",
            "  lockgate evaluate            trains and judges another",
        ]
    return told
