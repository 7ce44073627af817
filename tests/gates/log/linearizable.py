"""Whether what several processes saw of one log could have happened one after the other. Pure.

A history is linearizable (Herlihy and Wing, 1990) if every operation can be given an instant between its call and its
answer such that, in the order of these instants, every answer is right for a log that grows one entry at a time. The
final log says in which order entries were written, so no orders have to be tried:

- time is counted in versions: the append of entry n happens at 2n, and whatever saw the log with n entries at 2n + 1;
- operations are taken in the order of their calls; each is put at the earliest instant that its answer allows, and not
  before any operation that was answered before this one was called;
- if there is no such instant, the operation fits into no order, as the earliest choices leave others the most room.

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
    """An entry of the final log. Version 0, the log without entries, is one too."""

    key: str  # of the operation that wrote it
    digest: str  # of its bytes
    state: Any = None  # answers are compared with it


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
    """The operation wrote nothing because of what it saw. Right at any version for whose state `holds` is true."""

    description: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A call and its answer, on a clock that all processes share."""

    key: str  # unique; what the operation writes carries it
    began: int
    ended: int | None = None  # None: no answer
    answer: Appended | Read | Saw | None = None


def find_violations(history: Sequence[Operation], log: Sequence[Written], *, initial: int = 0) -> list[str]:
    """What cannot have happened, in words; empty if the history is linearizable.

    Args:
        history: the operations, in any order.
        log: version 0 and then every entry, first to last, once everything is over.
        initial: number of entries before the first operation.
    """
    return [*_find_misreports(history, log, initial), *_find_disorder(history, log, initial)]


def _find_misreports(history: Sequence[Operation], log: Sequence[Written], initial: int) -> Iterator[str]:
    """Each reported append must be one entry; each entry must be one report, or the work of an unanswered operation."""
    entries = {entry.key: seq for seq, entry in enumerate(log) if seq > initial}
    yield from (f"{key} is {times} entries" for key, times in Counter(entry.key for entry in log).items() if times > 1)
    calls = Counter(operation.key for operation in history)
    yield from (f"{key} was called {times} times" for key, times in calls.items() if times > 1)
    yield from (f"entry {seq} was written by nobody: {key}" for key, seq in entries.items() if key not in calls)
    claims = Counter(operation.answer.seq for operation in history if isinstance(operation.answer, Appended))
    yield from (f"{times} operations say that they wrote entry {seq}" for seq, times in claims.items() if times > 1)
    for operation in history:
        match operation.answer:
            case Appended(seq) if entries.get(operation.key) != seq:
                yield f"{operation.key} says that it wrote entry {seq}; the log has it as {entries.get(operation.key)}"
            case Read(seq, digest) if seq >= len(log) or log[seq].digest != digest:
                yield f"{operation.key} read an entry {seq} that the log does not have"
            case Read() | Saw() if operation.key in entries:
                yield f"{operation.key} says that it wrote nothing; it is entry {entries[operation.key]}"


def _find_disorder(history: Sequence[Operation], log: Sequence[Written], initial: int) -> Iterator[str]:
    seq_of = {entry.key: seq for seq, entry in enumerate(log)}
    answered: list[tuple[int, int]] = []  # (when the operation was answered, its instant)
    floor = 2 * initial + 1
    for operation in sorted(history, key=lambda each: each.began):
        while answered and answered[0][0] < operation.began:
            floor = max(floor, heappop(answered)[1])
        written_seq = seq_of.get(operation.key) if operation.answer is None else None
        if operation.answer is None and written_seq is None:
            continue  # it never happened
        instant = 2 * written_seq if written_seq is not None else _find_earliest(operation.answer, floor, log)
        if instant is None or instant < floor:
            answer = _describe_answer(operation.answer, written_seq)
            yield f"{operation.key} ({answer}) comes too late: the log was at entry {floor // 2} before"
        elif operation.ended is not None:
            heappush(answered, (operation.ended, instant))


def _find_earliest(answer: Appended | Read | Saw | None, floor: int, log: Sequence[Written]) -> int | None:
    match answer:
        case Appended(seq):
            return 2 * seq
        case Read(seq, _):
            return 2 * seq + 1
        case Saw(_, holds):
            return next((2 * seq + 1 for seq in range(floor // 2, len(log)) if holds(log[seq].state)), None)
    return None


def _describe_answer(answer: Appended | Read | Saw | None, written_seq: int | None) -> str:
    match answer:
        case Read(seq, _):
            return f"read entry {seq}"
        case Saw(description, _):
            return description
    return f"wrote entry {answer.seq if isinstance(answer, Appended) else written_seq}"
