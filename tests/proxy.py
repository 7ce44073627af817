"""A proxy before a server that hands requests on, but for those that go wrong as a test says."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["refused", "lost", "cut", "slow", "garbage", "shape", "500", "503", "409", "403", "denied", "throttled"]
"""refused: closed before the request is handed on; lost: after; cut: in the middle of the answer's body; slow: never
answered, and not handed on; garbage: an answer that is none of this server's; shape: JSON, and none that it knows; the
numbers: as a server that has trouble; denied and throttled: as DynamoDB says 403 and 503."""

ANSWERS: dict[str, tuple[int, bytes]] = {
    "garbage": (200, b"<html>\x00 not \xff what it says"),
    "shape": (200, b'["neither", 1, "run"]'),
    "500": (500, b"<Error><Code>InternalError</Code></Error>"),
    "503": (503, b"<Error><Code>SlowDown</Code></Error>"),
    "409": (409, b'{"detail": "conflict"}'),
    "403": (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
    "denied": (400, b'{"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "not authorized"}'),
    "throttled": (
        400,
        b'{"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slow"}',
    ),
}
_HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}
_NO_BODY = {204, 304}


@dataclass
class Plan:
    """Of the requests of `method` (empty: any) whose path has `path` in it, those from number `first` on, `times` of
    them, go wrong. Numbers begin at 1 when the plan does."""

    fault: Fault | None
    method: str = ""
    path: str = ""
    first: int = 1
    times: int = 10**6
    seen: list[str] = field(default_factory=list)  # method and path of every such request

    def met(self, method: str, path: str) -> Fault | None:
        """What goes wrong with this request; None for nothing."""
        if self.method not in ("", method) or self.path not in path:
            return None
        self.seen.append(f"{method} {path}")
        return self.fault if self.first <= len(self.seen) < self.first + self.times else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.met(self.command, self.path)
        if fault is None:
            self._answer(*self._upstream(body))
        elif fault == "slow":
            self.server.released.wait()
            self.close_connection = True
        elif fault in ("refused", "lost"):
            if fault == "lost":
                self._upstream(body)
            self._hang_up()
        elif fault == "cut":
            status, content, headers = self._upstream(body)
            whole = content or b"nothing"
            self._answer(status, whole[: len(whole) // 2], headers, promised=len(whole))
            self.wfile.flush()
            self._hang_up()
        else:
            self._answer(*ANSWERS[fault], {})

    do_DELETE = do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = _handle  # noqa: N815 (the library's names)

    def _hang_up(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _upstream(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        position = http.client.HTTPConnection(self.server.upstream, timeout=600)
        passed = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        position.request(self.command, self.path, body, passed)
        answer = position.getresponse()
        content = answer.read()
        position.close()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        if self.command == "HEAD":
            headers["Content-Length"] = answer.getheader("Content-Length", "0")
        return answer.status, content, headers

    def _answer(self, status: int, content: bytes, headers: dict[str, str], *, promised: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status not in _NO_BODY:
            self.send_header("Content-Length", str(len(content) if promised is None else promised))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # the client gave up, or the connection was closed on purpose
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.plans: list[Plan] = []
        self.released = threading.Event()
        self._lock = threading.Lock()

    def met(self, method: str, path: str) -> Fault | None:
        """What goes wrong with this request by the first plan that has something to say of it."""
        with self._lock:
            return next((fault for plan in self.plans if (fault := plan.met(method, path))), None)


@dataclass
class Proxy:
    """Where the proxy listens, and what it is told."""

    server: _Server = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @contextmanager
    def plan(
        self, fault: Fault | None, method: str = "", *, path: str = "", first: int = 1, times: int = 10**6
    ) -> Iterator[Plan]:
        """While this lasts, requests go wrong so."""
        with self._planned(Plan(fault, method, path, first, times)) as (plan,):
            yield plan

    @contextmanager
    def once_each(self, faults: Sequence[Fault], method: str, *, path: str = "") -> Iterator[None]:
        """The next such requests go wrong, one in each way; all of them must come."""
        with self._planned(*(Plan(fault, method, path, times=1) for fault in faults)) as plans:
            yield
        assert all(plan.seen for plan in plans)

    @contextmanager
    def _planned(self, *plans: Plan) -> Iterator[tuple[Plan, ...]]:
        self.server.released.clear()
        self.server.plans[:] = plans
        try:
            yield plans
        finally:
            self.server.plans.clear()
            self.server.released.set()


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    with _Server(urlsplit(upstream).netloc) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield Proxy(server)
        server.released.set()
        server.shutdown()
        thread.join()
