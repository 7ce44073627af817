"""Entries of the promotion log as an auditor reads them: who, when, what, by which numbers, and where the proof is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from gates.errors import printable
from gates.log.events import Judged, Reverified
from gates.report import terminal

if TYPE_CHECKING:
    from gates.decision import Decision
    from gates.log import Entry, Keyring, Log


def show(log: Log, title: str, about: list[Entry]) -> None:
    """Print the answer, and each entry that it rests on."""
    from pipelines.cli.printing import console

    out = console()
    out.print(Text(printable(title), "bold"))
    for entry in about:
        out.print()
        for line in _entry(entry, log.keyring):
            out.print(line)
    runs = dict.fromkeys(str(entry.event.run) for entry in about if entry.judged)
    if runs:
        out.print()
    for run in runs:
        out.print(Text(f"lockgate export {printable(run)} --out DIR  writes its evidence, policy and decision", "dim"))


def _entry(entry: Entry, keyring: Keyring) -> Iterator[RenderableType]:
    mark = entry.signature.key if entry.signature else ""
    signed = f"signed by {keyring.name(mark)} ({mark})" if mark else "not signed"
    yield Text(f"entry {entry.seq}: {entry.event.verdict}", "bold")
    yield _indented(Text(f"{entry.time:%Y-%m-%d %H:%M:%S} UTC, by {printable(entry.actor)}, {signed}", "dim"))
    event = entry.event
    if not isinstance(event, Judged | Reverified):
        yield _indented(Text(printable(event.said)))
        return
    decision = event.decided(entry.state, where=entry.where)
    yield _indented(terminal.render(decision))
    for name, value in _facts(decision, event).items():
        yield _indented(Text(f"{name:<9} {printable(value)}", "dim"))


def _facts(decision: Decision, event: Judged | Reverified) -> dict[str, str]:
    """What the decision is bound to, and where that is kept."""
    bound = decision.binding
    clean = {True: "", False: ", with changes that were not committed", None: ", clean or not is unknown"}[bound.clean]
    scored_by = event.evidence_run if isinstance(event, Reverified) else bound.run
    told = {
        "run": bound.run, "evidence": scored_by and f"artifact `evidence` of {scored_by}, unless it was erased",
        "model": bound.model, "holdout": bound.holdout, "training": bound.train, "beside": bound.champion_run,
        "policy": f"policies/{event.policy_sha256}.json, beside the log", "engine": f"lockgate {bound.engine}",
        "commit": bound.commit and f"{bound.commit}{clean}", "decision": event.decision_sha256,
    }  # fmt: skip
    return {name: value or "–" for name, value in told.items()}


def _indented(shown: RenderableType) -> RenderableType:
    return Padding(shown, (0, 0, 0, 2), expand=False)
