"""A Redis server: asked at one moment, changed only where nobody else did meanwhile, and its errors in one line.

Scripts do that, as MULTI is refused by a server that is full, also to who reads or deletes. Only what fills the server
goes by MULTI, which takes many rows in two thirds of a script's time.
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
"""Its name and its arguments, together fewer than the 8,000 that Lua takes."""

TRIES = 1_000
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
T = TypeVar("T")


def address(url: str) -> str:
    """The same, for pydantic. ValueError, which does not repeat it, for one that holds a password or is none."""
    try:
        parts = urlsplit(url)
        given = parts.password is not None or "password" in parts.query
        known = parts.scheme in ("redis", "rediss", "unix") and (parts.port or 1) > 0
    except ValueError:
        given, known = False, False
    if not known:
        raise ValueError("this is no address of Redis; expected one as in redis://host:6379/0") from None
    if given:
        raise ValueError("there is a password in it; expected none: it comes from REDISCLI_AUTH")
    return url


class Server:
    """Where `url` says; the password is in the environment, where redis-cli looks for it."""

    def __init__(self, url: str, *, seconds: float, where: str) -> None:
        self._url, self._seconds, self._where = url, seconds, where

    @cached_property
    def client(self) -> Any:
        """redis-py's. It tries nothing twice: nobody knows what was done of a change whose answer is lost."""
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
        """The answers to these commands, all from one moment. `home` is a key of the same project."""
        answers: list[Any] = self.client.eval(_ASK, 1, home, "", *_flat(commands))
        return answers

    def change(
        self,
        revision: str,
        work: Callable[[Any], tuple[T, Sequence[Command]]],
        *,
        fills: bool = False,
        quiet: bool = False,
    ) -> T:
        """What `work` says, once the commands that it gives were done: all of them, at one moment.

        Where somebody else has changed something since it began to look, it looks again. `revision` is the key that
        tells; a `quiet` change does not touch it. One that `fills` the server is refused where that is full, or may
        throw keys away.
        """
        with self.errors():
            if fills:
                self._refuse_eviction()
            for _ in range(TRIES):
                seen = self.client.get(revision) or b""
                try:
                    done, commands = work(self.client)
                except StoreError:  # which may be of what it saw half of
                    if (self.client.get(revision) or b"") == seen:
                        raise
                    continue
                counted = [*commands, *([] if quiet else [("INCR", revision)])]
                do = self._filled if fills or quiet else self._changed
                if not commands or do(revision, seen, counted):
                    return done
            raise StoreError("others change the prediction store all the time", where=self._where)

    def _changed(self, revision: str, seen: bytes, commands: Sequence[Command]) -> bool:
        """Whether the revision still was `seen`, and all was done."""
        return self.client.eval(_CHANGE, 1, revision, seen, *_flat(commands)) is not None

    def _filled(self, revision: str, seen: bytes, commands: Sequence[Command]) -> bool:
        """The same of commands that a server which is full refuses."""
        import redis

        with self.client.pipeline() as pipe:
            pipe.watch(revision)
            if (pipe.get(revision) or b"") != seen:
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
                f"the server may throw predictions away: its maxmemory-policy is {policy}",
                expected="noeviction, or one that spares keys without a time to live",
                where=self._where,
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """redis-py's errors in one line."""
        import redis

        try:
            yield
        except (redis.RedisError, UnicodeError) as err:  # the last: a text that it cannot hold
            raise StoreError(f"the prediction store cannot be used: {err}", where=self._where) from err


def _flat(commands: Sequence[Command]) -> list[Any]:
    """Each command after the number of its words."""
    return [word for command in commands for word in (len(command), *command)]
