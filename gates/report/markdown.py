"""A decision as GitHub-flavoured markdown, for step summaries and comments."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Outcome, Verdict, tally
from lockgate.gates.report import wording

MAX_PARTS = 20
_ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|~>@:$]|(?<=www)\.|(?<=gh)-)", re.IGNORECASE)


def render(decision: Decision, *, part_nouns: Mapping[str, str], title: str = "lockgate") -> str:
    """Verdict first, then the gates, the sentences, and what the decision binds. Names and values are escaped.

    part_nouns: what a gate's parts are called, by its kind.
    """
    why = safe(wording.sentence(decision.reason))
    return f"## {safe(title)}: {wording.headline(decision)}\n\n{why}\n\n{body(decision, part_nouns=part_nouns)}"


def body(decision: Decision, *, part_nouns: Mapping[str, str]) -> str:
    """All but the verdict and its reason."""
    lines: list[str] = []
    if decision.outcomes:
        lines += [
            "| gate | verdict | observed | interval (one-sided level) | rule | rows (in clusters) |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {safe(one.name)} | {wording.ICON[one.verdict]} {safe(wording.verdict(one))} | {wording.observed(one)} "
            f"| {wording.interval(one)} | {safe(one.rule)} | {wording.rows(one)} |"
            for one in decision.outcomes
        ]
        told = {one.name: [*_sentences(decision, one)] for one in decision.outcomes}
        passed = {one.name for one in decision.outcomes if one.verdict is Verdict.PASS}
        lines += ["", *(line for name, said in told.items() if name not in passed for line in said), ""]
        if passed:
            lines += ["<details><summary>What each gate that passes says</summary>", ""]
            lines += [*(line for name in told if name in passed for line in told[name]), "", "</details>", ""]
    if left := wording.waivers(decision):
        lines += [*(f"- {safe(said)}" for said in left), ""]
    for one in decision.outcomes:
        lines += _parts(one, one.name, part_nouns)
    bound = decision.binding
    digests = {"holdout": bound.holdout, "policy": bound.policy, "model": bound.model, "decision": decision.sha256}
    lines += [
        *(safe(wording.sentence(said)) for said in wording.guarantee(decision)),
        "",
        "<sub>" + " · ".join(f"{name} `{(value or 'unknown')[:12]}`" for name, value in digests.items()) + "</sub>",
        "",
    ]
    return "\n".join(lines)


def _sentences(decision: Decision, outcome: Outcome) -> Iterator[str]:
    background = wording.background(outcome)
    yield f"- **{safe(outcome.name)}** {safe(outcome.message)}" + (f" ({safe(background)})" if background else "")
    yield from (f"  - {safe(said)}" for said in wording.waivers(decision, outcome.name))


def _parts(outcome: Outcome, title: str, part_nouns: Mapping[str, str]) -> Iterator[str]:
    """A folded table of a gate's parts, worst first, and after it one for each part that has parts itself."""
    if not outcome.parts:
        return
    noun = wording.part_noun(outcome, part_nouns)
    shown, rest = wording.worst_first(outcome.parts, MAX_PARTS)
    yield f"<details><summary>{safe(title)}: {safe(tally(outcome.parts, noun))}</summary>"
    yield ""
    yield f"| {noun} | verdict | observed | interval (one-sided level) | rows (in clusters) | |"
    yield "|---|---|---|---|---|---|"
    for part in shown:
        background = wording.background(part)
        yield (
            f"| {safe(part.name)} | {wording.ICON[part.verdict]} {part.verdict} | {wording.observed(part)} "
            f"| {wording.interval(part)} | {wording.rows(part)} "
            f"| {safe(part.message)}{f' ({safe(background)})' if background else ''} |"
        )
    yield ""
    if rest:
        yield from (f"{safe(rest)}.", "")
    yield from ("</details>", "")
    for part in shown:
        yield from _parts(part, f"{title} / {part.name}", part_nouns)


def safe(text: str) -> str:
    """Text that neither markdown, nor HTML, nor a mention can be made of; long text is cut."""
    return _ACTIVE.sub(
        lambda found: f"&#{ord(found.group(1))};", html.escape(wording.cell(text), quote=False).replace("&", "\x00")
    ).replace("\x00", "&")
