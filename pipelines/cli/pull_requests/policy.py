"""`lockgate policy`: what a change of the repository does to the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options

app = typer.Typer(help="Compare the policies of two versions.", no_args_is_help=True)


@app.callback()
def policy() -> None:
    """Compare the policies of two versions of this repository."""


@app.command()
def diff(
    base: Annotated[str, typer.Argument(help="A git revision; or a directory with conf/, named with a /: ./other.")],
    head: Annotated[str, typer.Argument(help="What is compared with it, likewise.")],
    repository: Annotated[
        Path | None, typer.Option(help="The git checkout that has the revisions, instead of this one.", file_okay=False)
    ] = None,
    as_json: options.Json = False,
    report_file: options.ReportFile = None,
) -> None:
    """Name every weakening from BASE to HEAD: of the policy, the data that are judged, whom to trust, and the code.

    Both are composed, so that it does not matter where a value is written. Exit code 0: nothing is weaker; 1: something
    is, or is for a person to review; 2: one of them cannot be read.
    """
    from lockgate.gates.report import changes as report
    from lockgate.pipelines.cli.shared.files import append_text, console, print_json
    from lockgate.pipelines.pull_requests.changes import compare_versions
    from lockgate.pipelines.pull_requests.versions import load_version
    from lockgate.pipelines.settings.groups import ROOT

    where = repository or ROOT
    changes = compare_versions(load_version(base, repository=where), load_version(head, repository=where))
    if report_file:
        append_text(report_file, report.render_markdown(changes))
    if as_json:
        print_json(report.as_json(changes))
    else:
        console().print(report.render(changes))
    raise typer.Exit(changes.exit_code)
