"""A selftest as a rich renderable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lockgate.gates.errors import printable
from lockgate.gates.records.outcome import Verdict
from lockgate.gates.report.tables import make_table

if TYPE_CHECKING:
    from lockgate.gates.selftest import Rate, Selftest, Trials

MAX_NAMED_GATES = 3
"""At most this many gates are named in a cell."""

HEADLINES = {"ok": ("OK", "bold green"), "warnings": ("WARNINGS", "bold yellow"), "unfit": ("UNFIT", "bold red")}
_VERDICTS = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP)


def render(selftest: Selftest) -> RenderableType:
    """Results on equal models, planted gains and planted regressions, and the conclusion."""
    where = f"{selftest.rows:,} rows" + ("" if selftest.clusters is None else f" in {selftest.clusters:,} clusters")
    introduction = Text(
        f"{where}; gains are in {selftest.metric}, positive is better; in brackets: 95% intervals", "dim"
    )
    return Group(
        introduction,
        _title("Equal models: none should be promoted, and only a gate that asks for a gain may stop one"),
        _equal_models_table(selftest),
        *_drawn_as_they_are(selftest),
        _title(f"The gates, on {selftest.equal.n:,} pairs of equal models"),
        _gates_table(selftest),
        _title("Planted gains: the champion is made worse"),
        _plants_table(selftest.gains, selftest),
        _title("Planted regressions: the challenger is made worse"),
        _plants_table(selftest.regressions, selftest, harm=True),
        _title("Regressions behind a gain: the champion is worse on 50% of rows, but something is wrong"),
        _plants_table(selftest.hidden, selftest, harm=True),
        _verdict_lines(selftest),
    )


def format_rate(rate: Rate) -> str:
    """`12% (8–17)`; the counts where there were few trials."""
    if rate.total < 20:
        return f"{rate.count} of {rate.total}"
    low, high = rate.bounds
    digits = 1 if high < 0.1 else 0
    return f"{rate.share:.{digits}%} ({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def _title(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _table(*headings: str) -> Table:
    return make_table(*headings, style="dim")


def _equal_models_table(selftest: Selftest) -> Table:
    promised = "nothing" if selftest.promised is None else f"{100 * selftest.promised:.3g}% at most"
    table = _table("tried", "pairs", "promoted", "promised", "stopped falsely, by")
    each = "cluster" if selftest.clusters is not None else "row"
    for trials, description in (
        (selftest.seeds, "the model with another seed"),
        (selftest.equal, f"scores swapped {each} by {each}"),
    ):
        if trials is None:
            continue
        guards = [gate.name for gate in selftest.gates if gate.severity == "block" and not gate.asks_for_gain]
        rates = [(name, trials.fail_rate(name)) for name in guards]
        style = "" if trials.promotion_rate.count == 0 else "yellow"
        table.add_row(
            description,
            f"{trials.n:,}",
            Text(format_rate(trials.promotion_rate), style),
            promised,
            _list_gates(rates) or "–",
        )
    return table


def _drawn_as_they_are(selftest: Selftest) -> list[RenderableType]:
    """Rates of draws that swap nothing, what every draw keeps and destroys, and what was looked for; empty without."""
    if not selftest.drawn:
        return []
    table = _table("equal models, drawn", "holdouts", "promoted", "promised", "at .05", "by a plain t", "at .05")
    for drawn in selftest.drawn:
        table.add_row(
            drawn.title,
            f"{drawn.at_look.total:,}",
            Text(format_rate(drawn.at_look), "yellow" if drawn.exceeds else ""),
            f"{100 * drawn.promised:.3g}% at most",
            format_rate(drawn.at_5),
            format_rate(drawn.plain_at_look),
            format_rate(drawn.plain_at_5),
        )
    each = "clusters" if selftest.clusters is not None else "rows"
    kinds = [(f"{each} with scores swapped", *selftest.swapped)]
    kinds += [(drawn.title, drawn.keeps, drawn.destroys) for drawn in selftest.drawn]
    lines = [f"{title}: keeps {keeps}; destroys {destroys}" for title, keeps, destroys in kinds]
    if selftest.signs:
        lines.append("looked for: " + "; ".join(sign.text for sign in selftest.signs))
    title = _title("Equal models as they are: holdouts drawn with no more gain than here, judged by the gates of gains")
    return [title, table, Text("\n".join(lines), "dim")]


def _gates_table(selftest: Selftest) -> Table:
    total = sum(trials.n for trials in selftest.all_trials)
    table = _table("gate", *(str(verdict) for verdict in _VERDICTS), f"in all {total:,} trials")
    for gate in selftest.gates:
        counts = selftest.equal.gates[gate.name]
        cells = [_format_share(counts.get(verdict, 0), selftest.equal.n) for verdict in _VERDICTS]
        name = printable(gate.name) + (" (warn)" if gate.severity == "warn" else "")
        table.add_row(Text(name), *cells, _describe_reach(gate.only))
    return table


def _describe_reach(only: frozenset[str]) -> Text:
    """Whether a gate can pass, and whether it can fail."""
    if only == {Verdict.ERROR}:
        return Text("always an ERROR", "magenta")
    passes, fails = Verdict.PASS in only, Verdict.FAIL in only
    if passes and fails:
        return Text("passes, and fails", "green")
    return Text("passes, never fails" if passes else "fails, never passes" if fails else "neither", "yellow")


def _plants_table(trials: Sequence[Trials], selftest: Selftest, *, harm: bool = False) -> Table:
    rest = ("not promoted", "held", "FAIL by") if harm else ("promoted", "stopped by")
    table = _table("planted", "gain", *rest)
    blocking = [gate.name for gate in selftest.gates if gate.severity == "block"]
    for trial in trials:
        gain = "–" if trial.gain is None else f"{trial.gain:+.4f}"
        rate = trial.detection_rate if harm else trial.promotion_rate
        gates = _list_gates([(name, trial.fail_rate(name) if harm else trial.stop_rate(name)) for name in blocking])
        cells = [format_rate(trial.hold_rate), gates or "–"] if harm else [gates or "–"]
        style = "green" if rate.share >= 0.8 else "yellow"  # as in gates/selftest/findings.py: four of five
        table.add_row(Text(printable(trial.planted)), gain, Text(format_rate(rate), style), *cells)
    return table


def _list_gates(rates: Sequence[tuple[str, Rate]]) -> str:
    """Gates and how often each occurs, most frequent first."""
    occurring = sorted(((name, rate) for name, rate in rates if rate.count), key=lambda item: -item[1].count)
    more = f" and {len(occurring) - MAX_NAMED_GATES} more" if len(occurring) > MAX_NAMED_GATES else ""
    return (
        ", ".join(
            f"{printable(name)} {_format_share(rate.count, rate.total)}" for name, rate in occurring[:MAX_NAMED_GATES]
        )
        + more
    )


def _format_share(count: int, total: int) -> str:
    if count == 0:
        return "–"
    return f"{count / total:.0%}" if count / total >= 0.01 else "< 1%"


def _verdict_lines(selftest: Selftest) -> Text:
    text = Text("\n")
    text.append(*HEADLINES[selftest.verdict])
    text.append(f"  {selftest.summary}")
    for style, lines in (("red", selftest.problems), ("yellow", selftest.warnings)):
        for line in lines:
            text.append("\n  • ", style)
            text.append(printable(line))
    if selftest.once:
        verdicts = ", ".join(f"{printable(gate.name)} {gate.verdict}" for gate in selftest.once)
        text.append(f"\njudged once, because they read facts, which plants do not change: {verdicts}", "dim")
    if selftest.left_out:
        text.append(f"\nleft out, because they judge the run and not its rows: {', '.join(selftest.left_out)}", "dim")
    if selftest.undrawn:
        names = ", ".join(map(printable, selftest.undrawn))
        text.append(f"\njudged on swapped scores alone, as they ask for gains in parts of the rows: {names}", "dim")
    return text
