"""The objects that make up the log: read, created once, and counted without listing them."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from lockgate.gates.errors import LogError
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.gates.log.durable import create_object, keep_object
from lockgate.gates.log.entry import entry_path

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MAX_ENTRY_BYTES = 32 * 1024**2
"""No entry is larger: a thousand holdouts take less than one megabyte."""

HINT_PATH = "head.json"
MAX_HINT_BYTES = 1024

MAX_ERROR_CHARS = 240
_MAX_ADDRESS_CHARS = 100
_MAX_ENTRIES = 10**8  # a path has room for eight digits
_REQUEST = re.compile(r"Error performing (?P<method>[A-Z]+) (?P<address>[^\s?]+)\S* in .*? - (?P<reason>.+)")


class LogObjects:
    """The log's objects in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._is_proved = False

    def read_entry(self, seq: int) -> bytes:
        """The bytes of entry `seq`, as stored. Raises LogError."""
        where = entry_path(seq)
        try:
            response = self.store.get(where)
            if response.meta["size"] <= MAX_ENTRY_BYTES:
                return bytes(response.bytes())
        except FileNotFoundError as err:
            raise LogError(f"the promotion log has no entry {seq}", where=where) from err
        except (BaseError, OSError) as err:
            raise unreachable_error(err) from err
        raise LogError(
            f"the entry has {response.meta['size']:,} bytes", expected=f"at most {MAX_ENTRY_BYTES:,}", where=where
        )

    def check_size(self, seq: int, blob: bytes) -> None:
        """Raise LogError if `blob` is too large to be read back as entry `seq`: no later entry could be read either."""
        if len(blob) > MAX_ENTRY_BYTES:
            raise LogError(
                f"entry {seq} would have {len(blob):,} bytes",
                expected=f"at most {MAX_ENTRY_BYTES:,}, the most that can be read back",
                where=entry_path(seq),
                hint="nothing was written; have gates cover fewer slices or groups, or shorten the texts",
            )

    def create(self, seq: int, blob: bytes) -> bool:
        """Create entry `seq`: the one commit point. True if `blob` is the entry now, False if another writer's is.

        An entry that is reported here, or by `last_seq`, outlives a power cut. A write whose answer was lost counts as
        ours: the store's retry then finds the object, and its bytes are compared. Raises LogError if the store fails;
        who wrote the entry is then unknown.
        """
        try:
            create_object(self.store, entry_path(seq), blob)
        except AlreadyExistsError as err:
            return self._holds(seq, blob, failure=err)
        except (BaseError, OSError) as err:
            if not self._holds(seq, blob, failure=err):
                raise _unknown_outcome_error(seq, err) from err
        return True

    def last_seq(self) -> int:
        """The number of the last entry; 0 if there is none. Found by doubling and halving from where the hint points.

        The hint is rewritten if it was wrong.
        """
        hint = self._read_hint()
        last = hint if hint and self._exists(hint) else 0
        step = 1
        while self._exists(last + step):
            last, step = last + step, step * 2
            if last >= _MAX_ENTRIES:
                raise LogError(
                    "the object store claims to have every object that it is asked for",
                    expected="a promotion log",
                    hint="something else answers in its place, such as a proxy that asks for a password",
                )
        while step > 1:
            step //= 2
            if self._exists(last + step):
                last += step
        if last:
            self._keep(last)
        if last and last != hint:
            self.write_hint(last)
        return last

    def write_hint(self, seq: int) -> None:
        """Note where to start looking for the last entry. A failure is no error: the hint only saves requests."""
        with suppress(BaseError, OSError):
            self.store.put(HINT_PATH, json.dumps({"seq": seq}).encode(), mode="overwrite")

    def prove_create_only(self) -> None:
        """Raise LogError if the store creates the same object twice: it cannot hold a log, as two writers could win."""
        if self._is_proved:
            return
        probe = f"probe/{secrets.token_hex(8)}"
        try:
            for content in (b"1", b"2"):
                self.store.put(probe, content, mode="create")
                report_step(Step.PROBE_CREATED)
        except AlreadyExistsError:
            self._is_proved = True
            report_step(Step.PROBED)
            return
        except (BaseError, OSError) as err:
            raise unreachable_error(err) from err
        finally:
            with suppress(BaseError, OSError):  # who may not delete leaves one byte behind, which disturbs nobody
                self.store.delete(probe)
        raise LogError(
            "the object store created the same object twice: two promotions could win at once",
            expected="a store that refuses to create what exists (If-None-Match)",
            hint="nothing was promoted; use another store, or a newer server",
        )

    def _keep(self, seq: int) -> None:
        """Have entry `seq`, whose writer may not have synced it yet, outlive a power cut, with all before it."""
        try:
            keep_object(self.store, entry_path(seq))
        except OSError as err:
            raise unreachable_error(err) from err

    def _holds(self, seq: int, blob: bytes, *, failure: BaseError | OSError) -> bool:
        try:
            keep_object(self.store, entry_path(seq))
            return bytes(self.store.get(entry_path(seq)).bytes()) == blob
        except (BaseError, OSError) as err:
            raise _unknown_outcome_error(seq, failure) from err

    def _exists(self, seq: int) -> bool:
        try:
            self.store.head(entry_path(seq))
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as err:
            raise unreachable_error(err) from err
        return True

    def _read_hint(self) -> int:
        try:
            response = self.store.get(HINT_PATH)
            hint = json.loads(bytes(response.bytes())) if response.meta["size"] <= MAX_HINT_BYTES else None
        except (BaseError, OSError, ValueError, RecursionError):
            return 0
        seq = hint.get("seq") if isinstance(hint, dict) else None
        return seq if isinstance(seq, int) and 0 < seq < _MAX_ENTRIES else 0


def unreachable_error(err: BaseError | OSError) -> LogError:
    """A store's error in one line."""
    return LogError(
        f"the promotion log cannot be reached: {describe_store_error(err)}",
        hint="nothing was promoted; check the datastore that Metaflow is configured with, and run the command again",
    )


def _unknown_outcome_error(seq: int, err: BaseError | OSError) -> LogError:
    return LogError(
        f"{unreachable_error(err).problem}; it is unknown whether entry {seq} was written",
        hint="`lockgate history` shows whether it was; if not, run the command again",
    )


def describe_store_error(err: Exception) -> str:
    """A store's error in at most 240 characters, never empty: the server's reason first, then the request.

    obstore's own text begins with the request, whose address may be long, and continues with pages of internals.
    """
    line = next(iter(str(err).splitlines()), "") or repr(err)
    if request := _REQUEST.search(line):
        suffix = f" ({request['method']} {request['address'][:_MAX_ADDRESS_CHARS]})"
        return request["reason"][: MAX_ERROR_CHARS - len(suffix)] + suffix
    return line[:MAX_ERROR_CHARS]
