"""Writes the reference of gate kinds and metrics in docs/gates.md from the code: `python docs/render.py`."""

from __future__ import annotations

import inspect
from pathlib import Path

from gates.kinds import KINDS
from gates.metrics import METRICS

PAGE = Path(__file__).with_name("gates.md")
MARK = "<!-- from here on written by docs/render.py -->\n"


def reference() -> str:
    """Kinds, each with its class's docstring, and the table of metrics."""
    lines = ["## Kinds of gate", ""]
    for name, kind in KINDS.items():
        lines += [f"### `{name}`", "", inspect.getdoc(kind) or "", ""]
    lines += [
        "## Metrics", "", "| metric | task | better | range | unit | |", "|---|---|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.task} | {'higher' if one.higher_is_better else 'lower'} "
            f"| {one.low:g} … {one.high:g} | {one.unit} | {(inspect.getdoc(one.linearise) or '').splitlines()[0]} |"
            for one in METRICS.values()
        ), "",
    ]  # fmt: skip
    return "\n".join(lines)


def page() -> str:
    """The whole page, its written part kept."""
    return PAGE.read_text(encoding="utf-8").split(MARK)[0] + MARK + "\n" + reference()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
