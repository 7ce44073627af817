"""The entries of a log, each checked by itself, against the one before it, and against the policy that it names."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from obstore.exceptions import BaseError

from lockgate.gates.errors import LockgateError, LogError
from lockgate.gates.lifecycle.doubt import PromotionIndex, find_barred
from lockgate.gates.lifecycle.tags import TagBook
from lockgate.gates.log import Log, LogEntry, replay
from lockgate.gates.log import policies as archive
from lockgate.gates.log.entry import entry_path
from lockgate.gates.log.events import JudgedEvent, RetractedEvent, ReverifiedEvent
from lockgate.gates.log.objects import HINT_PATH, MAX_HINT_BYTES, LogObjects, unreachable_error
from lockgate.gates.records.state import State
from lockgate.gates.verification.findings import Findings, PromotionRecord, Subject

MAX_READERS = 16
"""How many entries are read at once. The store's client waits without holding the interpreter's lock."""

_MAX_READ_AHEAD = 4 * MAX_READERS
Progress = Callable[[int, int], None]
"""Called with the number of items that are done, and their total."""


@dataclass(slots=True, kw_only=True)
class LogWalk:
    """What the walk collects for the checks after it. Its size grows with runs and promotions, not with entries."""

    head: LogEntry | None = None
    log_id: str = ""
    book: TagBook = field(default_factory=TagBook)
    promotions: list[PromotionRecord] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)  # of the entries that were asked for
    whole: bool = True  # every entry is there and as it must be


@dataclass(frozen=True, slots=True)
class _ReadEntry:
    """One object of the log. `entry` is None if the object cannot be read as an entry."""

    seq: int
    digest: str
    entry: LogEntry | None
    problems: tuple[tuple[Subject, str], ...]  # of this entry alone


def walk_log(
    log: Log, findings: Findings, *, digests: Collection[int] = (), report_progress: Progress = lambda _, __: None
) -> LogWalk:
    """Read the log from its first entry to its last, and add all that is wrong with it to `findings`.

    It is checked that

    - numbers have no gaps, times ascend, and bytes are canonical;
    - each entry carries the digest of the entry before it, the log's id and the project, and is properly signed;
    - its state follows from its event and the state before it;
    - its decision has the digest that it names, and so has the policy stored beside the log, which the decision binds;
    - a retraction names every promotion that rests on what was retracted.

    Args:
        digests: numbers of entries whose digests the walk should keep.

    Raises LogError if the store cannot be reached.
    """
    seqs, walk = _list_entries(log, findings), LogWalk()
    kept_digests, promotions = frozenset(digests), PromotionIndex()
    before: _ReadEntry | None = None
    for count, current in enumerate(_read_ahead(log, seqs), start=1):
        deviations_before = len(findings.deviations)
        for subject, problem in current.problems:
            findings.add(subject, entry_path(current.seq), problem)
        _check_follows(current, before, walk, findings)
        if current.seq in kept_digests:
            walk.digests[current.seq] = current.digest
        if current.entry:
            walk.book.add(current.entry)
            walk.head = current.entry
            walk.promotions += _list_promotion(current.entry)
            try:
                _check_retraction(current.entry, log, promotions, findings)
                promotions.add(current.entry)
            except LogError as err:  # a decision cannot be read: this entry's, or that of one that a retraction names
                findings.add("log", entry_path(current.seq), _describe(err))
        walk.whole = walk.whole and current.seq == count and deviations_before == len(findings.deviations)
        before = current
        findings.entries = count
        report_progress(count, len(seqs))
    if before and before.entry is None:
        walk.head = None
    _check_hint(log, seqs[-1] if seqs else 0, findings)
    return walk


def _list_entries(log: Log, findings: Findings) -> Sequence[int]:
    """The numbers of the objects under log/, ascending. Gaps and other objects are deviations."""
    seqs: list[int] = []
    try:
        for page in log.store.list("log"):
            for meta in page:
                name = meta["path"]
                number = name.removeprefix("log/").removesuffix(".json")
                if number.isascii() and number.isdigit() and int(number) > 0 and name == entry_path(int(number)):
                    seqs.append(int(number))
                else:
                    findings.add("log", name, "this is not an entry; expected only entries under log/")
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    seqs.sort()
    for last, seq in zip((0, *seqs), seqs, strict=False):
        if seq != last + 1:
            missing = f"entry {last + 1} is" if seq == last + 2 else f"entries {last + 1} to {seq - 1} are"
            findings.add("log", entry_path(last + 1), f"{missing} missing: the log goes on with entry {seq}")
    return seqs


def _read_ahead(log: Log, seqs: Sequence[int]) -> Iterator[_ReadEntry]:
    """The entries in order; several are read at once, and at most `_MAX_READ_AHEAD` are in memory."""
    objects, policies = LogObjects(log.store), dict[str, str]()
    remaining = iter(seqs)
    with ThreadPoolExecutor(MAX_READERS, thread_name_prefix="lockgate-verify") as pool:

        def start_reading(count: int) -> list[Future[_ReadEntry]]:
            return [pool.submit(_read_entry, log, objects, seq, policies) for seq in islice(remaining, count)]

        waiting = deque(start_reading(_MAX_READ_AHEAD))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(start_reading(1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read_entry(log: Log, objects: LogObjects, seq: int, policies: dict[str, str]) -> _ReadEntry:
    """Entry `seq`, with all that is wrong with it alone. Raises LogError if the store cannot be reached."""
    try:
        blob = objects.read_entry(seq)
    except LogError as err:
        if isinstance(err.__cause__, BaseError | OSError) and not isinstance(
            err.__cause__, FileNotFoundError | PermissionError
        ):
            raise
        return _ReadEntry(seq, "", None, (("log", f"it cannot be read: {_describe(err)}"),))
    digest = hashlib.sha256(blob).hexdigest()
    try:
        entry = LogEntry.from_bytes(blob, where=entry_path(seq))
    except LogError as err:
        return _ReadEntry(seq, digest, None, (("log", _describe(err)),))
    problems: list[tuple[Subject, str]] = []
    if (entry.seq, entry.state.seq) != (seq, seq):
        problems.append(("log", f"it says that it is number {entry.seq}, with the state of {entry.state.seq}"))
    if entry.project != log.project:
        problems.append(("log", f"it is of project {entry.project!r}; expected {log.project!r}"))
    try:
        log.check_signature(entry)
    except LockgateError as err:
        problems.append(("log", _describe(err)))
    try:
        _check_policy(log, entry, policies)
    except LockgateError as err:
        problems.append(("policy", _describe(err)))
    return _ReadEntry(seq, digest, entry, tuple(problems))


def _check_policy(log: Log, entry: LogEntry, policies: dict[str, str]) -> None:
    """Raise LockgateError unless the entry's decision, and its stored policy, have the digests that the entry names.

    `policies`: SHA-256 of a stored policy → the digest of what it declares; filled on the way.
    """
    event = entry.event
    if not isinstance(event, JudgedEvent | ReverifiedEvent):
        return
    decision = event.read_decision(entry.state, where=entry.where)
    if decision.sha256 != event.decision_sha256:
        raise LogError(f"its decision has the SHA-256 {decision.sha256}", expected=event.decision_sha256)
    stored = event.policy_sha256
    if stored not in policies:
        policies[stored] = archive.load_policy(log.store, stored).digest
    if policies[stored] != decision.binding.policy:
        raise LogError(
            f"the policy stored as {stored} has the digest {policies[stored]}",
            expected=f"{decision.binding.policy}, which the decision binds",
        )


def _check_follows(current: _ReadEntry, before: _ReadEntry | None, walk: LogWalk, findings: Findings) -> None:
    """Compare an entry with the one before it: digest, log id, time and state."""
    entry, where = current.entry, entry_path(current.seq)
    if entry is None:
        return
    walk.log_id = walk.log_id or entry.log_id
    if entry.log_id != walk.log_id:
        findings.add("log", where, f"it is of the log {entry.log_id}; expected {walk.log_id}, as the entries before it")
    adjacent = before is not None and before.seq == current.seq - 1 and before.digest
    previous = before.digest if before and adjacent else None
    if (adjacent or current.seq == 1) and entry.previous != previous:
        expected = f"the SHA-256 of entry {current.seq - 1}, {previous}" if adjacent else "none, as it is the first"
        findings.add("log", where, f"the chain is broken: it follows {entry.previous}; expected {expected}")
    last = before.entry if before else None
    if last and entry.time < last.time:
        findings.add("log", where, f"it is dated {entry.time.isoformat()}, before entry {last.seq}")
    if current.seq == 1 or (last and adjacent):
        try:
            replay.check_entry(entry, last.state if last else State(salt=entry.state.salt))
        except (LogError, ArithmeticError) as err:
            findings.add("log", where, _describe(err) if isinstance(err, LogError) else "its times cannot be added up")
    else:
        findings.note(f"the state of entry {current.seq} was not compared with the one before it, which cannot be read")


def _check_retraction(entry: LogEntry, log: Log, promotions: PromotionIndex, findings: Findings) -> None:
    """Check that a retraction names the promotions before it that rest on what was retracted, and bars what it must."""
    event = entry.event
    if not isinstance(event, RetractedEvent):
        return
    resting = promotions.find_resting(event.what, event.value)
    if resting != event.suspects:
        expected = f"entries {', '.join(map(str, resting))}" if resting else "none"
        findings.add("log", entry.where, f"it names {event.suspects or 'no promotion'} as suspect; expected {expected}")
    if find_barred(log, event.what, event.value) != event.barred:
        findings.add("log", entry.where, "it bars rows or scores other than those that were wrong")


def _list_promotion(entry: LogEntry) -> list[PromotionRecord]:
    if not entry.promotes:
        return []
    try:
        binding = entry.read_decision().binding
    except LogError:
        return []
    if binding.run is None:
        return []
    return [
        PromotionRecord(
            seq=entry.seq,
            run=binding.run,
            model=binding.model,
            holdout=binding.holdout,
            scores=binding.scores,
            champion_scores=binding.champion_scores,
        )
    ]


def _check_hint(log: Log, last: int, findings: Findings) -> None:
    """Check where the hint says that the log ends. It may be behind, but one that is ahead suggests a deleted tail."""
    try:
        response = log.store.get(HINT_PATH)
        hint = json.loads(bytes(response.bytes())) if response.meta["size"] <= MAX_HINT_BYTES else None
        seq = hint["seq"] if isinstance(hint, dict) and isinstance(hint.get("seq"), int) else None
    except FileNotFoundError:
        return
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    except (ValueError, RecursionError):
        seq = None
    if seq is None:
        problem = "the hint names no entry; nothing depends on it, and the next command rewrites it"
        findings.add("log", HINT_PATH, problem)
    elif seq > last:
        findings.add("log", HINT_PATH, f"the hint names entry {seq}, and the log ends at {last}: was its tail deleted?")


def _describe(err: LockgateError) -> str:
    """The error without its place, which a deviation names itself."""
    expected = f"; expected {err.expected}" if err.expected else ""
    return f"{err.problem}{expected}"
