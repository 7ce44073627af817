"""The log: read its head, append the next entry. Whoever creates entry n wins; there is no other commit point."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import rfc8785
from pydantic import ValidationError

from lockgate.gates.errors import ConflictError, LogError, SigningError
from lockgate.gates.evidence.facts import read_part
from lockgate.gates.log import replay
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.gates.log.entry import LogEntry, entry_path
from lockgate.gates.log.events import WaivedEvent
from lockgate.gates.log.objects import LogObjects
from lockgate.gates.log.signing import Keyring, Role, Signer
from lockgate.gates.records.state import State

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from lockgate.gates.log.events import Event
    from lockgate.gates.records.state import Waiver


class Log:
    """A project's promotion log under `log/` of an object store.

    Entry n is the object `log/0000000n.json`. Entries have no gaps, so the last one is found without listing: by
    doubling and halving, from where `head.json` says it was. Nothing depends on that file: it lies outside of `log/`
    and may be old, missing or wrong. Then finding the last entry costs more look-ups, about 2·log2(n).

    Every entry that is read is checked: its number, its project, and its signature if `keyring` has a judge's key.
    The head is also checked against the entries before it, back to one that a judge's key signed. Otherwise an
    approver, who may sign some events, could sign any state along with them, perhaps in two steps. A judge's key
    needs no such check: its holder signs no state that it has not checked.
    """

    def __init__(
        self, store: ObjectStore, *, project: str, keyring: Keyring | None = None, signer: Signer | None = None
    ) -> None:
        self.store = store
        self.project = project
        self.keyring = keyring or Keyring()
        self.signer = signer  # signs what is appended; None: this process only reads, or the log is unsigned
        self._objects = LogObjects(store)

    def head(self) -> LogEntry | None:
        """The last entry; None while the log is empty.

        Raises LogError if it, or its state, does not follow from the entry before it. In a signed log this is checked
        for every entry back to the last one by a judge's key.
        """
        last = self._objects.last_seq()
        return self.load_head_chain(last)[0] if last else None

    def load_head_chain(self, seq: int) -> list[LogEntry]:
        """Entry `seq` as the head, followed by the entries before it that it was checked against, nearest first.

        Raises LogError as `head` does.
        """
        chain = [self.entry(seq)]
        while True:
            entry = chain[-1]
            before = self.entry(entry.seq - 1) if entry.seq > 1 else None
            check_follows(entry, before)
            replay.check_entry(entry, before.state if before else State(salt=entry.state.salt))
            if before is None:
                return chain
            chain.append(before)
            if (
                not self.keyring.requires_signatures
                or self._has_judge_signature(entry)
                or self._has_judge_signature(before)
            ):
                return chain

    def _has_judge_signature(self, entry: LogEntry) -> bool:
        """Whether a judge's key signed the entry. Its holder has checked the head that the entry follows."""
        key = self.keyring.keys.get(entry.signature.key) if entry.signature else None
        return key is not None and key.role == "judge"

    def state(self) -> State:
        """The state after the last entry; the empty state while the log is empty."""
        head = self.head()
        return head.state if head else State()

    def entry(self, seq: int) -> LogEntry:
        """Entry `seq`. Raises LogError if it is missing, unreadable, wrongly signed, or of another log."""
        where = entry_path(seq)
        entry = LogEntry.from_bytes(self._objects.read_entry(seq), where=where)
        if entry.seq != seq or entry.state.seq != seq:
            raise LogError(f"the entry says it is number {entry.seq}", expected=f"number {seq}", where=where)
        if entry.project != self.project:
            raise LogError(
                f"the entry is of project {entry.project[:64]!r}", expected=f"project {self.project!r}", where=where
            )
        self.check_signature(entry)
        return entry

    def entries(self, *, start: int = 1) -> Iterator[LogEntry]:
        """The entries from number `start` to the last. Each but the first is checked to follow the one before."""
        before: LogEntry | None = None
        for seq in range(start, self._objects.last_seq() + 1):
            entry = self.entry(seq)
            if before or seq == 1:
                check_follows(entry, before)
            before = entry
            yield entry

    def backwards(self, *, start: LogEntry | None = None) -> Iterator[LogEntry]:
        """The entries from `start`, or the head, back to the first, each checked against its successor."""
        entry = start or self.head()
        while entry:
            yield entry
            earlier = self.entry(entry.seq - 1) if entry.seq > 1 else None
            check_follows(entry, earlier)
            entry = earlier

    def append(
        self,
        event: Event,
        state: State,
        *,
        after: LogEntry | None,
        actor: str,
        now: datetime,
        before_write: Callable[[], object] | None = None,
    ) -> LogEntry:
        """Commit an event, and the state after it, as the entry after `after`.

        `before_write` stores what the entry refers to. It is called once only the store itself could still refuse the
        entry.

        Raises:
            ConflictError: another writer was faster; read the head again.
            SigningError: the log is signed, and this process has no key that may sign such an event.
            LogError: the store cannot be written, the state does not follow from the event and the previous state,
                `now` is before the previous entry, or the entry is too large to be read back.
        """
        seq = (after.seq if after else 0) + 1
        if state.seq != seq:
            raise LogError(f"the decision was made for entry {state.seq}", expected=f"entry {seq}")
        try:
            unsigned = LogEntry(
                log_id=after.log_id if after else secrets.token_hex(16),
                project=self.project,
                seq=seq,
                previous=after.digest if after else None,
                time=now,
                actor=actor,
                event=event,
                state=state,
            )
        except ValidationError as err:
            raise unrecordable_error(err) from err
        if after and now < after.time:
            raise LogError(
                f"the entry would be dated {now.isoformat()}, before its predecessor",
                expected=f"{after.time.isoformat()} or later",
                hint="set this machine's clock",
            )
        replay.check_entry(unsigned, after.state if after else State(salt=state.salt))
        self._check_approved(unsigned)
        try:
            entry = self._sign_entry(unsigned)
            blob = entry.to_bytes()
        except rfc8785.CanonicalizationError as err:
            raise LogError(f"this cannot be recorded: JSON cannot represent it: {str(err)[:200]}") from err
        self._objects.check_size(seq, blob)
        if after is None:
            self._objects.prove_create_only()
        if before_write is not None:
            before_write()
            report_step(Step.POLICY_KEPT)
        report_step(Step.ENTRY_SIGNED)
        if not self._objects.create(seq, blob):
            raise ConflictError(f"entry {seq} of the promotion log was taken by another writer")
        report_step(Step.ENTRY_CREATED)
        self._objects.write_hint(seq)
        report_step(Step.HINTED)
        return entry

    def check_writable(self, roles: tuple[Role, ...], *, after: LogEntry | None) -> None:
        """Raise what `append` would raise if a key of these roles, or a store that can hold a log, is missing."""
        if self._has_key(roles):
            assert self.signer is not None  # for the type checker
            seq = (after.seq if after else 0) + 1
            try:
                self.keyring.check(b"", self.signer.sign(b""), roles=roles, seq=seq, where=entry_path(seq))
            except LogError as err:
                raise _wrong_key_error(err) from err
        if after is None:
            self._objects.prove_create_only()

    def _has_key(self, roles: tuple[Role, ...]) -> bool:
        if self.signer is None and (self.keyring.requires_signatures or "judge" not in roles):
            raise SigningError(
                "there is no private key to sign the entry with",
                expected=f"the key of a {' or '.join(roles)}",
                hint="set LOCKGATE_SIGNING_KEY, or make a key with `lockgate keys new`",
            )
        return self.signer is not None

    def _sign_entry(self, entry: LogEntry) -> LogEntry:
        if not self._has_key(entry.event.signed_by):
            return entry
        assert self.signer is not None  # for the type checker
        signed = entry.model_copy(update={"signature": self.signer.sign(entry.payload())})
        try:
            self.check_signature(signed)
        except LogError as err:
            raise _wrong_key_error(err) from err
        return signed

    def check_signature(self, entry: LogEntry) -> None:
        """Raise LogError unless the signature is one that the log, or the kind of event, asks for."""
        self.keyring.check(
            entry.payload(), entry.signature, roles=entry.event.signed_by, seq=entry.seq, where=entry.where
        )
        signed_by = entry.signature.key if entry.signature else None
        if isinstance(entry.event, WaivedEvent) and entry.event.waiver.key != signed_by:
            raise LogError(
                f"the waiver names a key other than the one that signed it: {signed_by}",
                expected=entry.event.waiver.key,
                where=entry.where,
            )
        if signed_by and any(waiver.key == signed_by for waiver in _used_waivers(entry)):
            raise LogError(
                "the key that signed the judgement also signed a waiver that it uses",
                expected="two keys",
                where=entry.where,
            )
        granted = (entry.event.waiver,) if isinstance(entry.event, WaivedEvent) else ()
        for waiver in (*granted, *entry.state.waivers):
            self.keyring.check_name(waiver.approver, waiver.key, seq=waiver.seq, where=entry.where)

    def _check_approved(self, entry: LogEntry) -> None:
        """Raise LogError if a judgement uses a waiver whose key no longer counts.

        Only `append` asks this: an entry that was written while the key counted stays readable.
        """
        for waiver in _used_waivers(entry):
            key = self.keyring.keys.get(waiver.key)
            if key is None or not key.may_sign(WaivedEvent.signed_by, seq=waiver.seq):
                raise LogError(
                    f"the judgement uses the waiver of entry {waiver.seq}, whose key is not that of an approver",
                    expected=f"{waiver.key} in conf/platform, with last_entry where it was replaced",
                    hint=f"`lockgate retract --entry {waiver.seq}` withdraws the waiver",
                )


