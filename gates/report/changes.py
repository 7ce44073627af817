"""What changed between two versions of the settings, on a terminal and as GitHub-flavoured markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lockgate.gates.errors import printable
from lockgate.gates.report import wording
from lockgate.gates.report.markdown import safe

if TYPE_CHECKING:
    from lockgate.gates.strictness import Changes, Finding

MAX_ROWS = 60
"""So many changes of one direction are shown in markdown."""

_STYLES = {"weaker": "bold red", "review": "yellow", "tighter": "green", "neutral": "dim"}
_ICONS = {"weaker": "🔴", "review": "🟡", "tighter": "🟢", "neutral": "⚪"}
_HEADINGS = ("change", "where", "before", "after", "why")


def render(changes: Changes) -> RenderableType:
    """A table with the worst first, and a sentence that counts them."""
    shown: list[RenderableType] = []
    if changes.findings:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("", *_HEADINGS):
            table.add_column(heading, overflow="fold")
        for one in changes.findings:
            cells = (one.name, place(one), one.before, one.after, one.why)
            table.add_row(Text(one.direction, _STYLES[one.direction]), *(Text(printable(cell)) for cell in cells))
        shown += [table, Text()]
    style = "bold red" if changes.weakenings else "bold yellow" if changes.reviews else "bold green"
    return Group(*shown, Text(headline(changes), style), *(Text(line, "dim") for line in _rest(changes)))


def markdown(changes: Changes, *, title: str = "policy") -> str:
    """The same for a pull request's report: warnings first, escaped, and cut where there are many."""
    lines = [f"### {safe(title)}", "", safe(wording.sentence(headline(changes))), ""]
    for found in (changes.weakenings, changes.reviews, changes.tightenings, changes.neutral):
        lines += _table(found)
    lines += [f"{safe(line)}." for line in _rest(changes)]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Finding]) -> Iterator[str]:
    if not found:
        return
    yield f"| | {' | '.join(_HEADINGS)} |"
    yield "|---|---|---|---|---|---|"
    for one in found[:MAX_ROWS]:
        cells = (one.name, place(one), one.before, one.after, one.why)
        yield f"| {_ICONS[one.direction]} {one.direction} | {' | '.join(map(safe, cells))} |"
    yield ""
    if len(found) > MAX_ROWS:
        yield from (f"{len(found) - MAX_ROWS} more of these are not shown.", "")


def headline(changes: Changes) -> str:
    """How many changes there are of each direction, in a sentence without its stop."""
    counts = {"weaker": changes.weakenings, "to be reviewed": changes.reviews, "tighter": changes.tightenings}
    said = ", ".join(f"{len(found)} {word}" for word, found in counts.items() if found)
    between = f"from {printable(changes.before)} to {printable(changes.after)}"
    return f"{said or 'nothing is weaker'} {between}"


def place(one: Finding) -> str:
    """Where it is, with the file where that is none that config.yaml chooses."""
    return f"{one.where} ({one.file})" if one.file else one.where


def _rest(changes: Changes) -> Iterator[str]:
    """What is counted only."""
    for number, word in (
        (changes.authors, "of conf/model, conf/train and conf/experiment changed, which are their authors' choice"),
        (changes.reworded, "of conf/ changed without changing what is composed"),
    ):
        if number:
            yield f"{number} {'file' if number == 1 else 'files'} {word}"


def as_json(changes: Changes) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "before": changes.before,
        "after": changes.after,
        "weakenings": list(map(_plain, changes.weakenings)),
        "reviews": list(map(_plain, changes.reviews)),
        "tightenings": list(map(_plain, changes.tightenings)),
        "neutral": list(map(_plain, changes.neutral)),
        "authors_files": changes.authors,
        "reworded_files": changes.reworded,
    }


def _plain(one: Finding) -> dict[str, str | None]:
    return {
        "category": one.category,
        "name": one.name,
        "where": one.where,
        "file": one.file or None,
        "before": one.before,
        "after": one.after,
        "why": one.why,
    }
