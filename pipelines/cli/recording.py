"""What the verbs that record one thing share: how it is told, and what then follows the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gates.report.wording import printable
from pipelines.cli.printing import print_json

if TYPE_CHECKING:
    from gates.log import Entry, Log


def tell(log: Log, entry: Entry, *, as_json: bool, then: str = "") -> None:
    """Say what was recorded, who reigns now, and what to do next. The tags follow the log first."""
    from pipelines.cli.deciding import repair_tags

    tagged = repair_tags(log, written=True)
    if as_json:
        print_json({"entry": entry.as_json(), "tags": tagged})
        return
    unsigned = "" if entry.signature else " (unsigned)"
    about = f"{entry.event.verdict} {entry.event.run or ''}".strip()
    typer.echo(f"entry {entry.seq} of the promotion log{unsigned}: {printable(f'{about}: {entry.event.said}')}")
    champion = entry.state.champion
    typer.echo(f"champion: {champion.run}, promoted by entry {champion.seq}" if champion else "champion: none")
    typer.echo(f"tags: {tagged}")
    if then:
        typer.echo(then)
