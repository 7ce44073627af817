"""A selftest as a rich renderable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lockgate.gates.errors import printable
from lockgate.gates.records.outcome import Verdict

if TYPE_CHECKING:
    from lockgate.gates.selftest import Rate, Selftest, Trials

NAMED = 3
"""So many gates are named in a cell."""

HEADLINES = {"ok": ("OK", "bold green"), "warnings": ("WARNINGS", "bold yellow"), "unfit": ("UNFIT", "bold red")}
_SAID = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP)


def render(found: Selftest) -> RenderableType:
    """Equal models, the gates on them, planted gains, planted regressions, and what follows."""
    where = f"{found.rows:,} rows" + ("" if found.clusters is None else f" in {found.clusters:,} clusters")
    about = Text(f"{where}; gains are in {found.metric}, positive is better; in brackets: 95% intervals", "dim")
    return Group(
        about,
        _titled("Equal models: none should be promoted, and only a gate that asks for a gain may stop one"),
        _equal(found),
        _titled(f"The gates, on {found.equal.n:,} pairs of equal models"),
        _gates(found),
        _titled("Planted gains: the champion is made worse"),
        _planted(found.gains, found),
        _titled("Planted regressions: the challenger is made worse"),
        _planted(found.regressions, found, harm=True),
        _titled("Regressions behind a gain: the champion is shuffled on 50% of rows, but something is wrong"),
        _planted(found.hidden, found, harm=True),
        _verdict(found),
    )


def percent(rate: Rate) -> str:
    """`12% (8–17)`; of few trials the counts."""
    if rate.of < 20:
        return f"{rate.count} of {rate.of}"
    low, high = rate.bounds
    digits = 1 if high < 0.1 else 0
    return f"{rate.share:.{digits}%} ({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def _titled(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _equal(found: Selftest) -> Table:
    promised = "nothing" if found.promised is None else f"{100 * found.promised:.3g}% at most"
    table = _table("tried", "pairs", "promoted", "promised", "stopped falsely, by")
    each = "cluster" if found.clusters is not None else "row"
    for one, said in ((found.seeds, "the model with another seed"), (found.equal, f"scores swapped {each} by {each}")):
        if one is None:
            continue
        guards = [gate.name for gate in found.gates if gate.severity == "block" and not gate.asks_for_gain]
        rates = [(name, one.failed(name)) for name in guards]
        style = "" if one.promoted.count == 0 else "yellow"
        table.add_row(said, f"{one.n:,}", Text(percent(one.promoted), style), promised, _names(rates) or "–")
    return table


def _gates(found: Selftest) -> Table:
    total = sum(one.n for one in found.all_trials)
    table = _table("gate", *(str(verdict) for verdict in _SAID), f"in all {total:,} trials")
    for gate in found.gates:
        said = found.equal.gates[gate.name]
        cells = [_share(said.get(verdict, 0), found.equal.n) for verdict in _SAID]
        name = printable(gate.name) + (" (warn)" if gate.severity == "warn" else "")
        table.add_row(Text(name), *cells, _reached(gate.only))
    return table


def _reached(only: frozenset[str]) -> Text:
    """Whether a gate can pass, and can fail."""
    if only == {Verdict.ERROR}:
        return Text("always an ERROR", "magenta")
    passes, fails = Verdict.PASS in only, Verdict.FAIL in only
    if passes and fails:
        return Text("passes, and fails", "green")
    return Text("passes, never fails" if passes else "fails, never passes" if fails else "neither", "yellow")


def _planted(trials: Sequence[Trials], found: Selftest, *, harm: bool = False) -> Table:
    rest = ("not promoted", "held", "FAIL by") if harm else ("promoted", "stopped by")
    table = _table("planted", "gain", *rest)
    blocking = [gate.name for gate in found.gates if gate.severity == "block"]
    for one in trials:
        gain = "–" if one.gain is None else f"{one.gain:+.4f}"
        rate = one.detected if harm else one.promoted
        named = _names([(name, one.failed(name) if harm else one.stopped(name)) for name in blocking])
        cells = [percent(one.held), named or "–"] if harm else [named or "–"]
        style = "green" if rate.share >= 0.8 else "yellow"  # as in findings: four of five
        table.add_row(Text(printable(one.planted)), gain, Text(percent(rate), style), *cells)
    return table


def _names(rates: Sequence[tuple[str, Rate]]) -> str:
    """Gates and how often, the commonest first."""
    some = sorted(((name, rate) for name, rate in rates if rate.count), key=lambda item: -item[1].count)
    more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
    return ", ".join(f"{printable(name)} {_share(rate.count, rate.of)}" for name, rate in some[:NAMED]) + more


def _share(count: int, of: int) -> str:
    if count == 0:
        return "–"
    return f"{count / of:.0%}" if count / of >= 0.01 else "< 1%"


def _verdict(found: Selftest) -> Text:
    said = Text("\n")
    said.append(*HEADLINES[found.verdict])
    said.append(f"  {found.summary}")
    for style, lines in (("red", found.problems), ("yellow", found.warnings)):
        for line in lines:
            said.append("\n  • ", style)
            said.append(printable(line))
    if found.once:
        verdicts = ", ".join(f"{printable(one.name)} {one.verdict}" for one in found.once)
        said.append(f"\njudged once, as they read facts, which nothing planted reaches: {verdicts}", "dim")
    if found.left_out:
        said.append(f"\nleft out, as they judge the run and not its rows: {', '.join(found.left_out)}", "dim")
    return said
