"""`lockgate rollback`: a model that reigned before reigns again."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli import options


def rollback(
    reason: options.Reason,
    to: Annotated[
        str | None, typer.Option(help="The run that is to reign; the last promoted before the champion if not given.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Let a model that reigned before reign again. The one that did may be chosen again: rollback --to RUN."""
    from gates import lifecycle
    from pipelines.acting import actor, clock
    from pipelines.cli.project import project_log
    from pipelines.cli.recording import recorded, tell

    log = project_log(writing=True)
    entry = recorded(log, lambda: lifecycle.rollback(log, to=to, reason=reason, actor=actor(), clock=clock))
    tell(log, entry, as_json=as_json, then=["next: `lockgate predict` publishes predictions of the champion"])
