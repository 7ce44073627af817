"""A Redis server: consistent reads, changes that succeed only if nobody else changed anything, and errors in one line.

Reads and most changes are scripts, because a full server refuses MULTI even for reading and deleting. Only changes that
fill the server use MULTI, which writes many rows in two thirds of the time of a script.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lockgate.gates.errors import StoreError

Command = Sequence[Any]
"""The name of a command and its arguments, together fewer than the 8,000 that Lua accepts."""

MAX_ATTEMPTS = 1_000
_RUN = """
local out, at = {}, 2
while at <= #ARGV do
    local last = at + tonumber(ARGV[at])
    out[#out + 1] = redis.call(unpack(ARGV, at + 1, last))
    at = last + 1
end
return out
"""
_ASK = f"#!lua flags=no-writes\n{_RUN}"
_CHANGE = f"#!lua flags=allow-oom\nif (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return false end\n{_RUN}"
_T = TypeVar("_T")


def check_address(url: str) -> str:
    """The address, for pydantic. Raises ValueError, without repeating it, if it is not valid or has a password."""
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None or "password" in parts.query
        is_address = parts.scheme in ("redis", "rediss", "unix") and (parts.port or 1) > 0
    except ValueError:
        has_password, is_address = False, False
    if not is_address:
        raise ValueError("this is not an address of a Redis server; expected one like redis://host:6379/0") from None
    if has_password:
        raise ValueError("it contains a password; expected none, as the password comes from REDISCLI_AUTH")
    return url


class Server:
    """The server at `url`; the password is in the environment, where redis-cli looks for it."""

    def __init__(self, url: str, *, seconds: float, where: str) -> None:
        self._url, self._seconds, self._where = url, seconds, where

    @cached_property
    def client(self) -> Any:
        """The client of redis-py, without retries: after a lost answer it is not known whether the change was made."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return redis.Redis.from_url(
            self._url,
            password=os.environ.get("REDISCLI_AUTH"),
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            retry=Retry(NoBackoff(), 0),
            client_name="lockgate",
            protocol=2,
        )

    def at_once(self, home: str, *commands: Command) -> list[Any]:
        """The answers to these commands, all from one moment. `home` is a key of the project, for clusters."""
        answers: list[Any] = self.client.eval(_ASK, 1, home, "", *_flat(commands))
        return answers

    def change(
        self,
        revision: str,
        work: Callable[[Any], tuple[_T, Sequence[Command]]],
        *,
        fills: bool = False,
        quiet: bool = False,
    ) -> _T:
        """Run the commands that `work` returns, all at one moment, and return its outcome.

        If somebody else has changed the project since `work` began to read, `work` is called again. The key `revision`
        counts changes; a `quiet` change does not count. A change that `fills` the server is refused if the server is
        full or may evict keys.
        """
        with self.errors():
            if fills:
                self._refuse_eviction()
            for _ in range(MAX_ATTEMPTS):
                before = self.client.get(revision) or b""
                try:
                    outcome, commands = work(self.client)
                except StoreError:  # perhaps only because it read half of another change
                    if (self.client.get(revision) or b"") == before:
                        raise
                    continue
                counted = [*commands, *([] if quiet else [("INCR", revision)])]
                do = self._run_transaction if fills or quiet else self._run_script
                if not commands or do(revision, before, counted):
                    return outcome
            raise StoreError("other writers keep changing the prediction store", where=self._where)

    def _run_script(self, revision: str, before: bytes, commands: Sequence[Command]) -> bool:
        """Run the commands in a script, unless the revision has changed; whether they ran."""
        return self.client.eval(_CHANGE, 1, revision, before, *_flat(commands)) is not None

    def _run_transaction(self, revision: str, before: bytes, commands: Sequence[Command]) -> bool:
        """The same in a transaction, which a full server refuses."""
        import redis

        with self.client.pipeline() as pipe:
            pipe.watch(revision)
            if (pipe.get(revision) or b"") != before:
                return False
            pipe.multi()
            for command in commands:
                pipe.execute_command(*command)
            try:
                pipe.execute()
            except redis.WatchError:
                return False
            return True

    def _refuse_eviction(self) -> None:
        policy = self.client.info("memory").get("maxmemory_policy", "unknown")
        if policy.startswith("allkeys") or policy == "unknown":
            raise StoreError(
                f"the server may evict predictions: its maxmemory-policy is {policy}",
                expected="noeviction, or a policy that never evicts keys without a time to live",
                where=self._where,
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn errors of redis-py into a StoreError of one line."""
        import redis

        try:
            yield
        except (redis.RedisError, UnicodeError) as err:  # UnicodeError: text that cannot be encoded
            raise StoreError(f"the prediction store cannot be used: {err}", where=self._where) from err


def _flat(commands: Sequence[Command]) -> list[Any]:
    """The words of all commands, each command preceded by its number of words."""
    return [word for command in commands for word in (len(command), *command)]
