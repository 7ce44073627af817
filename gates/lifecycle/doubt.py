"""Which promotions are in doubt once rows, a metric or an entry turn out to be wrong."""

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

_COMPLETE_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class PromotionGrounds:
    """A promotion, and everything that it rests on."""

    seq: int
    model: str | None
    champion_model: str | None  # the model that it was judged against
    entries: set[int] = field(default_factory=set)  # its judgements, and the waivers that it needed
    rows: set[str] = field(default_factory=set)  # digests of holdouts and of training rows
    metrics: set[str] = field(default_factory=set)
    sealed: bool = False  # a judgement does not disclose its metrics

    def add_judgement(self, seq: int, decision: Decision, holdouts: Mapping[str, Holdout]) -> None:
        """Add what the judgement of entry `seq` rests on. `holdouts` is the ledger after that entry."""
        binding = decision.binding
        # a sealed decision does not name the holdouts that it was charged to; the ledger does
        charged = {digest for digest, holdout in holdouts.items() if seq in holdout.looks.values()}
        self.entries.add(seq)
        self.rows |= {binding.holdout, *decision.look.holdouts, *charged}
        self.rows |= {binding.train} if binding.train else set()
        self.metrics.update(name for outcome in decision.outcomes for name in _list_metrics(outcome))
        self.sealed |= decision.sealed

    def rests_on(self, kind: str, value: str) -> bool:
        """Whether the promotion itself rests on `value`: a digest of rows, a metric's name, or an entry's number."""
        if kind == "entry":
            return int(value) in self.entries
        return value in self.rows if kind == "data" else self.sealed or _strip_threshold(value) in self.metrics


class PromotionIndex:
    """The promotions of a log, collected from its entries one by one."""

    def __init__(self, entries: Iterable[LogEntry] = ()) -> None:
        self._promotions: dict[int, PromotionGrounds] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: LogEntry) -> None:
        """Take in the next entry."""
        event = entry.event
        if entry.promotes:
            decision = entry.read_decision()
            binding = decision.binding
            subject = (binding.run, binding.model, binding.policy)
            granted = {
                waiver.seq for waiver in entry.state.waivers if (waiver.run, waiver.model, waiver.policy) == subject
            }
            used = {use.entry for use in decision.waivers if use.status == "used"}
            promotion = PromotionGrounds(entry.seq, binding.model, binding.champion_model)
            promotion.add_judgement(entry.seq, decision, entry.state.holdouts)
            promotion.entries |= granted if decision.sealed else used
            self._promotions[entry.seq] = promotion
        elif isinstance(event, ReverifiedEvent) and event.promoted_by in self._promotions:
            decision = event.read_decision(entry.state, where=entry.where)
            self._promotions[event.promoted_by].add_judgement(entry.seq, decision, {})  # it charges no holdout

    def find_resting(self, kind: str, value: str) -> tuple[int, ...]:
        """The promotions that rest on `value`, and those that were judged against the model of one that does."""
        suspects: list[int] = []
        models: set[str] = set()
        for promotion in self._promotions.values():
            if promotion.rests_on(kind, value) or promotion.champion_model in models:
                suspects.append(promotion.seq)
                models |= {promotion.model} if promotion.model else set()
        return tuple(suspects)

    def complete_digest(self, prefix: str, state: State) -> str:
        """The only digest of rows that the log knows with this prefix. Raises LogError.

        A complete digest need not be known: rows can be barred before anything is judged on them.
        """
        prefix = prefix.lower()
        used = {digest for promotion in self._promotions.values() for digest in promotion.rows}
        matches = [digest for digest in {*state.holdouts, *used} if digest.startswith(prefix)]
        if not matches and _COMPLETE_DIGEST.fullmatch(prefix):
            return prefix
        if len(matches) != 1:
            raise LogError(
                f"{len(matches) or 'no'} digests of rows begin with {prefix[:64]!r}",
                expected="one",
                hint="`lockgate holdouts` lists them; reports show the first twelve digits",
            )
        return matches[0]

    def check_metric(self, name: str) -> None:
        """Raise LogError if neither this version nor any promotion knows the metric."""
        metrics = sorted({name for family in METRICS.values() for name in family})
        name_alone = _strip_threshold(name)
        if name_alone in metrics or any(name_alone in promotion.metrics for promotion in self._promotions.values()):
            return
        raise LogError(f"unknown metric {name[:80]!r}", expected=f"one of {', '.join(metrics)}")


def find_barred(log: Log, kind: str, value: str) -> tuple[str, ...]:
    """The digests that a retraction bars from being judged on again: of the rows, or of a judgement's scores.

    Raises LogError if `value` is an entry that nothing can rest on.
    """
    if kind != "entry":
        return (value,) if kind == "data" else ()
    entry = log.entry(int(value))
    if isinstance(entry.event, WaivedEvent):
        return ()
    if isinstance(entry.event, JudgedEvent | ReverifiedEvent):
        return (entry.event.read_decision(entry.state, where=entry.where).binding.scores,)
    raise LogError(f"nothing rests on entry {value}", expected="a judgement, a re-verification or a waiver")


def _list_metrics(outcome: Outcome) -> Iterator[str]:
    if outcome.metric:
        yield _strip_threshold(outcome.metric)
    for part in outcome.parts:
        yield from _list_metrics(part)


def _strip_threshold(name: str) -> str:
    """`recall@0.3` → `recall`."""
    return name.partition("@")[0]
