"""What rests on what: which promotions are in doubt once rows, a metric or an entry turn out to be wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lockgate.gates.errors import LogError
from lockgate.gates.log import Log, LogEntry
from lockgate.gates.log.events import JudgedEvent, ReverifiedEvent, WaivedEvent
from lockgate.gates.metrics import METRICS
from lockgate.gates.records.decision import Decision
from lockgate.gates.records.outcome import Outcome
from lockgate.gates.records.state import Holdout, State

_WHOLE_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class PromotionGrounds:
    """A promotion, and what it rests on."""

    seq: int
    model: str | None
    champion_model: str | None  # that it was judged against
    entries: set[int] = field(default_factory=set)  # its judgements, and the waivers that it needed
    rows: set[str] = field(default_factory=set)  # digests of holdouts and of training rows
    metrics: set[str] = field(default_factory=set)
    sealed: bool = False  # its metrics are not told

    def judged(self, seq: int, decision: Decision, holdouts: Mapping[str, Holdout]) -> None:
        """Rests on a judgement by entry `seq`, after which the ledger says `holdouts`."""
        bound = decision.binding
        charged = {digest for digest, held in holdouts.items() if seq in held.looks.values()}  # a sealed one names none
        self.entries.add(seq)
        self.rows |= {bound.holdout, *decision.look.holdouts, *charged} | ({bound.train} if bound.train else set())
        self.metrics.update(name for outcome in decision.outcomes for name in _metrics(outcome))
        self.sealed |= decision.sealed

    def rests_on(self, what: str, value: str) -> bool:
        if what == "entry":
            return int(value) in self.entries
        return value in self.rows if what == "data" else self.sealed or _bare(value) in self.metrics


class PromotionIndex:
    """Every promotion of a log, from its entries one by one."""

    def __init__(self, entries: Iterable[LogEntry] = ()) -> None:
        self._made: dict[int, PromotionGrounds] = {}
        for entry in entries:
            self.see(entry)

    def see(self, entry: LogEntry) -> None:
        """Take in the next entry."""
        event = entry.event
        if entry.promotes:
            decision = entry.read_decision()
            bound = decision.binding
            about = (bound.run, bound.model, bound.policy)
            held = {one.seq for one in entry.state.waivers if (one.run, one.model, one.policy) == about}
            used = {use.entry for use in decision.waivers if use.status == "used"}
            made = PromotionGrounds(entry.seq, bound.model, bound.champion_model)
            made.judged(entry.seq, decision, entry.state.holdouts)
            made.entries |= held if decision.sealed else used
            self._made[entry.seq] = made
        elif isinstance(event, ReverifiedEvent) and event.promoted_by in self._made:
            self._made[event.promoted_by].judged(entry.seq, event.read_decision(entry.state, where=entry.where), {})

    def resting(self, what: str, value: str) -> tuple[int, ...]:
        """The promotions that rest on it, and those that were made over a model of one that does."""
        suspects: list[int] = []
        models: set[str] = set()
        for one in self._made.values():
            if one.rests_on(what, value) or one.champion_model in models:
                suspects.append(one.seq)
                models |= {one.model} if one.model else set()
        return tuple(suspects)

    def whole_digest(self, begun: str, state: State) -> str:
        """The digest of rows that begins so, of those the log knows; any whole one. Raises LogError."""
        begun = begun.lower()
        known = {*state.holdouts, *(digest for one in self._made.values() for digest in one.rows)}
        found = [digest for digest in known if digest.startswith(begun)]
        if not found and _WHOLE_DIGEST.fullmatch(begun):
            return begun  # of rows that nothing was judged on yet, and nothing shall be
        if len(found) != 1:
            raise LogError(
                f"{len(found) or 'no'} digests of rows begin with {begun[:64]!r}",
                expected="one",
                hint="`lockgate holdouts` lists them; reports show the first twelve digits",
            )
        return found[0]

    def check_metric(self, name: str) -> None:
        """Raise LogError where no metric has this name."""
        known = sorted({name for metrics in METRICS.values() for name in metrics})
        if _bare(name) not in known and not any(_bare(name) in one.metrics for one in self._made.values()):
            raise LogError(f"unknown metric {name[:80]!r}", expected=f"one of {', '.join(known)}")


def find_barred(log: Log, what: str, value: str) -> tuple[str, ...]:
    """The digests of what nothing is judged on again: the rows, or the scores of a judgement. LogError for no entry."""
    if what != "entry":
        return (value,) if what == "data" else ()
    entry = log.entry(int(value))
    if isinstance(entry.event, WaivedEvent):
        return ()
    if isinstance(entry.event, JudgedEvent | ReverifiedEvent):
        return (entry.event.read_decision(entry.state, where=entry.where).binding.scores,)
    raise LogError(f"nothing rests on entry {value}", expected="a judgement, a re-verification or a waiver")


def _metrics(outcome: Outcome) -> Iterator[str]:
    if outcome.metric:
        yield _bare(outcome.metric)
    for part in outcome.parts:
        yield from _metrics(part)


def _bare(name: str) -> str:
    """Of `recall@0.3`: recall."""
    return name.partition("@")[0]
