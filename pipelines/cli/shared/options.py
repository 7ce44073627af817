"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check_folder(path: Path | None) -> Path | None:
    """Refuse a file in a folder that does not exist: before anything is trained or logged, not after."""
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"the folder {path.parent} does not exist")
    return path


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DecisionFile = Annotated[
    Path | None,
    typer.Option(
        "--decision",
        help="Write the decision as JSON to this file.",
        dir_okay=False,
        writable=True,
        callback=check_folder,
    ),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Append the report as markdown to this file.",
        dir_okay=False,
        writable=True,
        callback=check_folder,
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help="Append verdict, run, decision_sha256 and more to this file as NAME=VALUE lines, for GITHUB_OUTPUT.",
        dir_okay=False,
        writable=True,
        callback=check_folder,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="The reason, for people who read the log.")]
Platform = Annotated[str, typer.Option(help="Use this file of conf/platform instead of production's.")]
Branch = Annotated[
    str | None,
    typer.Option(help="A deployment beside production, such as my-change. It has its own log and no signing key."),
]
Authorize = Annotated[
    str, typer.Option(metavar="TOKEN", help="The production token, needed if somebody else deployed it.")
]
