"""Changes between two versions of the settings, for a terminal, as GitHub-flavoured markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from lockgate.gates.errors import printable
from lockgate.gates.report import wording
from lockgate.gates.report.markdown import escape
from lockgate.gates.report.tables import make_table

if TYPE_CHECKING:
    from lockgate.gates.strictness import Changes, Finding

MAX_ROWS = 60
"""At most this many changes of one direction are listed in markdown."""

_STYLES = {"weaker": "bold red", "review": "yellow", "tighter": "green", "neutral": "dim"}
_ICONS = {"weaker": "🔴", "review": "🟡", "tighter": "🟢", "neutral": "⚪"}
_HEADINGS = ("change", "where", "before", "after", "why")


def render(changes: Changes) -> RenderableType:
    """A table of the changes, worst first, and a sentence that counts them."""
    blocks: list[RenderableType] = []
    if changes.findings:
        table = make_table("", *_HEADINGS)
        for finding in changes.findings:
            cells = (finding.name, format_place(finding), finding.before, finding.after, finding.why)
            table.add_row(
                Text(finding.direction, _STYLES[finding.direction]), *(Text(printable(cell)) for cell in cells)
            )
        blocks += [table, Text()]
    style = "bold red" if changes.weakenings else "bold yellow" if changes.reviews else "bold green"
    return Group(
        *blocks, Text(summarise_changes(changes), style), *(Text(line, "dim") for line in _count_lines(changes))
    )


def render_markdown(changes: Changes, *, title: str = "policy") -> str:
    """The same for a pull request's report: worst first, escaped, and cut where there are many."""
    lines = [f"### {escape(title)}", "", escape(wording.format_sentence(summarise_changes(changes))), ""]
    for findings in (changes.weakenings, changes.reviews, changes.tightenings, changes.neutral):
        lines += _table_lines(findings)
    lines += [f"{escape(line)}." for line in _count_lines(changes)]
    return "\n".join(lines) + "\n"


def _table_lines(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield f"| | {' | '.join(_HEADINGS)} |"
    yield "|---|---|---|---|---|---|"
    for finding in findings[:MAX_ROWS]:
        cells = (finding.name, format_place(finding), finding.before, finding.after, finding.why)
        yield f"| {_ICONS[finding.direction]} {finding.direction} | {' | '.join(map(escape, cells))} |"
    yield ""
    if len(findings) > MAX_ROWS:
        yield from (f"{len(findings) - MAX_ROWS} more of these are not shown.", "")


def summarise_changes(changes: Changes) -> str:
    """How many changes there are in each direction: a sentence without its full stop."""
    counts = {"weaker": changes.weakenings, "to be reviewed": changes.reviews, "tighter": changes.tightenings}
    summary = ", ".join(f"{len(findings)} {word}" for word, findings in counts.items() if findings)
    between = f"from {printable(changes.before)} to {printable(changes.after)}"
    return f"{summary or 'nothing is weaker'} {between}"


def format_place(finding: Finding) -> str:
    """The path of a change; with its file, unless that is the one that config.yaml chooses."""
    return f"{finding.where} ({finding.file})" if finding.file else finding.where


def _count_lines(changes: Changes) -> Iterator[str]:
    """Changes of which only the number is reported, a line each."""
    for number, word in (
        (changes.authors, "of conf/model, conf/train and conf/experiment changed, which are the authors' choice"),
        (changes.reworded, "of the configuration changed without changing what it says"),
    ):
        if number:
            yield f"{number} {'file' if number == 1 else 'files'} {word}"


def as_json(changes: Changes) -> dict[str, Any]:
    """The changes as plain values, for `--json`."""
    return {
        "before": changes.before,
        "after": changes.after,
        "weakenings": list(map(_finding_as_json, changes.weakenings)),
        "reviews": list(map(_finding_as_json, changes.reviews)),
        "tightenings": list(map(_finding_as_json, changes.tightenings)),
        "neutral": list(map(_finding_as_json, changes.neutral)),
        "authors_files": changes.authors,
        "reworded_files": changes.reworded,
    }


def _finding_as_json(finding: Finding) -> dict[str, str | None]:
    return {
        "category": finding.category,
        "name": finding.name,
        "where": finding.where,
        "file": finding.file or None,
        "before": finding.before,
        "after": finding.after,
        "why": finding.why,
    }
