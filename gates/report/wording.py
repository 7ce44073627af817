"""Phrases and numbers of an outcome, the same in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from lockgate.gates.errors import UnjudgeableError, printable
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.numbers import Bounds, format_fitting
from lockgate.gates.records.outcome import VERDICTS_WORST_FIRST, Outcome, Verdict, count_verdicts

MAX_CELL_CHARS = 300
UNSETTLED_VERDICTS = (Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE)
VERDICT_ICONS = {"PASS": "🟢", "FAIL": "🔴", "INCONCLUSIVE": "🟡", "ERROR": "🟣", "SKIP": "⚪"}


def format_headline(decision: Decision) -> str:
    """The verdict, or that the model is the champion already, so that nothing is decided."""
    return "ALREADY CHAMPION" if decision.already_champion else decision.verdict


def list_guarantees(decision: Decision) -> tuple[str, ...]:
    """What is guaranteed; unless the decision is sealed, also which look this is and on which conditions that holds.

    Sentences without full stops.
    """
    if decision.sealed:
        return (decision.guarantee,)
    return decision.look.message, decision.guarantee, *filter(None, [decision.conditions])


def format_sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


OBSERVED_HEADING, INTERVAL_HEADING = "observed (+ is better)", "interval (one-sided level)"
"""Of columns with `format_observed` and `format_interval`."""

_COMPARISONS = frozenset({"improvement", "periods", "slices"})
"""Kinds whose `observed` is challenger − champion in a metric."""


def gain_sign(outcome: Outcome) -> float | None:
    """1 or −1, which turns the outcome's numbers into a gain; None where they are no difference to the champion.

    Of a log loss, where less is better, records have what was observed: challenger − champion, negative where the
    challenger is better. People read gains: above 0 is better, whatever the metric.
    """
    if outcome.kind in _COMPARISONS and outcome.metric is not None:
        from lockgate.gates.metrics import METRICS, find_metric  # scipy comes with it

        for task in METRICS:
            with suppress(UnjudgeableError):
                return find_metric(outcome.metric, task).gain(1.0)
        return None  # of another version
    numbers = (outcome.metric, outcome.observed, outcome.low, outcome.high)
    chosen = (part for part in outcome.parts if (part.metric, part.observed, part.low, part.high) == numbers)
    return next((gain_sign(part) for part in chosen), None) if outcome.kind == "any_of" else None


def format_observed(outcome: Outcome) -> str:
    """The observed value, a gain with its sign; – where there is none."""
    if outcome.observed is None:
        return "–"
    sign, bounds = gain_sign(outcome), _find_bounds(outcome)
    return format_fitting([(sign or 1.0) * outcome.observed], bounds, sign="+" if sign else "")[0]


def format_interval(outcome: Outcome) -> str:
    """Both bounds, of a gain with their signs, and their one-sided level; – where there is none."""
    bounds = _find_bounds(outcome)
    if bounds is None or outcome.level is None:
        return "–"
    sign = gain_sign(outcome)
    turned = sorted((sign or 1.0) * bound for bound in bounds)
    low, high = format_fitting(turned, bounds, sign="+" if sign else "")
    return f"{low} … {high} ({outcome.level:.6g})"


def _find_bounds(outcome: Outcome) -> Bounds | None:
    return None if outcome.low is None or outcome.high is None else (outcome.low, outcome.high)


def format_rows(outcome: Outcome) -> str:
    """The number of rows, and of clusters where rows are clustered."""
    if outcome.rows is None:
        return "–"
    return f"{outcome.rows:,}" if outcome.clusters is None else f"{outcome.rows:,} in {outcome.clusters:,}"


def format_information(outcome: Outcome) -> str:
    """What the outcome's numbers rest on, where that is not simply all rows; empty where it is."""
    information = outcome.information
    if information is None:
        return ""
    phrases = []
    if information.class_rows is not None:
        phrases.append(f"{information.class_rows:,} rows of the rarer class")
    effective = information.effective_clusters
    if information.clusters is not None and effective is not None:
        phrases.append(f"{information.clusters:,} clusters, as good as {effective:.3g} equal ones")
    elif effective is not None:
        phrases.append(f"weights as good as {effective:.3g} equal rows")
    if information.degrees_of_freedom is not None and information.clusters is not None:
        phrases.append(f"{information.degrees_of_freedom:.3g} degrees of freedom")
    if information.lag_1 is not None:
        phrases.append(f"a correlation of {information.lag_1:.2f} between neighbours in time, allowed for")
    if information.unseen_rate is not None:
        units = "rows" if information.clusters is None else "clusters"
        phrases.append(f"events in less than {information.unseen_rate:.2g} of the {units} may be unseen")
    return f"rests on {'; '.join(phrases)}" if phrases else ""


def format_verdict(outcome: Outcome) -> str:
    """The verdict, and whether the gate only warns or was waived."""
    return outcome.verdict + (" (warn)" if outcome.severity == "warn" else "") + (" waived" if outcome.waived else "")


def list_waivers(decision: Decision, gate: str | None = None) -> tuple[str, ...]:
    """What became of the candidate's waivers, a sentence each.

    Those for one gate; without `gate`, those for gates that the policy does not have.
    """
    names = {outcome.name for outcome in decision.outcomes}
    return tuple(
        use.message for use in decision.waivers if (use.gate == gate if gate is not None else use.gate not in names)
    )


def format_background(outcome: Outcome) -> str:
    """Why a gate that does not pass exists and who to ask, in the policy's words; empty where it says neither."""
    if outcome.verdict not in UNSETTLED_VERDICTS:
        return ""
    why = [f"why: {outcome.description}"] if outcome.description else []
    return "; ".join(why + ([f"ask: {outcome.owner}"] if outcome.owner else []))


def part_noun(outcome: Outcome, part_nouns: Mapping[str, str]) -> str:
    """What one of the gate's parts is called: slice, clause, check, …

    `part_nouns` has the nouns by kind (`lockgate.gates.kinds.PART_NOUNS`); a kind of another version may not be in it.
    """
    return part_nouns.get(outcome.kind, "part")


def take_worst(parts: Sequence[Outcome], limit: int) -> tuple[tuple[Outcome, ...], str]:
    """The worst parts, at most `limit`, and a phrase that counts the others; empty where there are no others."""
    ordered = sorted(parts, key=lambda part: VERDICTS_WORST_FIRST.index(part.verdict))
    rest = ordered[limit:]
    return tuple(ordered[:limit]), f"{len(rest)} more not shown: {count_verdicts(rest)}" if rest else ""


def format_cell(text: str) -> str:
    """Text on one line, printable, and cut to `MAX_CELL_CHARS`."""
    flat = printable(text)
    return flat if len(flat) <= MAX_CELL_CHARS else flat[: MAX_CELL_CHARS - 1] + "…"
