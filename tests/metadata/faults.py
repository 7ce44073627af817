"""A proxy that hands requests on, but for those that go wrong as a test says."""

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

Fault = Literal["reset", "cut", "slow", "garbage", "shape", "500", "503", "409"]
ANSWERS: dict[str, tuple[int, bytes]] = {
    "garbage": (200, b"<html>\x00 not \xff JSON"),
    "shape": (200, b'["neither", 1, "run"]'),
    "500": (500, b"Internal Server Error"),
    "503": (503, b"Service Unavailable"),
    "409": (409, b'{"detail": "conflict"}'),
}


@dataclass
class Plan:
    """What is to go wrong: requests of `method` whose path has `path` in it, the next `times` of them."""

    fault: Fault
    method: str
    path: str = ""
    times: int = 10**6
    met: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.due(self.command, self.path)
        if fault is None:
            self._answer(*self._upstream(body))
        elif fault == "slow":
            self.server.released.wait(30)
            self.close_connection = True
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "cut":
            status, content, headers = self._upstream(body)
            self._answer(status, content[: len(content) // 2], headers, promised=len(content))
            self.close_connection = True
        else:
            self._answer(*ANSWERS[fault], {})

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815 (the library's names)

    def _upstream(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        at = http.client.HTTPConnection(self.server.upstream, timeout=30)
        at.request(self.command, self.path, body, {"Content-Type": "application/json"})
        answer = at.getresponse()
        content = answer.read()
        at.close()
        return answer.status, content, {name: held for name, held in answer.getheaders() if name.startswith("metadata")}

    def _answer(self, status: int, content: bytes, headers: dict[str, str], *, promised: int | None = None) -> None:
        self.send_response(status)
        for name, held in headers.items():
            self.send_header(name, held)
        self.send_header("Content-Length", str(len(content) if promised is None else promised))
        self.end_headers()
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
    upstream: str

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plans: list[Plan] = []
        self.released = threading.Event()
        self._lock = threading.Lock()

    def due(self, method: str, path: str) -> Fault | None:
        """What goes wrong with this request; None for nothing."""
        with self._lock:
            for plan in self.plans:
                if plan.method == method and plan.path in path and plan.met < plan.times:
                    plan.met += 1
                    return plan.fault
        return None


@dataclass
class Proxy:
    """Where the proxy listens, and what it is told."""

    server: _Server = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @contextmanager
    def always(self, fault: Fault, method: str, *, path: str = "") -> Iterator[None]:
        """While this lasts every such request goes wrong."""
        with self._planned([Plan(fault, method, path)]):
            yield

    @contextmanager
    def once_each(self, faults: Sequence[Fault], method: str, *, path: str = "") -> Iterator[None]:
        """The next such requests go wrong, one in each way; all of them must come."""
        plans = [Plan(fault, method, path, times=1) for fault in faults]
        with self._planned(plans):
            yield
        assert [plan.met for plan in plans] == [1] * len(plans)

    @contextmanager
    def _planned(self, plans: list[Plan]) -> Iterator[None]:
        self.server.released.clear()
        self.server.plans[:] = plans
        try:
            yield
        finally:
            self.server.plans.clear()
            self.server.released.set()


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    with _Server() as server:
        server.upstream = urlsplit(upstream).netloc
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield Proxy(server)
        server.released.set()
        server.shutdown()
        thread.join()
