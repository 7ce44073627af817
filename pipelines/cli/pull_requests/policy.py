"""`lockgate policy`: what a change to the repository does to the policy."""

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
    base: Annotated[str, typer.Argument(help="A git revision, or a directory (written with a /: ./other).")],
    head: Annotated[str, typer.Argument(help="The version to compare with it, given the same way.")],
    repository: Annotated[
        Path | None,
        typer.Option(help="The git checkout that has the revisions, instead of this one.", file_okay=False),
    ] = None,
    as_json: options.Json = False,
    report_file: options.ReportFile = None,
) -> None:
    """List every weakening from BASE to HEAD: of the policy, the judged data, the trusted keys and the code.

    Both versions, with conf/ or with `lockgate.yaml` and its policy, are composed first, so it does not matter where a
    value is written. Exit code 0: nothing is weaker; 1: something is weaker, or needs a person's review; 2: a version
    cannot be read.
    """
    from lockgate.gates.report import changes as report
    from lockgate.pipelines.cli.shared.files import append_text, console, print_json
    from lockgate.pipelines.pull_requests.changes import compare_versions
    from lockgate.pipelines.pull_requests.versions import load_version
    from lockgate.pipelines.settings.groups import ROOT
    from lockgate.pipelines.settings.scope import find_scope

    scope = find_scope(repository or Path.cwd())
    where = scope.root if scope else repository or ROOT
    changes = compare_versions(load_version(base, repository=where), load_version(head, repository=where))
    if report_file:
        append_text(report_file, report.render_markdown(changes))
    if as_json:
        print_json(report.as_json(changes))
    else:
        console().print(report.render(changes))
    raise typer.Exit(changes.exit_code)
