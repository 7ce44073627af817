"""A decision as GitHub-flavoured markdown, for step summaries and comments."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Outcome, Verdict, summarise_parts
from lockgate.gates.report import wording

MAX_MARKDOWN_PARTS = 20
"""At most this many parts of a gate are listed, the worst ones."""

_ACTIVE = re.compile(r"([\\`*_{}\[\]()#+!|~>@:$]|(?<=www)\.|(?<=gh)-)", re.IGNORECASE)


def render(decision: Decision, *, part_nouns: Mapping[str, str], title: str = "lockgate") -> str:
    """The verdict, then the gates, a sentence for each, and the digests. Names and values are escaped.

    part_nouns: what a gate's parts are called, by its kind.
    """
    why, content = escape(wording.format_sentence(decision.reason)), render_body(decision, part_nouns=part_nouns)
    return f"## {escape(title)}: {wording.format_headline(decision)}\n\n{why}\n\n{content}"


def render_body(decision: Decision, *, part_nouns: Mapping[str, str]) -> str:
    """Everything except the verdict and its reason."""
    lines: list[str] = []
    if decision.outcomes:
        lines += [
            f"| gate | verdict | {wording.OBSERVED_HEADING} | {wording.INTERVAL_HEADING} | rule | rows (in clusters) |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {escape(outcome.name)}"
            f" | {wording.VERDICT_ICONS[outcome.verdict]} {escape(wording.format_verdict(outcome))}"
            f" | {wording.format_observed(outcome)} | {wording.format_interval(outcome)}"
            f" | {escape(outcome.rule)} | {wording.format_rows(outcome)} |"
            for outcome in decision.outcomes
        ]
        sentences = {outcome.name: [*_sentences(decision, outcome)] for outcome in decision.outcomes}
        passed = {outcome.name for outcome in decision.outcomes if outcome.verdict is Verdict.PASS}
        lines += ["", *(line for name in sentences if name not in passed for line in sentences[name]), ""]
        if passed:
            lines += ["<details><summary>Gates that pass, in words</summary>", ""]
            lines += [*(line for name in sentences if name in passed for line in sentences[name]), "", "</details>", ""]
    if waivers := wording.list_waivers(decision):
        lines += [*(f"- {escape(waiver)}" for waiver in waivers), ""]
    for outcome in decision.outcomes:
        lines += _parts(outcome, outcome.name, part_nouns)
    bound = decision.binding
    digests = {"holdout": bound.holdout, "policy": bound.policy, "model": bound.model, "decision": decision.sha256}
    lines += [
        *(_escape_clauses(wording.format_sentence(guarantee)) for guarantee in wording.list_guarantees(decision)),
        "",
        "<sub>" + " · ".join(f"{name} `{(value or 'unknown')[:12]}`" for name, value in digests.items()) + "</sub>",
        "",
    ]
    return "\n".join(lines)


def _sentences(decision: Decision, outcome: Outcome) -> Iterator[str]:
    background = wording.format_background(outcome)
    notes = "; ".join(filter(None, (wording.format_information(outcome), background)))
    yield f"- **{escape(outcome.name)}** {escape(outcome.message)}" + (f" ({escape(notes)})" if notes else "")
    yield from (f"  - {escape(waiver)}" for waiver in wording.list_waivers(decision, outcome.name))


def _parts(outcome: Outcome, title: str, part_nouns: Mapping[str, str]) -> Iterator[str]:
    """A folded table of a gate's parts, worst first, then one for each part that has parts itself."""
    if not outcome.parts:
        return
    noun = wording.part_noun(outcome, part_nouns)
    worst, rest = wording.take_worst(outcome.parts, MAX_MARKDOWN_PARTS)
    yield f"<details><summary>{escape(title)}: {escape(summarise_parts(outcome.parts, noun))}</summary>"
    yield ""
    yield f"| {noun} | verdict | {wording.OBSERVED_HEADING} | {wording.INTERVAL_HEADING} | rows (in clusters) | |"
    yield "|---|---|---|---|---|---|"
    for part in worst:
        background = wording.format_background(part)
        yield (
            f"| {escape(part.name)} | {wording.VERDICT_ICONS[part.verdict]} {part.verdict}"
            f" | {wording.format_observed(part)} | {wording.format_interval(part)} | {wording.format_rows(part)}"
            f" | {escape(part.message)}{f' ({escape(background)})' if background else ''} |"
        )
    yield ""
    if rest:
        yield from (f"{escape(rest)}.", "")
    yield from ("</details>", "")
    for part in worst:
        yield from _parts(part, f"{title} / {part.name}", part_nouns)


def _escape_clauses(sentence: str) -> str:
    """A long sentence of lockgate's own: none of its clauses is cut."""
    return "; ".join(map(escape, sentence.split("; ")))


def escape(text: str) -> str:
    """Text that GitHub shows as it is: no markdown, HTML, link or mention comes of it. Long text is cut."""
    # the & of html.escape's own entities is hidden from the second pass
    hidden = html.escape(wording.format_cell(text), quote=False).replace("&", "\x00")
    return _ACTIVE.sub(lambda match: f"&#{ord(match.group(1))};", hidden).replace("\x00", "&")
