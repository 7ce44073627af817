"""How numbers of an outcome are written, the same in every format."""

from __future__ import annotations

from gates.decision import Decision
from gates.outcome import Outcome


def headline(decision: Decision) -> str:
    """The verdict; for the model that reigns there is nothing to decide."""
    return "ALREADY CHAMPION" if decision.already_champion else decision.verdict


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
