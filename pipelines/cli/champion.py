"""`lockgate champion`: which model reigns, by the promotion log."""

from __future__ import annotations

import typer

from gates.errors import AdmissionError
from pipelines.cli import options


def champion(as_json: options.Json = False) -> None:
    """Show the champion: the run that production predicts with, by the promotion log."""
    from pipelines.cli.printing import print_json
    from pipelines.cli.project import project_log

    log = project_log()
    reigning = log.state().champion
    if reigning is None:
        raise AdmissionError(
            f"project {log.project!r} has no champion yet", hint="`make evaluate model=xgb` trains and judges one"
        )
    if as_json:
        print_json(reigning.model_dump(mode="json"))
        raise typer.Exit
    until = f", valid until {reigning.valid_until:%Y-%m-%d}" if reigning.valid_until else ""
    typer.echo(f"{reigning.run}  promoted by entry {reigning.seq}, judged on {reigning.as_of}{until}")
    typer.echo(f"model {reigning.format} sha256 {reigning.sha256}")
