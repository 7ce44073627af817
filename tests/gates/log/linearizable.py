"""Could what several processes saw of one log have happened one after the other? Pure.

A history is linearizable (Herlihy and Wing, 1990) where every operation can be given one instant between its call and
its answer, so that in the order of these instants every answer is right for a log that is appended to, one entry at a
time. The log that is left over says in which order entries were written, so no orders have to be tried:

- time is counted in versions: the append of entry n happens at 2n, and whatever saw the log with n entries at 2n + 1;
- operations are taken in the order of their calls; each is put at the earliest instant that its answer allows and that
  is not before an operation that was answered before this one was called;
- an operation for which there is none has no place in any order: the earliest choices leave the most room to others.

An operation without an answer (its process was killed) may or may not have happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An entry of the log that is left over. Version 0, the log without an entry, is one too."""

    key: str  # which operation wrote it
    digest: str  # of its bytes
    state: Any = None  # what answers are held against


@dataclass(frozen=True, slots=True)
class Appended:
    """The operation says that it wrote entry `seq`."""

    seq: int


@dataclass(frozen=True, slots=True)
class Read:
    """The operation says that the head was entry `seq`, with these bytes; 0 and empty: no entry."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True)
class Saw:
    """The operation wrote nothing, because of what it saw: right at any version whose state `holds`."""

    what: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A call and its answer, on a clock that all processes share."""

    key: str  # of its own; what it writes carries it
    began: int
    ended: int | None = None  # None: no answer
    answer: Appended | Read | Saw | None = None


def violations(history: Sequence[Operation], log: Sequence[Written], *, there: int = 0) -> list[str]:
    """What cannot have happened, in words; empty where the history is linearizable.

    Args:
        history: the operations, in any order.
        log: version 0 and then every entry, first to last, as they are when all is over.
        there: how many entries there were before the first operation.
    """
    return [*_misreported(history, log, there), *_out_of_order(history, log, there)]


def _misreported(history: Sequence[Operation], log: Sequence[Written], there: int) -> Iterator[str]:
    """Every report of an append is one entry, and every entry is one report, or the work of one without an answer."""
    entries = {entry.key: seq for seq, entry in enumerate(log) if seq > there}
    yield from (f"{key} is {times} entries" for key, times in Counter(entry.key for entry in log).items() if times > 1)
    calls = Counter(one.key for one in history)
    yield from (f"{key} was called {times} times" for key, times in calls.items() if times > 1)
    yield from (f"entry {seq} was written by nobody: {key}" for key, seq in entries.items() if key not in calls)
    claims = Counter(one.answer.seq for one in history if isinstance(one.answer, Appended))
    yield from (f"{times} operations say that they wrote entry {seq}" for seq, times in claims.items() if times > 1)
    for one in history:
        match one.answer:
            case Appended(seq) if entries.get(one.key) != seq:
                yield f"{one.key} says that it wrote entry {seq}; the log has it as {entries.get(one.key)}"
            case Read(seq, digest) if seq >= len(log) or log[seq].digest != digest:
                yield f"{one.key} read an entry {seq} that the log does not have"
            case Read() | Saw() if one.key in entries:
                yield f"{one.key} says that it wrote nothing; it is entry {entries[one.key]}"


def _out_of_order(history: Sequence[Operation], log: Sequence[Written], there: int) -> Iterator[str]:
    seq_of = {entry.key: seq for seq, entry in enumerate(log)}
    answered: list[tuple[int, int]] = []  # when, and at which instant it happened
    floor = 2 * there + 1
    for one in sorted(history, key=lambda each: each.began):
        while answered and answered[0][0] < one.began:
            floor = max(floor, heappop(answered)[1])
        wrote = seq_of.get(one.key) if one.answer is None else None
        if one.answer is None and wrote is None:
            continue  # it never happened
        at = 2 * wrote if wrote is not None else _earliest(one.answer, floor, log)
        if at is None or at < floor:
            yield f"{one.key} ({_told(one.answer, wrote)}) comes too late: the log was at entry {floor // 2} before"
        elif one.ended is not None:
            heappush(answered, (one.ended, at))


def _earliest(answer: Appended | Read | Saw | None, floor: int, log: Sequence[Written]) -> int | None:
    match answer:
        case Appended(seq):
            return 2 * seq
        case Read(seq, _):
            return 2 * seq + 1
        case Saw(_, holds):
            return next((2 * seq + 1 for seq in range(floor // 2, len(log)) if holds(log[seq].state)), None)
    return None


def _told(answer: Appended | Read | Saw | None, wrote: int | None) -> str:
    match answer:
        case Read(seq, _):
            return f"read entry {seq}"
        case Saw(what, _):
            return what
    return f"wrote entry {answer.seq if isinstance(answer, Appended) else wrote}"
