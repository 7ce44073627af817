"""Writes the reference of gate kinds and metrics in docs/gates.md from the code: `python docs/render.py`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from lockgate.gates.kinds import KINDS
from lockgate.gates.metrics import METRICS, Family, Metric
from lockgate.gates.report import reference

PAGE = Path(__file__).with_name("gates.md")
MARK = "<!-- from here on written by docs/render.py -->\n"


def kinds() -> Iterator[str]:
    """Each kind with its class's docstring, and the types of its keys."""
    yield from ("## Kinds of gate", "")
    for name, kind in KINDS.items():
        yield from (f"### `{name}`", "", inspect.getdoc(kind) or "", "")
        own = [key for key in reference.keys(kind) if key.name not in _SHARED]
        if own:
            said = (f"`{key.name}` {key.type}{f' ({key.default})' if key.default else ''}" for key in own)
            yield from ("Types: " + "; ".join(said) + ".", "")
    yield from (_EVERY, "")


_EVERY = """Every kind also takes `severity` (`block`, or `warn`), `description` (why the gate exists) and `owner` (whom
to ask). The last two are shown beside a gate that does not pass, and are no part of the policy's digest."""

_SHARED = ("kind", "severity", "description", "owner")


def metrics() -> Iterator[str]:
    """A table of metrics for each task that has any."""
    yield from ("## Metrics", "")
    for task, held in METRICS.items():
        if not held:
            continue
        yield from (
            f"### Task {task}",
            "",
            "| metric | better | range | unit | interval | |",
            "|---|---|---|---|---|---|",
        )
        yield from map(_row, held.values())
        yield ""


def _row(found: Metric | Family) -> str:
    metric = reference.shown(found)
    said = [reference.first_sentence(metric)]
    if isinstance(found, Family):
        said.append(f"The number is {reference.number_of(found)}.")
    if metric.needs != "at least one row":
        said.append(f"Needs {metric.needs}.")
    better = reference.direction(metric).split()[0]
    cells = (
        f"`{reference.written(found)}`",
        better,
        reference.extent(metric),
        metric.unit,
        reference.INTERVALS[metric.method],
        " ".join(said),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def reference_part() -> str:
    """What the code says."""
    return "\n".join([*kinds(), *metrics()])


def page() -> str:
    """The whole page, its written part kept."""
    return PAGE.read_text(encoding="utf-8").split(MARK)[0] + MARK + "\n" + reference_part()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
