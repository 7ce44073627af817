"""The entries of a log, each held against itself, against the one before it, and against the policy it names."""

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
from lockgate.gates.verification.findings import Findings, PromotionRecord

MAX_READERS = 16
"""Entries that are read at once; the store's client waits without holding the interpreter."""

_MAX_READ_AHEAD = 4 * MAX_READERS
Progress = Callable[[int, int], None]
"""Is told how many of how many entries are done."""


@dataclass(slots=True, kw_only=True)
class LogWalk:
    """What the walk leaves for the checks after it. Its size goes with runs and promotions, not with entries."""

    head: LogEntry | None = None
    log_id: str = ""
    book: TagBook = field(default_factory=TagBook)
    promotions: list[PromotionRecord] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)  # of the entries that were asked for
    whole: bool = True  # whether every entry is there and as it must be


@dataclass(frozen=True, slots=True)
class _ReadEntry:
    """One entry as it lies in the store; None where it is none."""

    seq: int
    digest: str
    entry: LogEntry | None
    wrong: tuple[tuple[str, str], ...]  # (what it is about, in words)


def walk_log(
    log: Log, findings: Findings, *, digests: Collection[int] = (), report_progress: Progress = lambda _, __: None
) -> LogWalk:
    """Read the log from its first entry to its last and find what is wrong with it.

    Numbers are dense, bytes canonical, times ascend, each entry carries the digest of the one before and the log's id,
    is of this project and signed by who may, its state is what its event makes of the one before, its decision has
    the digest that it says, and the policy kept beside the log is the one that it names and the decision binds. A
    retraction names every promotion that rests on what was wrong.

    Raises LogError where the store cannot be reached.
    """
    seqs, held = _list_entries(log, findings), LogWalk()
    wanted, made = frozenset(digests), PromotionIndex()
    before: _ReadEntry | None = None
    for done, read in enumerate(_read_ahead(log, seqs), start=1):
        found = len(findings.deviations)
        for about, said in read.wrong:
            findings.add("policy" if about == "policy" else "log", entry_path(read.seq), said)
        _check_follows(read, before, held, findings)
        if read.seq in wanted:
            held.digests[read.seq] = read.digest
        if read.entry:
            held.book.see(read.entry)
            held.head = read.entry
            held.promotions += _promotion(read.entry)
            try:
                _check_retraction(read.entry, log, made, findings)
                made.see(read.entry)
            except LogError as err:  # of an entry that is found wrong already, or of one that a retraction names
                findings.add("log", entry_path(read.seq), _describe(err))
        held.whole = held.whole and read.seq == done and found == len(findings.deviations)
        before = read
        findings.entries = done
        report_progress(done, len(seqs))
    if before and before.entry is None:
        held.head = None
    _check_hint(log, seqs[-1] if seqs else 0, findings)
    return held


def _list_entries(log: Log, findings: Findings) -> Sequence[int]:
    """The numbers of the objects under log/, ascending. Gaps and what is no entry are deviations."""
    seqs: list[int] = []
    try:
        for page in log.store.list("log"):
            for one in page:
                name = one["path"]
                number = name.removeprefix("log/").removesuffix(".json")
                if number.isascii() and number.isdigit() and int(number) > 0 and name == entry_path(int(number)):
                    seqs.append(int(number))
                else:
                    findings.add("log", name, "this is no entry; expected nothing under log/ but entries")
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    seqs.sort()
    for last, seq in zip((0, *seqs), seqs, strict=False):
        if seq != last + 1:
            gone = f"entry {last + 1} is" if seq == last + 2 else f"entries {last + 1} to {seq - 1} are"
            findings.add("log", entry_path(last + 1), f"{gone} missing: the log goes on with entry {seq}")
    return seqs


