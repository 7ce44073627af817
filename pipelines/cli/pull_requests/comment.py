"""`lockgate comment`: a report as the one comment of a pull request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lockgate.pipelines.cli.shared import options

MAX_REPORT_BYTES = 8 * 1024**2


def comment(
    report: Annotated[Path, typer.Argument(help="A report in markdown, as `lockgate review` writes it.")],
    pull: Annotated[
        int | None, typer.Option(help="Number of the pull request; in GitHub Actions by default the job's.")
    ] = None,
    repository: Annotated[str, typer.Option(help="OWNER/NAME; in GitHub Actions by default the job's.")] = "",
    sha256: Annotated[
        str, typer.Option(help="Expected SHA-256 of the report: output `report_sha256` of the job that wrote it.")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Write the report into lockgate's single comment on a pull request, with the token in GITHUB_TOKEN.

    The comment is created once and then updated; an earlier run never overwrites the report of a later one. On a pull
    request from a fork nothing is written, because its job has no permission: the report is in the job's summary.
    """
    import hashlib

    from lockgate.gates.errors import GithubError
    from lockgate.pipelines.cli.shared.files import print_json, read_capped
    from lockgate.pipelines.github import client, event
    from lockgate.pipelines.github.comments import CommentResult, ReportStamp, publish_report

    blob = read_capped(report, cap=MAX_REPORT_BYTES)
    if sha256 and (digest := hashlib.sha256(blob).hexdigest()) != sha256.lower():
        raise GithubError(
            f"the report has SHA-256 {digest}",
            expected=sha256[:64],
            where=str(report),
            hint="it was changed after the review",
        )
    if pull is not None:
        checked_name = event.check_repository(repository, where="--repository")
        pull_request = event.JobPullRequest(repository=checked_name, number=pull, head=None)
    else:
        pull_request = event.read_pull()
    if pull_request.fork:
        result = CommentResult(
            address="", outcome="not written: the pull request comes from a fork; see the job's summary"
        )
    else:
        stamp = ReportStamp(
            run=_number_from_environment("GITHUB_RUN_ID"),
            attempt=_number_from_environment("GITHUB_RUN_ATTEMPT"),
            head=pull_request.head or "",
        )
        text = blob.decode(errors="replace").replace("\x00", "�")
        result = publish_report(
            client.fetch_pull(pull_request.repository, pull_request.number),
            text,
            stamp=stamp,
            login=client.find_login(),
            where=f"{pull_request.repository}#{pull_request.number}",
        )
    if as_json:
        print_json({"address": result.address, "said": result.outcome})
    else:
        typer.echo(f"{result.outcome} {result.address}".strip())


def _number_from_environment(name: str) -> int:
    """A number that GitHub Actions sets; 0 elsewhere."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0
