"""Writes the reference of gate kinds and metrics in docs/gates.md, from the code: `python docs/render.py`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS, Family, Metric
from lockgate.gates.report import reference

PAGE = Path(__file__).with_name("gates.md")
GENERATED_MARK = "<!-- from here on written by docs/render.py -->\n"


def kind_sections() -> Iterator[str]:
    """A section for each kind of gate: its class's docstring and the types of its keys."""
    yield from ("## Kinds of gate", "")
    for name, kind in KINDS.items():
        yield from (f"### `{name}`", "", inspect.getdoc(kind) or "", "")
        own = [key for key in reference.list_keys(kind) if key.name not in _SHARED]
        if own:
            descriptions = (f"`{key.name}` {key.type}{f' ({key.default})' if key.default else ''}" for key in own)
            yield from ("Types: " + "; ".join(descriptions) + ".", "")
    yield from (_EVERY_KIND, "")


_EVERY_KIND = (
    "Every kind also takes `severity` (`block`, or `warn`), `description` (why the gate exists) and `owner` (whom\n"
    "to ask). The last two are shown beside a gate that does not pass, and are no part of the policy's digest."
)

_SHARED = ("kind", "severity", "description", "owner")


def metric_sections() -> Iterator[str]:
    """A section with a table of metrics for each task."""
    yield from ("## Metrics", "")
    for task, entries in METRICS.items():
        if not entries:
            continue
        yield from (
            f"### Task {task}",
            "",
            "| metric | better | range | unit | interval | |",
            "|---|---|---|---|---|---|",
        )
        yield from map(_metric_row, entries.values())
        yield ""


def _metric_row(entry: Metric | Family) -> str:
    metric = reference.resolve_family(entry)
    sentences = [reference.summarise_formula(metric)]
    if isinstance(entry, Family):
        sentences.append(f"The number is {reference.describe_parameter(entry)}.")
    if metric.needs != "at least one row":
        sentences.append(f"Needs {metric.needs}.")
    better = reference.describe_direction(metric).split()[0]
    cells = (
        f"`{reference.format_name(entry)}`",
        better,
        reference.format_range(metric),
        metric.unit,
        reference.INTERVALS[metric.method],
        " ".join(sentences),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def render_reference() -> str:
    """The generated part of the page."""
    return "\n".join([*kind_sections(), *metric_sections()])


def render_page() -> str:
    """The whole page: its hand-written part as it is, and the generated part."""
    return PAGE.read_text(encoding="utf-8").split(GENERATED_MARK)[0] + GENERATED_MARK + "\n" + render_reference()


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
