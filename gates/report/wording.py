"""How an outcome is written, the same in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lockgate.gates.errors import printable
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import VERDICTS_WORST_FIRST, Outcome, Verdict, count_verdicts

MAX_CELL = 300
UNSETTLED = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE)
ICON = {"PASS": "🟢", "FAIL": "🔴", "INCONCLUSIVE": "🟡", "ERROR": "🟣", "SKIP": "⚪"}


def headline(decision: Decision) -> str:
    """The verdict; for the model that reigns there is nothing to decide."""
    return "ALREADY CHAMPION" if decision.already_champion else decision.verdict


def guarantee(decision: Decision) -> tuple[str, ...]:
    """Which look this is, unless that is sealed, and what is promised: a sentence each, without its stop."""
    return (decision.guarantee,) if decision.sealed else (decision.look.message, decision.guarantee)


def sentence(said: str) -> str:
    """As one: with a capital, and a stop."""
    return f"{said[:1].upper()}{said[1:]}."


def observed(outcome: Outcome) -> str:
    """The observed value; – where there is none."""
    return "–" if outcome.observed is None else f"{outcome.observed:.4g}"


def interval(outcome: Outcome) -> str:
    """Both bounds and their one-sided level; – where there is none."""
    if outcome.low is None or outcome.high is None or outcome.level is None:
        return "–"
    return f"{outcome.low:.4g} … {outcome.high:.4g} ({outcome.level:.6g})"


def rows(outcome: Outcome) -> str:
    """Rows, and clusters where rows are clustered."""
    if outcome.rows is None:
        return "–"
    return f"{outcome.rows:,}" if outcome.clusters is None else f"{outcome.rows:,} in {outcome.clusters:,}"


def verdict(outcome: Outcome) -> str:
    """The verdict, with what softens it."""
    return outcome.verdict + (" (warn)" if outcome.severity == "warn" else "") + (" waived" if outcome.waived else "")


def waivers(decision: Decision, gate: str | None = None) -> tuple[str, ...]:
    """What became of each waiver for the candidate, a sentence each: of one gate, or of names that no gate here has."""
    names = {outcome.name for outcome in decision.outcomes}
    return tuple(
        use.message for use in decision.waivers if (use.gate == gate if gate is not None else use.gate not in names)
    )


def background(outcome: Outcome) -> str:
    """Of a gate that does not pass: why it exists, and who to ask, in the policy's words; empty without any."""
    if outcome.verdict not in UNSETTLED:
        return ""
    why = [f"why: {outcome.description}"] if outcome.description else []
    return "; ".join(why + ([f"ask: {outcome.owner}"] if outcome.owner else []))


def part_noun(outcome: Outcome, part_nouns: Mapping[str, str]) -> str:
    """What one of the gate's parts is called: slice, clause, check, …

    `part_nouns` has the nouns by kind (`lockgate.gates.kinds.PART_NOUNS`); a kind of another version may not be in it.
    """
    return part_nouns.get(outcome.kind, "part")


def worst_first(parts: Sequence[Outcome], most: int) -> tuple[tuple[Outcome, ...], str]:
    """At most so many parts, the worst ones, and what is said of the others; empty where there are none."""
    ordered = sorted(parts, key=lambda part: VERDICTS_WORST_FIRST.index(part.verdict))
    rest = ordered[most:]
    return tuple(ordered[:most]), f"{len(rest)} more not shown: {count_verdicts(rest)}" if rest else ""


def cell(text: str) -> str:
    """Text in one line, printable, and cut where it is long."""
    flat = printable(text)
    return flat if len(flat) <= MAX_CELL else flat[: MAX_CELL - 1] + "…"
