"""A decision as GitHub-flavoured markdown, for step summaries and comments."""

from __future__ import annotations

import html
import re

from gates.decision import Decision
from gates.report import wording

MAX_CELL = 300
MAX_PARTS = 20
_ICON = {"PASS": "🟢", "FAIL": "🔴", "INCONCLUSIVE": "🟡", "ERROR": "🟣", "SKIP": "⚪"}
_ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|~>@:])")


def render(decision: Decision, *, title: str = "lockgate") -> str:
    """Verdict first, then the gates, the sentences, and what the decision binds. Names and values are escaped."""
    lines = [f"## {safe(title)}: {wording.headline(decision)}", "", f"{safe(decision.reason)}.", ""]
    if decision.outcomes:
        lines += [
            "| gate | verdict | observed | interval (one-sided level) | rule | rows (in clusters) |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {safe(one.name)} | {_ICON[one.verdict]} {safe(wording.verdict(one))} | {wording.observed(one)} "
            f"| {wording.interval(one)} | {safe(one.rule)} | {wording.rows(one)} |"
            for one in decision.outcomes
        ]
        lines += ["", *(f"- **{safe(one.name)}** {safe(one.message)}" for one in decision.outcomes), ""]
    for one in decision.outcomes:
        if one.parts:
            lines += [f"<details><summary>{safe(one.name)}: {len(one.parts)} slices</summary>", ""]
            lines += ["| slice | verdict | observed | interval | rows |", "|---|---|---|---|---|"]
            lines += [
                f"| {safe(part.name)} | {_ICON[part.verdict]} {part.verdict} | {wording.observed(part)} "
                f"| {wording.interval(part)} | {wording.rows(part)} |"
                for part in one.parts[:MAX_PARTS]
            ]
            if len(one.parts) > MAX_PARTS:
                lines.append(f"| … {len(one.parts) - MAX_PARTS} more | | | | |")
            lines += ["", "</details>", ""]
    bound = decision.binding
    digests = {"holdout": bound.holdout, "policy": bound.policy, "model": bound.model, "decision": decision.sha256}
    lines += [
        f"Guarantee: {safe(decision.guarantee)}.",
        "",
        "<sub>" + " · ".join(f"{name} `{(value or 'unknown')[:12]}`" for name, value in digests.items()) + "</sub>",
        "",
    ]
    return "\n".join(lines)


def safe(text: str) -> str:
    """Text that neither markdown, nor HTML, nor a mention can be made of; long text is cut."""
    flat = " ".join(text.split())
    cut = flat if len(flat) <= MAX_CELL else flat[: MAX_CELL - 1] + "…"
    return _ACTIVE.sub(
        lambda found: f"&#{ord(found.group(1))};", html.escape(cut, quote=False).replace("&", "\x00")
    ).replace("\x00", "&")
