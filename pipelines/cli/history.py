"""`lockgate history`: every entry of the promotion log."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli import options


def history(
    last: Annotated[int, typer.Option("--last", min=1, help="Show the last N entries.")] = 50,
    as_json: options.Json = False,
) -> None:
    """Show what was judged, when, by whom, and what was decided. Checks the chain as it reads."""
    from pipelines.cli.printing import console, print_json
    from pipelines.cli.project import project_log

    entries = list(project_log().entries())[-last:]
    if as_json:
        print_json([entry.as_json() for entry in entries])
        raise typer.Exit
    if not entries:
        typer.echo("nothing has been judged yet")
        raise typer.Exit
    from rich.table import Table
    from rich.text import Text

    from gates.report.terminal import RULING_STYLES

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("entry", "time", "verdict", "run", "by", "reason"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(
            str(entry.seq), f"{entry.time:%Y-%m-%d %H:%M:%S}",
            Text(entry.event.verdict, RULING_STYLES.get(entry.event.verdict, "bold")), Text(entry.event.run or "–"),
            Text(entry.actor), Text(entry.event.said),
        )  # fmt: skip
    console().print(table)
