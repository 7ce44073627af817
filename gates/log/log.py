"""Reading the head and appending to it. Whoever creates entry n wins; there is no other commit point."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from gates.errors import ConflictError, LogError, SigningError
from gates.log import replay
from gates.log.entry import Entry, path
from gates.log.events import Waived
from gates.log.signing import Keyring, Signer
from gates.state import State

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from gates.log.events import Event

_HINT = "head.json"


class Log:
    """A project's promotion log under `log/` of an object store.

    Entry n is the object `log/0000000n.json`. Entries have no gaps, so the last one is found without listing: by
    doubling and halving, from where `head.json` says it was. That file is a hint that nothing rests on: it lies
    outside of `log/`, may be behind, gone or wrong, and then costs look-ups, about 2·log2(n).
    Every entry that is read is checked: its number, its project, and its signature where `keyring` holds a judge's key.
    """

    def __init__(
        self, store: ObjectStore, *, project: str, keyring: Keyring | None = None, signer: Signer | None = None
    ) -> None:
        self.store = store
        self.project = project
        self.keyring = keyring or Keyring()
        self._signer = signer

    @property
    def signer(self) -> Signer | None:
        """Who signs what is appended."""
        return self._signer

    def head(self) -> Entry | None:
        """The last entry; None while the log is empty."""
        hint = self._hinted()
        last = hint if hint and self._exists(hint) else 0
        step = 1
        while self._exists(last + step):
            last, step = last + step, step * 2
        while step > 1:
            step //= 2
            if self._exists(last + step):
                last += step
        if last > hint:
            self._hint(last)
        return self.entry(last) if last else None

    def state(self) -> State:
        """The state after the last entry; the empty state while there is none."""
        head = self.head()
        return head.state if head else State()

    def entry(self, seq: int) -> Entry:
        """Entry `seq`. Raises LogError where it is missing, unreadable, wrongly signed, or not of this log."""
        where = path(seq)
        found = Entry.from_bytes(self._read(where, seq), where=where)
        if found.seq != seq or found.state.seq != seq:
            raise LogError(f"the entry says it is number {found.seq}", expected=f"number {seq}", where=where)
        if found.project != self.project:
            raise LogError(
                f"the entry is of project {found.project!r}", expected=f"project {self.project!r}", where=where
            )
        self._check_signature(found)
        return found

    def entries(self) -> Iterator[Entry]:
        """Every entry, first to last, each checked against its predecessor."""
        before: Entry | None = None
        head = self.head()
        for seq in range(1, (head.seq if head else 0) + 1):
            found = self.entry(seq)
            _check_follows(found, before)
            before = found
            yield found

    def backwards(self, *, start: Entry | None = None) -> Iterator[Entry]:
        """Every entry from `start`, or the head, to the first, each checked against its successor."""
        found = start or self.head()
        while found:
            yield found
            if found.seq == 1:
                return
            earlier = self.entry(found.seq - 1)
            _check_follows(found, earlier)
            found = earlier

    def append(self, event: Event, state: State, *, after: Entry | None, actor: str, now: datetime) -> Entry:
        """Commit an event, and the state after it, as the entry after `after`.

        Raises:
            ConflictError: another writer was faster; read the head again.
            SigningError: the log is signed, and this process has no key that may sign such an event.
            LogError: the store cannot be written, the state is not what the event makes of the one before, or `now`
                lies before the previous entry.
        """
        seq = (after.seq if after else 0) + 1
        if state.seq != seq:
            raise LogError(f"the decision was made for entry {state.seq}", expected=f"entry {seq}")
        if after and now < after.time:
            raise LogError(
                f"the entry would be dated {now.isoformat()}, before its predecessor",
                expected=f"{after.time.isoformat()} or later",
                hint="set this machine's clock",
            )
        if after is None:
            self._check_store()
        unsigned = Entry(
            log_id=after.log_id if after else secrets.token_hex(16),
            project=self.project,
            seq=seq,
            previous=after.digest if after else None,
            time=now,
            actor=actor,
            event=event,
            state=state,
        )
        replay.check(unsigned, after.state if after else State(salt=state.salt))
        entry = self._signed(unsigned)
        blob = entry.to_bytes()
        try:
            self.store.put(path(seq), blob, mode="create")
        except AlreadyExistsError as err:
            if not self._holds(seq, blob):  # the store's own retry may find what its first try has written
                raise ConflictError(f"entry {seq} of the promotion log was taken by another writer") from err
        except (BaseError, OSError) as err:
            if not self._holds(seq, blob):
                raise unreachable(err) from err
        self._hint(seq)
        return entry

    def _signed(self, entry: Entry) -> Entry:
        roles = entry.event.signed_by
        if self._signer is None:
            if self.keyring.signed or "judge" not in roles:
                raise SigningError(
                    "there is no private key to sign the entry with", expected=f"the key of a {' or '.join(roles)}",
                    hint="set LOCKGATE_SIGNING_KEY, or make a key with `lockgate keys new`",
                )  # fmt: skip
            return entry
        signed = entry.model_copy(update={"signature": self._signer.sign(entry.payload())})
        try:
            self._check_signature(signed)
        except LogError as err:
            raise SigningError(f"this process may not write the entry: {err.problem}", expected=err.expected) from err
        return signed

    def _check_signature(self, entry: Entry) -> None:
        self.keyring.check(
            entry.payload(), entry.signature, roles=entry.event.signed_by, seq=entry.seq, where=entry.where
        )
        signed_by = entry.signature.key if entry.signature else None
        if isinstance(entry.event, Waived) and entry.event.waiver.key != signed_by:
            raise LogError(
                f"the waiver names another key than the one that signed it: {signed_by}",
                expected=entry.event.waiver.key, where=entry.where,
            )  # fmt: skip
        judged = entry.judged
        uses = judged.decision.get("waivers", ()) if judged else ()
        if signed_by and any(isinstance(use, dict) and use.get("key") == signed_by for use in uses):
            raise LogError(
                "the key that signed the judgement signed a waiver that it rests on", expected="two keys",
                where=entry.where,
            )  # fmt: skip

    def _check_store(self) -> None:
        """Before the first entry: a store that lets an object be created twice can keep no log."""
        probe = f"probe/{secrets.token_hex(8)}"
        try:
            self.store.put(probe, b"1", mode="create")
            try:
                self.store.put(probe, b"2", mode="create")
            except AlreadyExistsError:
                return
            finally:
                self.store.delete(probe)
        except (BaseError, OSError) as err:
            raise unreachable(err) from err
        raise LogError(
            "the object store created the same object twice: two promotions could win at once",
            expected="a store that refuses to create what exists (If-None-Match)",
            hint="nothing was promoted; use another store, or a newer server",
        )

    def _read(self, where: str, seq: int) -> bytes:
        try:
            return bytes(self.store.get(where).bytes())
        except FileNotFoundError as err:
            raise LogError(f"the promotion log has no entry {seq}", where=where) from err
        except (BaseError, OSError) as err:
            raise unreachable(err) from err

    def _holds(self, seq: int, blob: bytes) -> bool:
        try:
            return bytes(self.store.get(path(seq)).bytes()) == blob
        except (BaseError, OSError):
            return False

    def _exists(self, seq: int) -> bool:
        try:
            self.store.head(path(seq))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as err:
            raise unreachable(err) from err
        return True

    def _hinted(self) -> int:
        try:
            told = json.loads(bytes(self.store.get(_HINT).bytes()))
        except (BaseError, OSError, ValueError, RecursionError):
            return 0
        seq = told.get("seq") if isinstance(told, dict) else None
        return seq if isinstance(seq, int) and 0 < seq < 10**8 else 0

    def _hint(self, seq: int) -> None:
        try:
            self.store.put(_HINT, json.dumps({"seq": seq}).encode(), mode="overwrite")
        except (BaseError, OSError):
            return  # who may only read finds the head all the same


def _check_follows(entry: Entry, before: Entry | None) -> None:
    if (entry.previous, entry.log_id) != (before and before.digest, before.log_id if before else entry.log_id):
        raise LogError(
            "the chain is broken: the entry does not follow the one before it",
            expected=f"the SHA-256 of entry {entry.seq - 1}",
            where=entry.where,
        )


def unreachable(err: BaseError | OSError) -> LogError:
    """A store's error in one line."""
    return LogError(
        f"the promotion log cannot be reached: {str(err).splitlines()[0][:200]}",
        hint="nothing was promoted; check the datastore that Metaflow is configured with, and run the command again",
    )
