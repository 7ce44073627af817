"""`lockgate why`: why a model was live on a day, or what became of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LogError, SettingsError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import LogEntry
    from lockgate.gates.records.state import Champion, State


def why(
    run: Annotated[str | None, typer.Argument(help="A run: EvaluateNewModel/ID, or its ID.")] = None,
    on: Annotated[str, typer.Option(help="A day or a moment: 2026-11-01, 2026-11-01T12:00 (UTC).")] = "",
    as_json: options.Json = False,
) -> None:
    """Show why the model that was live on a day was, or what became of a run: every entry about it, and the numbers."""
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log, show
    from lockgate.pipelines.promotion.actor import clock

    if (run is None) == (not on):
        raise SettingsError(
            "nothing to explain" if run is None else "two things at once", expected="a RUN, or --on DATE"
        )
    log, now = project_log(), clock()
    at = _past(on, now) if on else now
    entries = list(log.entries())
    title, about = _of_run(entries, run, now) if run is not None else _on(entries, at)
    if as_json:
        print_json({"answer": title, "entries": [entry.as_json() for entry in about]})
    else:
        show(log, title, about)


def _past(text: str, now: datetime) -> datetime:
    """The moment, or now for today. SettingsError for what is to come."""
    from lockgate.pipelines.cli.shared.dates import moment

    if moment(text, now=now, where="--on", end_of_day=False) > now:
        raise SettingsError(
            f"{text} has not come yet", expected=f"{now:%Y-%m-%dT%H:%M} (UTC) at the latest", where="--on"
        )
    return min(moment(text, now=now, where="--on"), now)


def _on(entries: list[LogEntry], at: datetime) -> tuple[str, list[LogEntry]]:
    """Who reigned at a moment, and the entries that made it so."""
    before, then = [entry for entry in entries if entry.time <= at], f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    state = before[-1].state if before else None
    if state is None or state.champion is None:
        return f"no model reigned at {then}", [entry for entry in before if entry.event.kind == "revoked"][-1:]
    reigned = state.champion
    promotion = before[reigned.seq - 1]
    since = next(entry for entry in reversed(before) if _reigns_since(entry, before, reigned.seq))
    said = f"{reigned.run} reigned at {then}, promoted by entry {reigned.seq}"
    said += f", again since entry {since.seq}" if since is not promotion else ""
    later = [one for one in before[reigned.seq :] if _about(one, reigned.run, reigned.seq)]
    about = {one.seq: one for one in (promotion, since, *_waivers(promotion, before), *later)}
    return said + _unless(reigned, state, at), [about[seq] for seq in sorted(about)]


def _reigns_since(entry: LogEntry, entries: list[LogEntry], promoted_by: int) -> bool:
    """Whether the model reigns since this very entry."""
    earlier = entries[entry.seq - 2].state.champion if entry.seq > 1 else None
    now = entry.state.champion
    return now is not None and now.seq == promoted_by and (earlier is None or earlier.seq != promoted_by)


def _waivers(promotion: LogEntry, entries: list[LogEntry]) -> list[LogEntry]:
    """The waivers that it rests on; all that there were for the run, where the judgement is sealed."""
    decision = promotion.read_decision()
    used = {use.entry for use in decision.waivers if use.status == "used"}
    return [
        one
        for one in entries[: promotion.seq - 1]
        if one.event.kind == "waived" and (one.event.run == promotion.event.run if decision.sealed else one.seq in used)
    ]


def _of_run(entries: list[LogEntry], run: str, now: datetime) -> tuple[str, list[LogEntry]]:
    """What became of a run, and every entry about it."""
    named = {str(entry.event.run) for entry in entries if entry.event.run}
    full = next((name for name in named if run in (name, name.rpartition("/")[2])), None)
    if full is None:
        raise LogError(f"the log says nothing of run {run[:80]!r}", hint="`lockgate history` lists what it does")
    promoted = [entry.seq for entry in entries if entry.promotes and entry.event.run == full]
    about = [entry for entry in entries if _about(entry, full, *promoted)]
    return _standing(full, entries[-1].state, about, now), about


def _standing(run: str, state: State, about: list[LogEntry], now: datetime) -> str:
    if state.champion and state.champion.run == run:
        return f"{run} reigns, promoted by entry {state.champion.seq}" + _unless(state.champion, state, now)
    former = next((one for one in state.predecessors if one.run == run), None)
    if former is not None:
        refusal = former.refusal(now, revoked=state.revoked)
        return f"{run} reigned, and may " + (f"not again: {refusal}" if refusal else "again")
    told = [one for one in about if one.event.kind in ("judged", "revoked", "reverified") and one.event.run == run]
    last = told[-1] if told else about[-1]
    return f"{run} does not reign: entry {last.seq} says {last.event.verdict}"


def _unless(champion: Champion, state: State, at: datetime) -> str:
    refusal = champion.refusal(at, revoked=state.revoked)
    return f"; it could not be served: {refusal}" if refusal else ""


def _about(entry: LogEntry, run: str | None, *promoted_by: int) -> bool:
    suspects = getattr(entry.event, "suspects", ())
    return entry.event.run == run or any(seq in suspects for seq in promoted_by)
