"""The checker of histories: what it must let pass, what it must not, and that it agrees with trying every order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from tests.gates.log.linearizable import Appended, Operation, Read, Saw, Written, find_violations

EMPTY = Written(key="", digest="", state=0)


def log(*keys: str) -> list[Written]:
    """Entries by these operations; the state is the number of entries."""
    return [EMPTY, *(Written(key=key, digest=f"#{key}", state=seq) for seq, key in enumerate(keys, start=1))]


def write_op(key: str, seq: int, began: int, ended: int) -> Operation:
    return Operation(key=key, began=began, ended=ended, answer=Appended(seq))


def read_op(key: str, writer: str, seq: int, began: int, ended: int) -> Operation:
    return Operation(key=key, began=began, ended=ended, answer=Read(seq, writer and f"#{writer}"))


def saw_op(key: str, versions: set[int], began: int, ended: int) -> Operation:
    return Operation(key=key, began=began, ended=ended, answer=Saw(f"saw {versions}", lambda state: state in versions))


def killed_op(key: str, began: int) -> Operation:
    return Operation(key=key, began=began)


A, B = write_op("a", 1, 0, 10), write_op("b", 2, 5, 20)


@pytest.mark.parametrize(
    ("history", "entries"),
    [
        pytest.param([], log(), id="nothing at all"),
        pytest.param([A, write_op("b", 2, 11, 20)], log("a", "b"), id="one after the other"),
        pytest.param([write_op("a", 2, 0, 10), write_op("b", 1, 5, 20)], log("b", "a"), id="at once, either way round"),
        pytest.param([A, read_op("r", "", 0, 5, 9)], log("a"), id="a read during an append, before it"),
        pytest.param([A, read_op("r", "a", 1, 5, 9)], log("a"), id="a read during an append, after it"),
        pytest.param([A, read_op("r", "", 0, 10, 11)], log("a"), id="equal times order nothing"),
        pytest.param(
            [read_op("r", "a", 1, 2, 3), A, read_op("s", "a", 1, 4, 5)], log("a"), id="seen twice before the answer"
        ),
        pytest.param([killed_op("a", 0), read_op("r", "a", 1, 50, 51)], log("a"), id="killed after it had written"),
        pytest.param([killed_op("a", 0), write_op("b", 1, 5, 6)], log("b"), id="killed before it wrote"),
        pytest.param([killed_op("a", 0), write_op("b", 1, 5, 6)], log("b", "a"), id="a killed one's entry lands late"),
        pytest.param([A, B, saw_op("s", {1}, 6, 30)], log("a", "b"), id="refused between two appends"),
        pytest.param([A, B, saw_op("s", {1}, 6, 9), saw_op("t", {2}, 10, 19)], log("a", "b"), id="refusals in turn"),
    ],
)
def test_what_could_have_happened_passes(history: list[Operation], entries: list[Written]) -> None:
    assert find_violations(history, entries) == []


@pytest.mark.parametrize(
    ("history", "entries", "message"),
    [
        pytest.param(
            [A, write_op("b", 1, 5, 20)], log("a"), "2 operations say that they wrote entry 1", id="two winners"
        ),
        pytest.param([A, write_op("b", 2, 5, 20)], log("a"), "the log has it as None", id="a lost entry"),
        pytest.param([A], log("a", "x"), "entry 2 was written by nobody", id="an entry of nobody"),
        pytest.param([A], log("a", "a"), "a is 2 entries", id="an entry twice"),
        pytest.param([A, A], log("a"), "a was called 2 times", id="a key that is used twice"),
        pytest.param([A, write_op("b", 1, 11, 20)], log("b", "a"), "the log has it as 2", id="numbers mixed up"),
        pytest.param(
            [write_op("a", 2, 0, 10), write_op("b", 1, 11, 20)],
            log("b", "a"),
            "b (wrote entry 1) comes too late",
            id="reordered against time",
        ),
        pytest.param([A, read_op("r", "", 0, 11, 12)], log("a"), "r (read entry 0) comes too late", id="a stale read"),
        pytest.param(
            [A, B, read_op("r", "b", 2, 12, 13), read_op("s", "a", 1, 14, 15)],
            log("a", "b"),
            "s (read entry 1)",
            id="a read after a later read",
        ),
        pytest.param(
            [read_op("r", "a", 1, 0, 1), write_op("a", 1, 5, 10)],
            log("a"),
            "a (wrote entry 1) comes too late",
            id="read before it was written",
        ),
        pytest.param(
            [read_op("r", "a", 1, 0, 1), killed_op("a", 5)],
            log("a"),
            "a (wrote entry 1) comes too late",
            id="read before the killed one began",
        ),
        pytest.param(
            [A, read_op("r", "x", 1, 5, 6)], log("a"), "an entry 1 that the log does not have", id="other bytes"
        ),
        pytest.param([read_op("r", "x", 9, 5, 6)], log(), "an entry 9 that the log does not have", id="no such entry"),
        pytest.param(
            [A, saw_op("b", {1}, 5, 9)], log("a", "b"), "b says that it wrote nothing", id="refused, yet there"
        ),
        pytest.param(
            [A, B, saw_op("s", {0}, 11, 12)], log("a", "b"), "s (saw {0}) comes too late", id="refused too late"
        ),
        pytest.param([A, saw_op("s", {7}, 11, 12)], log("a"), "s (saw {7})", id="refused for what never was"),
        pytest.param(
            [A, B, saw_op("s", {2}, 6, 9), saw_op("t", {1}, 10, 19)],
            log("a", "b"),
            "t (saw {1})",
            id="refusals turned round",
        ),
    ],
)
def test_what_cannot_have_happened_is_named(history: list[Operation], entries: list[Written], message: str) -> None:
    assert any(message in line for line in find_violations(history, entries))


def test_entries_from_before_are_of_nobody_here() -> None:
    entries = log("x", "y", "a")
    assert find_violations([write_op("a", 3, 0, 1)], entries, initial=2) == []
    assert find_violations([write_op("a", 3, 0, 1)], entries) != []
    assert find_violations([write_op("a", 3, 2, 3), read_op("r", "x", 1, 0, 1)], entries, initial=2) != []


def in_some_order(history: Sequence[Operation], entries: Sequence[Written]) -> bool:
    """By trying every order, and every subset of those without an answer."""
    answered = [operation for operation in history if operation.answer is not None]
    unanswered = [operation for operation in history if operation.answer is None]
    for count in range(len(unanswered) + 1):
        for happened in itertools.combinations(unanswered, count):
            for order in itertools.permutations([*answered, *happened]):
                if _in_time(order) and _replays(order, entries):
                    return True
    return False


def _in_time(order: Sequence[Operation]) -> bool:
    return all(
        later.ended is None or later.ended >= earlier.began
        for index, earlier in enumerate(order)
        for later in order[index + 1 :]
    )


def _replays(order: Sequence[Operation], entries: Sequence[Written]) -> bool:
    length = 0
    for operation in order:
        match operation.answer:
            case Read(seq, digest):
                right = seq == length and entries[seq].digest == digest
            case Saw(_, holds):
                right = holds(entries[length].state)
            case answer:
                length += 1
                right = length < len(entries) and entries[length].key == operation.key
                right = right and (answer is None or answer.seq == length)
        if not right:
            return False
    return length == len(entries) - 1


def test_it_agrees_with_trying_every_order() -> None:
    rng = random.Random(7)
    agreed = {True: 0, False: 0}
    for _ in range(1500):
        keys = ["a", "b", "c"][: rng.randint(1, 3)]
        entries = log(*rng.sample(keys, rng.randint(0, len(keys))))
        times = rng.sample(range(40), 12)

        def span() -> tuple[int, int]:
            first, second = times.pop(), times.pop()  # noqa: B023 (used before the next turn)
            return min(first, second), max(first, second)

        history = []
        for key in keys:
            seq = next((seq for seq, entry in enumerate(entries) if entry.key == key), 0)
            history.append(killed_op(key, span()[0]) if rng.random() < 0.25 or not seq else write_op(key, seq, *span()))
        for key in "rst"[: rng.randint(0, 3)]:
            seq = rng.randrange(len(entries))
            versions = set(rng.sample(range(len(entries)), rng.randint(1, len(entries))))
            history.append(
                saw_op(key, versions, *span()) if rng.random() < 0.5 else read_op(key, entries[seq].key, seq, *span())
            )
        possible = in_some_order(history, entries)
        assert (find_violations(history, entries) == []) == possible, (history, entries)
        agreed[possible] += 1
    assert min(agreed.values()) > 200
