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
    """Show why a model was live on a day, or what became of a run: every entry about it, with the numbers."""
    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.log import project_log, show_entries
    from lockgate.pipelines.promotion.actor import clock

    if (run is None) == (not on):
        raise SettingsError(
            "nothing to explain" if run is None else "both a RUN and --on are given", expected="a RUN, or --on DATE"
        )
    log, now = project_log(), clock()
    instant = _parse_past(on, now) if on else now
    entries = list(log.entries())
    title, related = _explain_run(entries, run, now) if run is not None else _explain_moment(entries, instant)
    if as_json:
        print_json({"answer": title, "entries": [entry.as_json() for entry in related]})
    else:
        show_entries(log, title, related)


def _parse_past(text: str, now: datetime) -> datetime:
    """Parse the moment; today means now. Raises SettingsError for the future."""
    from lockgate.pipelines.cli.shared.dates import parse_moment

    if parse_moment(text, now=now, where="--on", end_of_day=False) > now:
        raise SettingsError(
            f"{text} is in the future", expected=f"{now:%Y-%m-%dT%H:%M} (UTC) at the latest", where="--on"
        )
    return min(parse_moment(text, now=now, where="--on"), now)


def _explain_moment(entries: list[LogEntry], instant: datetime) -> tuple[str, list[LogEntry]]:
    """Who reigned at a moment, and the entries that explain it."""
    before, then = (
        [entry for entry in entries if entry.time <= instant],
        f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
    )
    state = before[-1].state if before else None
    if state is None or state.champion is None:
        return f"no model reigned at {then}", [entry for entry in before if entry.event.kind == "revoked"][-1:]
    reigned = state.champion
    promotion = before[reigned.seq - 1]
    since = next(entry for entry in reversed(before) if _reigns_since(entry, before, reigned.seq))
    answer = f"{reigned.run} reigned at {then}, promoted by entry {reigned.seq}"
    answer += f", again since entry {since.seq}" if since is not promotion else ""
    later = [entry for entry in before[reigned.seq :] if _concerns(entry, reigned.run, reigned.seq)]
    related = {entry.seq: entry for entry in (promotion, since, *_find_waivers(promotion, before), *later)}
    return answer + _describe_refusal(reigned, state, instant), [related[seq] for seq in sorted(related)]


def _reigns_since(entry: LogEntry, entries: list[LogEntry], promoted_by: int) -> bool:
    """Whether the model began to reign with this entry."""
    earlier = entries[entry.seq - 2].state.champion if entry.seq > 1 else None
    now = entry.state.champion
    return now is not None and now.seq == promoted_by and (earlier is None or earlier.seq != promoted_by)


def _find_waivers(promotion: LogEntry, entries: list[LogEntry]) -> list[LogEntry]:
    """The waivers that a promotion depends on; if the judgement is sealed, all waivers for the run."""
    decision = promotion.read_decision()
    used = {use.entry for use in decision.waivers if use.status == "used"}
    return [
        entry
        for entry in entries[: promotion.seq - 1]
        if entry.event.kind == "waived"
        and (entry.event.run == promotion.event.run if decision.sealed else entry.seq in used)
    ]


def _explain_run(entries: list[LogEntry], run: str, now: datetime) -> tuple[str, list[LogEntry]]:
    """What became of a run, and every entry about it."""
    runs = {str(entry.event.run) for entry in entries if entry.event.run}
    full = next((name for name in runs if run in (name, name.rpartition("/")[2])), None)
    if full is None:
        raise LogError(f"the log has no entry about run {run[:80]!r}", hint="`lockgate history` lists the entries")
    promoted = [entry.seq for entry in entries if entry.promotes and entry.event.run == full]
    related = [entry for entry in entries if _concerns(entry, full, *promoted)]
    return _describe_standing(full, entries[-1].state, related, now), related


def _describe_standing(run: str, state: State, related: list[LogEntry], now: datetime) -> str:
    if state.champion and state.champion.run == run:
        return f"{run} reigns, promoted by entry {state.champion.seq}" + _describe_refusal(state.champion, state, now)
    former = next((predecessor for predecessor in state.predecessors if predecessor.run == run), None)
    if former is not None:
        refusal = former.refusal(now, revoked=state.revoked)
        return f"{run} reigned before, and may " + (f"not reign again: {refusal}" if refusal else "reign again")
    decisive = [
        entry for entry in related if entry.event.kind in ("judged", "revoked", "reverified") and entry.event.run == run
    ]
    last = decisive[-1] if decisive else related[-1]
    return f"{run} does not reign: entry {last.seq} says {last.event.verdict}"


def _describe_refusal(champion: Champion, state: State, instant: datetime) -> str:
    refusal = champion.refusal(instant, revoked=state.revoked)
    return f"; it could not be served: {refusal}" if refusal else ""


def _concerns(entry: LogEntry, run: str | None, *promoted_by: int) -> bool:
    suspects = getattr(entry.event, "suspects", ())
    return entry.event.run == run or any(seq in suspects for seq in promoted_by)
