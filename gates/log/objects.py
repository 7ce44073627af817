"""The objects that the log is made of: reading them, finding the last, and proving that none is written twice."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError, BaseError

from lockgate.gates.errors import LogError
from lockgate.gates.log.crash_points import Step, reached
from lockgate.gates.log.entry import path

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MOST = 240
_REQUEST = re.compile(r"Error performing (?P<method>[A-Z]+) (?P<address>[^\s?]+)\S* in .*? - (?P<reason>.+)")
_ADDRESS = 100


def said(err: Exception) -> str:
    """The server's reason before the request, or else what the error says; at most 240 characters, nothing empty.

    obstore's own text begins with the request, whose address may be long, and goes on for pages of its insides.
    """
    line = next(iter(str(err).splitlines()), "") or repr(err)
    if found := _REQUEST.search(line):
        asked = f" ({found['method']} {found['address'][:_ADDRESS]})"
        return found["reason"][: MOST - len(asked)] + asked
    return line[:MOST]


MAX_ENTRY_BYTES = 32 * 1024**2
"""No entry is larger: a thousand holdouts take less than one megabyte."""

_MAX_ENTRIES = 10**8
HINT = "head.json"
MAX_HINT_BYTES = 1024


class Objects:
    """The log's objects in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._proved = False

    def read(self, seq: int) -> bytes:
        """Entry `seq` as it lies there. Raises LogError."""
        where = path(seq)
        try:
            found = self.store.get(where)
            if found.meta["size"] <= MAX_ENTRY_BYTES:
                return bytes(found.bytes())
        except FileNotFoundError as err:
            raise LogError(f"the promotion log has no entry {seq}", where=where) from err
        except (BaseError, OSError) as err:
            raise unreachable(err) from err
        raise LogError(
            f"the entry has {found.meta['size']:,} bytes", expected=f"at most {MAX_ENTRY_BYTES:,}", where=where
        )

    def check_size(self, seq: int, blob: bytes) -> None:
        """Raise LogError where nobody could read `blob` back as entry `seq`, nor any entry after it."""
        if len(blob) > MAX_ENTRY_BYTES:
            raise LogError(
                f"entry {seq} would have {len(blob):,} bytes",
                expected=f"at most {MAX_ENTRY_BYTES:,}, as more are not read back",
                where=path(seq),
                hint="nothing was written; let gates look at fewer slices or groups, or shorten the texts",
            )

    def create(self, seq: int, blob: bytes) -> bool:
        """Whether `blob` is entry `seq` now: the one commit point. False where another writer's is.

        A write whose answer was lost is found again: the store's own retry meets what its first try has written.
        Raises LogError where the store fails; who wrote the entry is then not known.
        """
        try:
            self.store.put(path(seq), blob, mode="create")
        except AlreadyExistsError as err:
            return self._holds(seq, blob, failed=err)
        except (BaseError, OSError) as err:
            if not self._holds(seq, blob, failed=err):
                raise _unknown(seq, err) from err
        return True

    def last(self) -> int:
        """The number of the last entry, 0 where there is none: by doubling and halving from where the hint says."""
        hint = self._hinted()
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
            self.hint(last)
        return last

    def hint(self, seq: int) -> None:
        """Say where to look for the last entry."""
        with suppress(BaseError, OSError):  # who may only read finds it all the same
            self.store.put(HINT, json.dumps({"seq": seq}).encode(), mode="overwrite")

    def prove(self) -> None:
        """Raise LogError where the store lets an object be created twice: such a store can keep no log."""
        if self._proved:
            return
        probe = f"probe/{secrets.token_hex(8)}"
        try:
            for content in (b"1", b"2"):
                self.store.put(probe, content, mode="create")
                reached(Step.PROBE_CREATED)
        except AlreadyExistsError:
            self._proved = True
            reached(Step.PROBED)
            return
        except (BaseError, OSError) as err:
            raise unreachable(err) from err
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
            return bytes(self.store.get(path(seq)).bytes()) == blob
        except (BaseError, OSError) as err:
            raise _unknown(seq, failed) from err

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
            found = self.store.get(HINT)
            told = json.loads(bytes(found.bytes())) if found.meta["size"] <= MAX_HINT_BYTES else None
        except (BaseError, OSError, ValueError, RecursionError):
            return 0
        seq = told.get("seq") if isinstance(told, dict) else None
        return seq if isinstance(seq, int) and 0 < seq < _MAX_ENTRIES else 0


def _unknown(seq: int, err: BaseError | OSError) -> LogError:
    return LogError(
        f"{unreachable(err).problem}; whether entry {seq} was written is not known",
        hint="`lockgate history` says; run the command again where it does not have it",
    )


def unreachable(err: BaseError | OSError) -> LogError:
    """A store's error in one line."""
    return LogError(
        f"the promotion log cannot be reached: {said(err)}",
        hint="nothing was promoted; check the datastore that Metaflow is configured with, and run the command again",
    )
