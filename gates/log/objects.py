"""The objects that the log is made of: reading them, finding the last, and proving that none is written twice."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from lockgate.gates.errors import LogError
from lockgate.gates.log.crash_points import Step, report_step
from lockgate.gates.log.entry import entry_path

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MAX_ERROR_CHARS = 240
_REQUEST = re.compile(r"Error performing (?P<method>[A-Z]+) (?P<address>[^\s?]+)\S* in .*? - (?P<reason>.+)")
_MAX_ADDRESS_CHARS = 100


def describe_store_error(err: Exception) -> str:
    """The server's reason before the request, or else what the error says; at most 240 characters, nothing empty.

    obstore's own text begins with the request, whose address may be long, and goes on for pages of its insides.
    """
    line = next(iter(str(err).splitlines()), "") or repr(err)
    if request := _REQUEST.search(line):
        suffix = f" ({request['method']} {request['address'][:_MAX_ADDRESS_CHARS]})"
        return request["reason"][: MAX_ERROR_CHARS - len(suffix)] + suffix
    return line[:MAX_ERROR_CHARS]


MAX_ENTRY_BYTES = 32 * 1024**2
"""No entry is larger: a thousand holdouts take less than one megabyte."""

_MAX_ENTRIES = 10**8
HINT_PATH = "head.json"
MAX_HINT_BYTES = 1024


class LogObjects:
    """The log's objects in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._proved = False

    def read_entry(self, seq: int) -> bytes:
        """Entry `seq` as it lies there. Raises LogError."""
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
        """Raise LogError where nobody could read `blob` back as entry `seq`, nor any entry after it."""
        if len(blob) > MAX_ENTRY_BYTES:
            raise LogError(
                f"entry {seq} would have {len(blob):,} bytes",
                expected=f"at most {MAX_ENTRY_BYTES:,}, as more are not read back",
                where=entry_path(seq),
                hint="nothing was written; let gates look at fewer slices or groups, or shorten the texts",
            )

    def create(self, seq: int, blob: bytes) -> bool:
        """Whether `blob` is entry `seq` now: the one commit point. False where another writer's is.

        A write whose answer was lost is found again: the store's own retry meets what its first try has written.
        Raises LogError where the store fails; who wrote the entry is then not known.
        """
        try:
            self.store.put(entry_path(seq), blob, mode="create")
        except AlreadyExistsError as err:
            return self._holds(seq, blob, failed=err)
        except (BaseError, OSError) as err:
            if not self._holds(seq, blob, failed=err):
                raise _unknown_outcome_error(seq, err) from err
        return True

    def last_seq(self) -> int:
        """The number of the last entry, 0 where there is none: by doubling and halving from where the hint says."""
        hint = self._read_hint()
        last = hint if hint and self._exists(hint) else 0
        step = 1
        while self._exists(last + step):
            last, step = last + step, step * 2
            if last >= _MAX_ENTRIES:
                raise LogError(
                    "the object store says that it has every object that it is asked for",
                    expected="a promotion log",
                    hint="something else answers in its place, such as a proxy that asks for a password",
                )
        while step > 1:
            step //= 2
            if self._exists(last + step):
                last += step
        if last and last != hint:
            self.write_hint(last)
        return last

    def write_hint(self, seq: int) -> None:
        """Say where to look for the last entry."""
        with suppress(BaseError, OSError):  # who may only read finds it all the same
            self.store.put(HINT_PATH, json.dumps({"seq": seq}).encode(), mode="overwrite")

    def prove_create_only(self) -> None:
        """Raise LogError where the store lets an object be created twice: such a store can keep no log."""
        if self._proved:
            return
        probe = f"probe/{secrets.token_hex(8)}"
        try:
            for content in (b"1", b"2"):
                self.store.put(probe, content, mode="create")
                report_step(Step.PROBE_CREATED)
        except AlreadyExistsError:
            self._proved = True
            report_step(Step.PROBED)
            return
        except (BaseError, OSError) as err:
            raise unreachable_error(err) from err
        finally:
            with suppress(BaseError, OSError):  # who may not delete leaves a byte behind
                self.store.delete(probe)
        raise LogError(
            "the object store created the same object twice: two promotions could win at once",
            expected="a store that refuses to create what exists (If-None-Match)",
            hint="nothing was promoted; use another store, or a newer server",
        )

    def _holds(self, seq: int, blob: bytes, *, failed: BaseError | OSError) -> bool:
        try:
            return bytes(self.store.get(entry_path(seq)).bytes()) == blob
        except (BaseError, OSError) as err:
            raise _unknown_outcome_error(seq, failed) from err

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


def _unknown_outcome_error(seq: int, err: BaseError | OSError) -> LogError:
    return LogError(
        f"{unreachable_error(err).problem}; whether entry {seq} was written is not known",
        hint="`lockgate history` says; run the command again where it does not have it",
    )


def unreachable_error(err: BaseError | OSError) -> LogError:
    """A store's error in one line."""
    return LogError(
        f"the promotion log cannot be reached: {describe_store_error(err)}",
        hint="nothing was promoted; check the datastore that Metaflow is configured with, and run the command again",
    )
