"""Which model may serve now. Every consumer of a champion asks here, and nowhere else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from lockgate.gates.errors import AdmissionError
from lockgate.gates.log import MAX_CLOCK_SKEW, Log, LogEntry, replay
from lockgate.gates.records.state import Champion

_HINT = "the last good predictions stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A head of the log that was trusted before: the one the last published version was made under."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A model that may serve, as of the head of the log."""

    champion: Champion
    head: Seen
    revoked: frozenset[str]  # models, by the SHA-256 of their bytes, that never serve again

    def check(self, model: bytes) -> bytes:
        """`model`, where these are the bytes that were judged. Raises AdmissionError."""
        found = hashlib.sha256(model).hexdigest()
        if found != self.champion.sha256:
            raise AdmissionError(
                f"the model of {self.champion.run} is not what was judged: SHA-256 {found}",
                expected=str(self.champion.sha256),
                hint=f"somebody changed the artifact; it was not loaded, and {_HINT}",
            )
        return model


def admit(log: Log, *, now: datetime, run: str = "", seen: Seen | None = None) -> Admitted:
    """The champion of `log`, or the model of `run` where that reigned and may still serve.

    Checked are the signature of the head and of the entry that promoted the model (where the log is signed), that the
    two are of one log, that the promotion says what the state says (verdict, run, model), that the model was neither
    revoked nor put in doubt, that its promotion has not run out, that the head is not dated after `now`, and that the
    log still holds what was `seen`: every entry since must follow from the one before. `SKEW` is allowed for.

    Raises:
        AdmissionError: nothing may serve; the error says why.
        LogError: the log cannot be read, or an entry is not what it must be.
    """
    head = log.head()
    _check_seen(log, head, seen)
    if head is None or (head.state.champion is None and not run):
        revoked = head is not None and head.state.revoked
        why = "no model reigns: what reigned was revoked, and nothing before it may be served"
        raise AdmissionError(
            why if revoked else "no model has been promoted yet", hint="`make evaluate model=xgb` trains and judges one"
        )
    champion = _chosen(head, run)
    if head.time > now + MAX_CLOCK_SKEW:
        raise AdmissionError(
            f"the last entry of the promotion log is dated {head.time.isoformat(timespec='minutes')}",
            expected=f"{(now + MAX_CLOCK_SKEW).isoformat(timespec='minutes')} at the latest",
            hint=f"set this machine's clock, or the judge's: nobody can say what has expired; {_HINT}",
        )
    if refusal := champion.refusal(now - MAX_CLOCK_SKEW, revoked=head.state.revoked):
        raise AdmissionError(
            refusal, expected="a promotion that is still valid", hint=f"`lockgate reverify`, or evaluate again; {_HINT}"
        )
    _check_promotion(log, head, champion)
    return Admitted(
        champion=champion, head=Seen(seq=head.seq, digest=head.digest), revoked=frozenset(head.state.revoked)
    )


def revoked(log: Log, *, seen: Seen | None = None) -> frozenset[str]:
    """The models, by the SHA-256 of their bytes, that were revoked and never serve again. Raises as `admit` does."""
    head = log.head()
    _check_seen(log, head, seen)
    return frozenset(head.state.revoked) if head else frozenset()


def _chosen(head: LogEntry, run: str) -> Champion:
    champion = head.state.named(run) if run else head.state.champion
    if champion is None:
        known = ", ".join(str(one.run) for one in (head.state.champion, *head.state.predecessors) if one)
        raise AdmissionError(
            f"run {run[:80]!r} was never promoted, or is revoked", expected=f"one of {known or 'none'}", hint=_HINT
        )
    return champion


def _check_seen(log: Log, head: LogEntry | None, seen: Seen | None) -> None:
    if seen is None:
        return
    if head is None or head.seq < seen.seq:
        raise AdmissionError(
            f"the promotion log ends at entry {head.seq if head else 0}, but entry {seen.seq} was seen before",
            expected=f"entry {seen.seq} or a later one",
            hint=f"its tail was deleted, or this is an older copy; {_HINT}",
        )
    if log.entry(seen.seq).digest != seen.digest:
        raise AdmissionError(
            f"entry {seen.seq} of the promotion log is not the one that was seen before",
            expected=f"SHA-256 {seen.digest}",
            hint=f"the log was forked, or another one was put in its place; {_HINT}",
        )
    before: LogEntry | None = None
    for entry in log.entries(start=seen.seq):
        if before:
            replay.check_entry(entry, before.state)
        before = entry


def _check_promotion(log: Log, head: LogEntry, champion: Champion) -> None:
    """Hold the state's champion against the entry that promoted it."""
    entry = head if champion.seq == head.seq else log.entry(champion.seq)
    bound = entry.read_decision().binding if entry.promotes else None
    told = bound and (bound.model, bound.run, entry.log_id)
    if entry.seq > head.seq or told != (champion.sha256, champion.run, head.log_id):
        raise AdmissionError(
            f"entry {champion.seq} did not promote {champion.run}",
            expected=f"its promotion, of the model {champion.sha256}, in the log {head.log_id}",
            where=entry.where,
            hint=f"the head of the log contradicts its history; `lockgate verify` says more; {_HINT}",
        )
