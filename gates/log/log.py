"""Reading the head and appending to it. Whoever creates entry n wins; there is no other commit point."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from gates.errors import ConflictError, LogError
from gates.log.entry import Entry
from gates.state import State

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from gates.decision import Decision


class Log:
    """A project's promotion log under `log/` of an object store.

    Entry n is the object `log/0000000n.json`. Entries have no gaps, so the last one is found by doubling and
    halving: about 2·log2(n) look-ups, without listing anything.
    """

    def __init__(self, store: ObjectStore, *, project: str) -> None:
        self._store = store
        self.project = project

    def head(self) -> Entry | None:
        """The last entry; None while the log is empty."""
        last = 0
        step = 1
        while self._exists(last + step):
            last, step = last + step, step * 2
        while step > 1:
            step //= 2
            if self._exists(last + step):
                last += step
        return self.entry(last) if last else None

    def state(self) -> State:
        """The state after the last entry; the empty state while there is none."""
        head = self.head()
        return head.state if head else State()

    def entry(self, seq: int) -> Entry:
        """Entry `seq`. Raises LogError where it is missing, unreadable, or of another project or number."""
        where = _path(seq)
        try:
            blob = bytes(self._store.get(where).bytes())
        except FileNotFoundError as err:
            raise LogError(f"the promotion log has no entry {seq}", where=where) from err
        except (BaseError, OSError) as err:
            raise _unreachable(err) from err
        found = Entry.from_bytes(blob, where=where)
        if found.seq != seq or found.state.seq != seq:
            raise LogError(f"the entry says it is number {found.seq}", expected=f"number {seq}", where=where)
        if found.project != self.project:
            raise LogError(
                f"the entry is of project {found.project!r}", expected=f"project {self.project!r}", where=where
            )
        return found

    def entries(self) -> Iterator[Entry]:
        """Every entry, first to last, each checked against its predecessor."""
        before: Entry | None = None
        head = self.head()
        for seq in range(1, (head.seq if head else 0) + 1):
            found = self.entry(seq)
            if (found.previous, found.log_id) != (before and before.digest, before.log_id if before else found.log_id):
                raise LogError(
                    "the chain is broken: the entry does not follow the one before it",
                    expected=f"the SHA-256 of entry {seq - 1}",
                    where=_path(seq),
                )
            before = found
            yield found

    def append(self, decision: Decision, *, after: Entry | None, actor: str, now: datetime, sealed: bool) -> Entry:
        """Commit a decision as the entry after `after`.

        Raises:
            ConflictError: another writer was faster; read the head again.
            LogError: the store cannot be written, or `now` lies before the previous entry.
        """
        seq = (after.seq if after else 0) + 1
        if decision.state.seq != seq:
            raise LogError(f"the decision was made for entry {decision.state.seq}", expected=f"entry {seq}")
        if after and now < after.time:
            raise LogError(
                f"the entry would be dated {now.isoformat()}, before its predecessor",
                expected=f"{after.time.isoformat()} or later",
                hint="set this machine's clock",
            )
        told = decision.seal() if sealed else decision
        entry = Entry(
            log_id=after.log_id if after else secrets.token_hex(16),
            project=self.project,
            seq=seq,
            previous=after.digest if after else None,
            time=now,
            actor=actor,
            event="judged",
            verdict=told.verdict.value,
            run=decision.binding.run,
            decision=told.model_dump(mode="json", exclude={"state"}),
            decision_sha256=told.sha256,
            state=decision.state,
        )
        try:
            self._store.put(_path(seq), entry.to_bytes(), mode="create")
        except AlreadyExistsError as err:
            raise ConflictError(f"entry {seq} of the promotion log was taken by another writer") from err
        except (BaseError, OSError) as err:
            raise _unreachable(err) from err
        return entry

    def _exists(self, seq: int) -> bool:
        try:
            self._store.head(_path(seq))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as err:
            raise _unreachable(err) from err
        return True


def _path(seq: int) -> str:
    return f"log/{seq:08d}.json"


def _unreachable(err: BaseError | OSError) -> LogError:
    return LogError(
        f"the promotion log cannot be reached: {str(err).splitlines()[0][:200]}",
        hint="nothing was promoted; check the datastore that Metaflow is configured with, and run the command again",
    )
