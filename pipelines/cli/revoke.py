"""`lockgate revoke`: a model never serves again."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli import options


def revoke(
    run: Annotated[str, typer.Argument(help="The run whose model it is: EvaluateNewModel/ID, or its ID.")],
    reason: options.Reason,
    as_json: options.Json = False,
) -> None:
    """Take a model out of service for good. Where it reigns, the last before it that may be served reigns again."""
    from gates import lifecycle
    from pipelines.acting import actor, clock
    from pipelines.cli.project import project_log
    from pipelines.cli.recording import recorded, tell

    log = project_log(writing=True)
    entry = recorded(log, lambda: lifecycle.revoke(log, run, reason=reason, actor=actor(), clock=clock))
    then = "next: `lockgate predict` publishes predictions of the champion"
    tell(log, entry, as_json=as_json, then=[then if entry.state.champion else _NOBODY])


_NOBODY = "nothing may be served now: the last good predictions stay; `lockgate evaluate` trains and judges a model"
