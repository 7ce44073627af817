"""`lockgate why`: why a model was live on a day, or what became of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gates.errors import LogError, SettingsError
from pipelines.cli import options

if TYPE_CHECKING:
    from gates.log import Entry, Log


def why(
    run: Annotated[str | None, typer.Argument(help="A run: EvaluateNewModel/ID, or its ID.")] = None,
    on: Annotated[str, typer.Option(help="A day or a moment: 2026-11-01, 2026-11-01T12:00 (UTC).")] = "",
    as_json: options.Json = False,
) -> None:
    """Show why the model that was live on a day was, or what became of a run: every entry about it, and the numbers."""
    from pipelines.cli.dates import moment
    from pipelines.cli.printing import print_json
    from pipelines.cli.project import clock, project_log

    if (run is None) == (not on):
        raise SettingsError(
            "nothing to explain" if run is None else "two things at once", expected="a RUN, or --on DATE"
        )
    log = project_log()
    entries = list(log.entries())
    if run is not None:
        title, about = _of_run(entries, run)
    else:
        title, about = _on(entries, moment(on, now=clock(), where="--on").isoformat(timespec="seconds"))
    if as_json:
        print_json({"answer": title, "entries": [entry.as_json() for entry in about]})
        return
    _show(log, title, about)


def _on(entries: list[Entry], then: str) -> tuple[str, list[Entry]]:
    """Who reigned at `then`, and the entries that made it so."""
    from datetime import datetime

    at = datetime.fromisoformat(then)
    before = [entry for entry in entries if entry.time <= at]
    reigned = before[-1].state.champion if before else None
    if reigned is None:
        return f"no model reigned at {then}", [entry for entry in before if entry.event.kind == "revoked"][-1:]
    state = before[-1].state
    refusal = reigned.refusal(at, revoked=state.revoked)
    said = f"{reigned.run} reigned at {then}, promoted by entry {reigned.seq}"
    about = [entry for entry in before if entry.seq >= reigned.seq and _about(entry, reigned.run, reigned.seq)]
    changed = next((e for e in reversed(before) if _reigns_since(e, before, reigned.seq)), None)
    if changed is not None and changed not in about:
        about.append(changed)
    return said + (f"; it could not be served: {refusal}" if refusal else ""), sorted(about, key=lambda one: one.seq)


def _reigns_since(entry: Entry, entries: list[Entry], promoted_by: int) -> bool:
    """Whether the model reigns since this very entry."""
    earlier = entries[entry.seq - 2].state.champion if entry.seq > 1 else None
    now = entry.state.champion
    return now is not None and now.seq == promoted_by and (earlier is None or earlier.seq != promoted_by)


def _of_run(entries: list[Entry], run: str) -> tuple[str, list[Entry]]:
    named = {str(entry.event.run) for entry in entries if entry.event.run}
    full = next((name for name in named if run in (name, name.rpartition("/")[2])), None)
    if full is None:
        raise LogError(f"the log says nothing of run {run[:80]!r}", hint="`lockgate history` lists what it does")
    promoted = [entry.seq for entry in entries if entry.promotes and entry.event.run == full]
    about = [entry for entry in entries if _about(entry, full, *promoted)]
    state = entries[-1].state
    if state.champion and state.champion.run == full:
        said = f"{full} reigns, promoted by entry {state.champion.seq}"
    elif any(one.run == full for one in state.predecessors):
        said = f"{full} reigned, and may again"
    else:
        said = f"{full} does not reign: entry {about[-1].seq} says {about[-1].event.verdict}"
    return said, about


def _about(entry: Entry, run: str | None, *promoted_by: int) -> bool:
    suspects = getattr(entry.event, "suspects", ())
    return entry.event.run == run or any(seq in suspects for seq in promoted_by)


def _show(log: Log, title: str, about: list[Entry]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from gates.report import terminal
    from gates.report.wording import printable
    from pipelines.cli.printing import console

    names = {mark: key.name for mark, key in log.keyring.keys.items()}
    out = console()
    out.print(Text(title, "bold"))
    for entry in about:
        signed = names.get(entry.signature.key, "an unlisted key") if entry.signature else "nobody: unsigned"
        out.print()
        head = f"entry {entry.seq}, {entry.time:%Y-%m-%d %H:%M:%S} UTC, by {printable(entry.actor)}, signed by {signed}"
        out.print(Text(f"{head}: {entry.event.verdict}", "bold"))
        if entry.judged is None:
            out.print(Padding(Text(printable(entry.event.said)), (0, 2)))
            continue
        decision = entry.decided()
        out.print(Padding(terminal.render(decision), (0, 2)))
        bound = decision.binding
        facts = {
            "run": bound.run, "model": bound.model, "holdout": bound.holdout, "policy": bound.policy,
            "beside": bound.champion_run, "engine": bound.engine,
            "commit": (bound.commit or "unknown") + ("" if bound.clean else ", with changes that were not committed"),
            "decision": entry.judged.decision_sha256,
        }  # fmt: skip
        for name, value in facts.items():
            out.print(Padding(Text(f"{name:<9} {printable(str(value or '–'))}", "dim"), (0, 2)))
    if any(entry.judged for entry in about):
        out.print("\n`lockgate export RUN --out DIR` writes the evidence, the policy and the decision", style="dim")
