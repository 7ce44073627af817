"""Which model may serve now. Every consumer of a champion asks here, and nowhere else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from lockgate.gates.durations import MAX_CLOCK_SKEW, shift_time
from lockgate.gates.errors import AdmissionError
from lockgate.gates.log import Log, LogEntry, replay
from lockgate.gates.records.state import Champion

_PREDICTIONS_STAY = "the last good predictions stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedHead:
    """A head of the log that was trusted before: the last published version of predictions was made under it."""

    seq: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A model that may serve, as of the head of the log."""

    champion: Champion
    head: TrustedHead
    revoked: frozenset[str]  # models, by the SHA-256 of their bytes, that never serve again

    def check(self, model: bytes) -> bytes:
        """Return `model` if these are the bytes that were judged. Raises AdmissionError otherwise."""
        digest = hashlib.sha256(model).hexdigest()
        if digest != self.champion.sha256:
            raise AdmissionError(
                f"the model of {self.champion.run} is not what was judged: SHA-256 {digest}",
                expected=str(self.champion.sha256),
                hint=f"somebody changed the artifact; it was not loaded, and {_PREDICTIONS_STAY}",
            )
        return model


def admit(log: Log, *, now: datetime, run: str = "", trusted_head: TrustedHead | None = None) -> Admission:
    """The champion of `log`, or the model of `run` if that reigned and may still serve.

    It is checked that

    - the head, and the entry that promoted the model, are properly signed (if the log is signed) and of one log,
    - the promotion agrees with the state: verdict, run and model,
    - the model was neither revoked nor put in doubt, and its promotion has not expired,
    - the head is not dated after `now`,
    - the log still holds `trusted_head`, and every entry since follows from the one before it.

    Times may be off by `MAX_CLOCK_SKEW`.

    Raises:
        AdmissionError: nothing may serve; the error says why.
        LogError: the log cannot be read, or an entry is not what it must be.
    """
    head = log.head()
    _check_trusted_head(log, head, trusted_head)
    if head is None or (head.state.champion is None and not run):
        raise AdmissionError(
            "no model reigns: the champion was revoked, and no model before it may be served"
            if head is not None and head.state.revoked
            else "no model has been promoted yet",
            hint="`make evaluate model=xgb` trains and judges one; `lockgate judge FLOW/ID` judges another run",
        )
    champion = _find_champion(head, run)
    if head.time > (latest := shift_time(now, MAX_CLOCK_SKEW)):
        raise AdmissionError(
            f"the last entry of the promotion log is dated {head.time.isoformat(timespec='minutes')}",
            expected=f"{latest.isoformat(timespec='minutes')} at the latest",
            hint=f"set this machine's clock, or the judge's, as nobody knows what has expired; {_PREDICTIONS_STAY}",
        )
    if refusal := champion.refusal(shift_time(now, -MAX_CLOCK_SKEW), revoked=head.state.revoked):
        raise AdmissionError(
            refusal,
            expected="a promotion that is still valid",
            hint=f"`lockgate reverify`, or evaluate again; {_PREDICTIONS_STAY}",
        )
    _check_promotion(log, head, champion)
    return Admission(
        champion=champion, head=TrustedHead(seq=head.seq, digest=head.digest), revoked=frozenset(head.state.revoked)
    )


def load_revoked_models(log: Log, *, trusted_head: TrustedHead | None = None) -> frozenset[str]:
    """The models that were revoked and never serve again, by the SHA-256 of their bytes. Raises as `admit` does."""
    head = log.head()
    _check_trusted_head(log, head, trusted_head)
    return frozenset(head.state.revoked) if head else frozenset()


def _find_champion(head: LogEntry, run: str) -> Champion:
    champion = head.state.find_champion(run) if run else head.state.champion
    if champion is None:
        champions = (head.state.champion, *head.state.predecessors)
        runs = ", ".join(str(candidate.run) for candidate in champions if candidate)
        raise AdmissionError(
            f"run {run[:80]!r} was never promoted, or is revoked",
            expected=f"one of {runs or 'none'}",
            hint=_PREDICTIONS_STAY,
        )
    return champion


def _check_trusted_head(log: Log, head: LogEntry | None, trusted_head: TrustedHead | None) -> None:
    if trusted_head is None:
        return
    if head is None or head.seq < trusted_head.seq:
        raise AdmissionError(
            f"the promotion log ends at entry {head.seq if head else 0}, but entry {trusted_head.seq} was seen before",
            expected=f"entry {trusted_head.seq} or a later one",
            hint=f"its tail was deleted, or this is an older copy; {_PREDICTIONS_STAY}",
        )
    if log.entry(trusted_head.seq).digest != trusted_head.digest:
        raise AdmissionError(
            f"entry {trusted_head.seq} of the promotion log is not the one that was seen before",
            expected=f"SHA-256 {trusted_head.digest}",
            hint=f"the log was forked, or another one was put in its place; {_PREDICTIONS_STAY}",
        )
    before: LogEntry | None = None
    for entry in log.entries(start=trusted_head.seq):
        if before:
            replay.check_entry(entry, before.state)
        before = entry


def _check_promotion(log: Log, head: LogEntry, champion: Champion) -> None:
    """Check the state's champion against the entry that promoted it."""
    entry = head if champion.seq == head.seq else log.entry(champion.seq)
    binding = entry.read_decision().binding if entry.promotes else None
    promoted = binding and (binding.model, binding.run, entry.log_id)
    if entry.seq > head.seq or promoted != (champion.sha256, champion.run, head.log_id):
        raise AdmissionError(
            f"entry {champion.seq} did not promote {champion.run}",
            expected=f"its promotion, of the model {champion.sha256}, in the log {head.log_id}",
            where=entry.where,
            hint=f"the head of the log contradicts its history; run `lockgate verify`; {_PREDICTIONS_STAY}",
        )
