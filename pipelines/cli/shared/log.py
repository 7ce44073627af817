"""The promotion log for verbs: opening it, appending to it, and showing entries to an auditor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from lockgate.gates.errors import LogError, printable
from lockgate.gates.log.events import JudgedEvent, ReverifiedEvent
from lockgate.gates.report import terminal
from lockgate.pipelines.cli.shared.files import print_json

if TYPE_CHECKING:
    from lockgate.gates.log import Keyring, Log, LogEntry
    from lockgate.gates.records.decision import Decision


def project_log(*, writing: bool = False) -> Log:
    """Open the log in the object store that Metaflow is configured with; for appending if `writing`."""
    from lockgate.gates import runs
    from lockgate.pipelines.cli.shared.project import load_project
    from lockgate.pipelines.promotion.log import open_log

    runs.check_installation()
    return open_log(load_project(), writing=writing)


def record_entry(log: Log, record: Callable[[], LogEntry]) -> LogEntry:
    """Return what `record` writes. If the log refuses, first repair tags that a killed command may have missed."""
    from lockgate.pipelines.promotion.decide import mend_tags

    try:
        return record()
    except LogError:
        if mended := mend_tags(log):
            sys.stderr.write(f"  {mended}\n")
        raise


def show_recorded(log: Log, entry: LogEntry, *, as_json: bool, then: Sequence[str] = ()) -> None:
    """Show what was recorded, who reigns now, and what to do next (`then`). Repairs the tags first."""
    from lockgate.pipelines.promotion.decide import repair_tags

    tagged = repair_tags(log, written=True)
    if as_json:
        print_json({"entry": entry.as_json(), "tags": tagged, "next": [line.strip() for line in then]})
        return
    unsigned = "" if entry.signature else " (unsigned)"
    subject = f"{entry.event.verdict} {entry.event.run or ''}".strip()
    champion = entry.state.champion
    for line in (
        f"entry {entry.seq} of the promotion log{unsigned}: {subject}: {entry.event.summary}",
        f"champion: {champion.run}, promoted by entry {champion.seq}" if champion else "champion: none",
        f"tags: {tagged}",
        *then,
    ):
        typer.echo("  " * line.startswith(" ") + printable(line))


def show_entries(log: Log, title: str, entries: list[LogEntry]) -> None:
    """Print the answer, and every entry it is based on."""
    from lockgate.pipelines.cli.shared.files import console

    out = console()
    out.print(Text(printable(title), "bold"))
    for entry in entries:
        out.print()
        for line in _render_entry(entry, log.keyring):
            out.print(line)
    runs = dict.fromkeys(str(entry.event.run) for entry in entries if entry.judgement)
    if runs:
        out.print()
    for run in runs:
        out.print(Text(f"lockgate export {printable(run)} --out DIR  writes its evidence, policy and decision", "dim"))


def _render_entry(entry: LogEntry, keyring: Keyring) -> Iterator[RenderableType]:
    mark = entry.signature.key if entry.signature else ""
    signed = f"signed by {keyring.name(mark)} ({mark})" if mark else "not signed"
    yield Text(f"entry {entry.seq}: {entry.event.verdict}", "bold")
    yield _indent(Text(f"{entry.time:%Y-%m-%d %H:%M:%S} UTC, by {printable(entry.actor)}, {signed}", "dim"))
    event = entry.event
    if not isinstance(event, JudgedEvent | ReverifiedEvent):
        yield _indent(Text(printable(event.summary)))
        return
    decision = event.read_decision(entry.state, where=entry.where)
    yield _indent(terminal.render(decision))
    for name, value in _facts(decision, event).items():
        yield _indent(Text(f"{name:<9} {printable(value)}", "dim"))


def _facts(decision: Decision, event: JudgedEvent | ReverifiedEvent) -> dict[str, str]:
    """What the decision is bound to, and where each part is kept."""
    bound = decision.binding
    clean = {True: "", False: ", with uncommitted changes", None: "; it is unknown whether the checkout was clean"}[
        bound.clean
    ]
    scored_by = event.evidence_run if isinstance(event, ReverifiedEvent) else bound.run
    fields = {
        "run": bound.run,
        "evidence": scored_by and f"artifact `evidence` of {scored_by}, unless it was erased",
        "model": bound.model,
        "holdout": bound.holdout,
        "training": bound.train,
        "beside": bound.champion_run,
        "policy": f"policies/{event.policy_sha256}.json, beside the log",
        "engine": f"lockgate {bound.engine}",
        "commit": bound.commit and f"{bound.commit}{clean}",
        "decision": event.decision_sha256,
    }
    return {name: value or "–" for name, value in fields.items()}


def _indent(renderable: RenderableType) -> RenderableType:
    return Padding(renderable, (0, 0, 0, 2), expand=False)
