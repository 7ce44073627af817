"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DecisionFile = Annotated[
    Path | None, typer.Option("--decision", help="Write the decision as JSON to this file.", dir_okay=False)
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Append the report as markdown to this file.", dir_okay=False)
]
