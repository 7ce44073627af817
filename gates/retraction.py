"""What rests on what: which promotions are in doubt once rows, a metric or an entry turn out to be wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gates.decision import Decision
from gates.errors import LogError
from gates.log import Log
from gates.log.events import Reverified
from gates.metrics import METRICS
from gates.outcome import Outcome
from gates.state import State

_WHOLE_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion, and what it rests on: the judgements of its model, by the entries that recorded them."""

    seq: int
    judgements: dict[int, Decision] = field(default_factory=dict)
    waivers: set[int] = field(default_factory=set)


def promotions(log: Log) -> list[Promotion]:
    """Every promotion in the log, first to last."""
    found: dict[int, Promotion] = {}
    for entry in log.entries():
        if entry.promotes:
            decision = entry.decided()
            about = (decision.binding.run, decision.binding.model)
            held = {one.seq for one in entry.state.waivers if (one.run, one.model) == about}
            used = {use.entry for use in decision.waivers if use.status == "used"}
            waivers = held if decision.sealed else used
            found[entry.seq] = Promotion(entry.seq, {entry.seq: decision}, waivers)
        elif isinstance(entry.event, Reverified) and entry.event.promoted_by in found:
            again = entry.event.decided(entry.state, where=entry.where)
            found[entry.event.promoted_by].judgements[entry.seq] = again
    return list(found.values())


def whole_digest(begun: str, state: State, made: Iterable[Promotion]) -> str:
    """The digest of rows that begins so, of those the log knows; any whole one. Raises LogError."""
    begun = begun.lower()
    judged = [decision.binding for one in made for decision in one.judgements.values()]
    known = {*state.holdouts, *(digest for bound in judged for digest in (bound.holdout, bound.train) if digest)}
    found = [digest for digest in known if digest.startswith(begun)]
    if not found and _WHOLE_DIGEST.fullmatch(begun):
        return begun  # of rows that nothing was judged on yet, and nothing shall be
    if len(found) != 1:
        raise LogError(
            f"{len(found) or 'no'} digests of rows begin with {begun[:64]!r}", expected="one",
            hint="`lockgate holdouts` lists them; reports show the first twelve digits",
        )  # fmt: skip
    return found[0]


def check_metric(name: str, made: Iterable[Promotion]) -> None:
    """Raise LogError where no metric has this name."""
    known = sorted({name for metrics in METRICS.values() for name in metrics})
    outcomes = [outcome for one in made for decision in one.judgements.values() for outcome in decision.outcomes]
    if name.partition("@")[0] not in known and not any(_of_metric(name, outcome) for outcome in outcomes):
        raise LogError(f"unknown metric {name[:80]!r}", expected=f"one of {', '.join(known)}")


def resting(what: str, value: str, made: Iterable[Promotion]) -> tuple[int, ...]:
    """The promotions that rest on it, and those that were made over a model of one that does."""
    suspects: list[int] = []
    models: set[str] = set()
    for one in made:
        direct = int(value) in one.judgements.keys() | one.waivers if what == "entry" else (
            any(_rests_on(what, value, decision) for decision in one.judgements.values())
        )  # fmt: skip
        bound = one.judgements[one.seq].binding
        if direct or bound.champion_model in models:
            suspects.append(one.seq)
            models |= {bound.model} if bound.model else set()
    return tuple(suspects)


def _rests_on(what: str, value: str, decision: Decision) -> bool:
    if what == "data":
        bound = decision.binding
        return value in (bound.holdout, bound.train, *decision.look.holdouts)
    return decision.sealed or any(_of_metric(value, outcome) for outcome in decision.outcomes)


def _of_metric(name: str, outcome: Outcome) -> bool:
    own = (outcome.metric or "").partition("@")[0] == name.partition("@")[0]
    return own or any(_of_metric(name, part) for part in outcome.parts)