def _read_ahead(log: Log, seqs: Sequence[int]) -> Iterator[_ReadEntry]:
    """The entries in order, several of them read at once and no more than `_MAX_READ_AHEAD` in memory."""
    objects, policies = LogObjects(log.store), dict[str, str]()
    left = iter(seqs)
    with ThreadPoolExecutor(MAX_READERS, thread_name_prefix="lockgate-verify") as pool:

        def begun(count: int) -> list[Future[_ReadEntry]]:
            return [pool.submit(_read_entry, log, objects, seq, policies) for seq in islice(left, count)]

        waiting = deque(begun(_MAX_READ_AHEAD))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(begun(1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read_entry(log: Log, objects: LogObjects, seq: int, policies: dict[str, str]) -> _ReadEntry:
    """Entry `seq`, with all that is wrong with it alone. Raises LogError where the store cannot be reached."""
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
    wrong: list[tuple[str, str]] = []
    if (entry.seq, entry.state.seq) != (seq, seq):
        wrong.append(("log", f"it says that it is number {entry.seq}, with the state of {entry.state.seq}"))
    if entry.project != log.project:
        wrong.append(("log", f"it is of project {entry.project!r}; expected {log.project!r}"))
    for about, check in (("log", log.check_signature), ("policy", lambda one: _check_policy(log, one, policies))):
        try:
            check(entry)
        except LockgateError as err:
            wrong.append((about, _describe(err)))
    return _ReadEntry(seq, digest, entry, tuple(wrong))


def _check_policy(log: Log, entry: LogEntry, policies: dict[str, str]) -> None:
    """Raise LockgateError unless the entry's decision, and the policy kept for it, have the digests that it says."""
    event = entry.event
    if not isinstance(event, JudgedEvent | ReverifiedEvent):
        return
    decision = event.read_decision(entry.state, where=entry.where)
    if decision.sha256 != event.decision_sha256:
        raise LogError(f"its decision has the SHA-256 {decision.sha256}", expected=event.decision_sha256)
    kept = event.policy_sha256
    if kept not in policies:
        try:
            policies[kept] = archive.load_policy(log.store, kept).digest
        except (ValueError, RecursionError) as err:
            raise LogError(f"the policy kept as {kept} is not JSON") from err
    if policies[kept] != decision.binding.policy:
        raise LogError(
            f"the policy kept as {kept} has the digest {policies[kept]}",
            expected=f"{decision.binding.policy}, which the decision binds",
        )


def _check_follows(read: _ReadEntry, before: _ReadEntry | None, held: LogWalk, findings: Findings) -> None:
    """Hold an entry against the one before it: digest, log id, time, state."""
    entry, where = read.entry, entry_path(read.seq)
    if entry is None:
        return
    held.log_id = held.log_id or entry.log_id
    if entry.log_id != held.log_id:
        findings.add("log", where, f"it is of the log {entry.log_id}; expected {held.log_id}, as the entries before it")
    known = before is not None and before.seq == read.seq - 1 and before.digest
    previous = before.digest if before and known else None
    if (known or read.seq == 1) and entry.previous != previous:
        expected = f"the SHA-256 of entry {read.seq - 1}, {previous}" if known else "none, as it is the first"
        findings.add("log", where, f"the chain is broken: it follows {entry.previous}; expected {expected}")
    last = before.entry if before else None
    if last and entry.time < last.time:
        findings.add("log", where, f"it is dated {entry.time.isoformat()}, before entry {last.seq}")
    if read.seq == 1 or (last and known):
        try:
            replay.check_entry(entry, last.state if last else State(salt=entry.state.salt))
        except (LogError, ArithmeticError) as err:
            findings.add("log", where, _describe(err) if isinstance(err, LogError) else "its times cannot be added up")
    else:
        findings.note(f"the state of entry {read.seq} was not held against the one before it, which cannot be read")


def _check_retraction(entry: LogEntry, log: Log, made: PromotionIndex, findings: Findings) -> None:
    """Hold what a retraction says against the promotions before it."""
    event = entry.event
    if not isinstance(event, RetractedEvent):
        return
    resting = made.resting(event.what, event.value)
    if resting != event.suspects:
        expected = f"entries {', '.join(map(str, resting))}" if resting else "none"
        findings.add("log", entry.where, f"it names {event.suspects or 'no promotion'} as suspect; expected {expected}")
    if find_barred(log, event.what, event.value) != event.barred:
        findings.add("log", entry.where, "it bars other rows or scores than those of what was wrong")


def _promotion(entry: LogEntry) -> list[PromotionRecord]:
    if not entry.promotes:
        return []
    try:
        bound = entry.read_decision().binding
    except LogError:
        return []
    if bound.run is None:
        return []
    return [
        PromotionRecord(
            seq=entry.seq,
            run=bound.run,
            model=bound.model,
            holdout=bound.holdout,
            scores=bound.scores,
            champion_scores=bound.champion_scores,
        )
    ]


def _check_hint(log: Log, last: int, findings: Findings) -> None:
    """What outside of the log says where it ends: a hint that is behind is nothing, one that is ahead is."""
    try:
        found = log.store.get(HINT_PATH)
        told = json.loads(bytes(found.bytes())) if found.meta["size"] <= MAX_HINT_BYTES else None
        seq = told["seq"] if isinstance(told, dict) and isinstance(told.get("seq"), int) else None
    except FileNotFoundError:
        return
    except (BaseError, OSError) as err:
        raise unreachable_error(err) from err
    except (ValueError, RecursionError):
        seq = None
    if seq is None:
        findings.add("log", HINT_PATH, "the hint names no entry; nothing rests on it, the next command writes it anew")
    elif seq > last:
        findings.add("log", HINT_PATH, f"the hint names entry {seq}, and the log ends at {last}: was its tail deleted?")


def _describe(err: LockgateError) -> str:
    """Without the place, which a deviation names itself."""
    expected = f"; expected {err.expected}" if err.expected else ""
    return f"{err.problem}{expected}"