def check_follows(entry: LogEntry, before: LogEntry | None) -> None:
    """Raise LogError unless `entry` comes right after `before`, or, if that is None, begins the log."""
    if (entry.previous, entry.log_id) != (before and before.digest, before.log_id if before else entry.log_id):
        raise LogError(
            "the chain is broken: the entry does not follow the one before it",
            expected=f"the SHA-256 of entry {before.seq}, and its log" if before else "nothing before it",
            where=entry.where,
        )
    if before and entry.time < before.time:
        raise LogError(
            f"the entry is dated {entry.time.isoformat()}, before its predecessor",
            expected=f"{before.time.isoformat()} or later",
            where=entry.where,
        )


def _used_waivers(entry: LogEntry) -> list[Waiver]:
    """The waivers that a judgement used. A sealed judgement does not say: all those that it could have used."""
    if entry.judgement is None:
        return []
    decision = entry.judgement.decision
    binding = read_part(decision, "binding")
    if not binding:
        return []
    subject = (binding.get("run"), binding.get("model"))
    waivers = [
        waiver for waiver in entry.state.waivers if (waiver.run, waiver.model) == subject and entry.time <= waiver.until
    ]
    if decision.get("sealed"):
        return waivers if entry.promotes else []
    uses = decision.get("waivers")
    used = [use for use in uses if isinstance(use, dict) and use.get("status") == "used"] if uses else []
    return [waiver for waiver in waivers if any(use.get("entry") == waiver.seq for use in used)]


def unrecordable_error(err: ValidationError) -> LogError:
    """Why a value cannot be recorded, in one line."""
    first = err.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return LogError(f"this cannot be recorded: {name}: {first['msg'][:200]}")


def _wrong_key_error(err: LogError) -> SigningError:
    return SigningError(f"this process may not write the entry: {err.problem}", expected=err.expected)
