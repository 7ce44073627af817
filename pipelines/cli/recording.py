"""What the verbs that record one thing share: how it is told, and what then follows the log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from gates.errors import LogError, printable
from pipelines.cli.printing import print_json

if TYPE_CHECKING:
    from gates.log import Entry, Log


def recorded(log: Log, record: Callable[[], Entry]) -> Entry:
    """What `record` writes. Where the log refuses it, tags are put right that a killed command may have left out."""
    from pipelines.deciding import mend_tags

    try:
        return record()
    except LogError:
        if mended := mend_tags(log):
            sys.stderr.write(f"  {mended}\n")
        raise


def tell(log: Log, entry: Entry, *, as_json: bool, then: Sequence[str] = ()) -> None:
    """Say what was recorded, who reigns now, and `then`, what to do next. The tags follow the log first."""
    from pipelines.deciding import repair_tags

    tagged = repair_tags(log, written=True)
    if as_json:
        print_json({"entry": entry.as_json(), "tags": tagged, "next": [line.strip() for line in then]})
        return
    unsigned = "" if entry.signature else " (unsigned)"
    about = f"{entry.event.verdict} {entry.event.run or ''}".strip()
    champion = entry.state.champion
    for line in (
        f"entry {entry.seq} of the promotion log{unsigned}: {about}: {entry.event.said}",
        f"champion: {champion.run}, promoted by entry {champion.seq}" if champion else "champion: none",
        f"tags: {tagged}",
        *then,
    ):
        typer.echo("  " * line.startswith(" ") + printable(line))
