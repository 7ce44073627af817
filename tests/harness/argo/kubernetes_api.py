"""A Kubernetes API on whatever port is free: the custom objects of Argo, as the real client and Metaflow ask for them.

It holds objects by namespace, kind and name, numbers their versions, refuses a write to an older one, and can be told
to fail at a request: by a status, without an answer, or by an answer that is lost before or after the write.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KUBERNETES_TOKEN = "kubernetes-token"
SLOW_ANSWER_S = 9.0
"""Seconds that a slow answer takes; the tests let a request take a third of it."""

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired"}
WRITES = {"POST", "PUT", "DELETE"}
Name = tuple[str, str, str]  # namespace, plural, name


@dataclass
class Fault:
    """What goes wrong, once, at the next request of this method for objects of this kind."""

    method: str
    plural: str
    failure: int | str  # a status; "slow" or "lost", after the write; "dropped", before it


@dataclass
class State:
    """What the API holds, and what it was asked."""

    objects: dict[Name, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)  # method and address
    faults: list[Fault] = field(default_factory=list)
    token: str = KUBERNETES_TOKEN
    version: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, method: str, plural: str, failure: int | str) -> None:
        self.faults.append(Fault(method, plural, failure))

    def writes(self) -> list[str]:
        """Every write that was asked for, as METHOD plural/name."""
        return [
            f"{method} {url.split('/namespaces/')[1].split('/', 1)[1]}"
            for method, url in self.requests
            if method in WRITES
        ]

    def names(self, plural: str = "") -> list[str]:
        return sorted(name for _, kind, name in self.objects if plural in ("", kind))

    def touch(self, plural: str, name: str, **spec: Any) -> None:
        """Somebody else changes an object."""
        key = next(key for key in self.objects if key[1:] == (plural, name))
        document = copy.deepcopy(self.objects[key])
        document["spec"] |= spec
        self.keep(key, document)

    def keep(self, key: Name, document: dict[str, Any]) -> dict[str, Any]:
        """Store an object as the next version."""
        self.version += 1
        old = self.objects.get(key, {"metadata": {}})["metadata"]
        document["metadata"] |= {
            "namespace": key[0],
            "resourceVersion": str(self.version),
            "uid": old.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": old.get("creationTimestamp") or "2026-01-01T00:00:00Z",
            "generation": old.get("generation", 0) + 1,
            "managedFields": [{"manager": "OpenAPI-Generator", "operation": "Update"}],
        }
        self.objects[key] = document
        return document

    def kubeconfig(self, folder: Path) -> Path:
        file = folder / "kubeconfig.json"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {"token": KUBERNETES_TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        file.write_text(json.dumps(config), encoding="utf-8")
        return file


class RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or head and body of an answer wait for each other

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    @property
    def state(self) -> State:
        return self.server.state

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        url = urlsplit(self.path)
        fault = self._fault(url.path)
        if fault == "dropped":
            self.close_connection = True
            return
        try:
            if isinstance(fault, int):
                raise RefusedError(fault, f"{self.command} is not for you today")
            with self.state.lock:
                status, document = self._handle(url.path, parse_qs(url.query), body)
        except RefusedError as err:
            status = err.status
            document = {
                "kind": "Status",
                "status": "Failure",
                "message": err.message,
                "code": status,
                "reason": REASONS.get(status, "InternalError"),
            }
        if fault == "lost":
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(SLOW_ANSWER_S)
        sent = json.dumps(document).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)
        except ConnectionError:
            assert fault == "slow"

    def _fault(self, path: str) -> int | str | None:
        with self.state.lock:
            self.state.requests.append((self.command, path))
            plural = path.split("/")[6] if path.count("/") >= 6 else ""
            for fault in self.state.faults:
                if (fault.method, fault.plural) == (self.command, plural):
                    self.state.faults.remove(fault)
                    return fault.failure
        return None

    def _handle(self, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.headers.get("Authorization") != f"Bearer {self.state.token}":
            raise RefusedError(401, "Unauthorized")
        parts = path.strip("/").split("/")
        if parts[:4] != ["apis", "argoproj.io", "v1alpha1", "namespaces"] or len(parts) not in (6, 7):
            raise RefusedError(404, f"the server could not find the requested resource {path}")
        key = (parts[4], parts[5], parts[6] if len(parts) == 7 else "")
        current = self.state.objects.get(key)
        if key[2] and current is None:
            raise RefusedError(404, f'{key[1]}.argoproj.io "{key[2]}" not found')
        if self.command == "GET":
            return 200, current or self._list_objects(key, query)
        if self.command == "DELETE":
            del self.state.objects[key]
            return 200, {"kind": "Status", "status": "Success", "details": {"name": key[2]}}
        metadata = body["metadata"]
        if self.command == "POST":
            name = metadata.setdefault("name", f"{metadata.get('generateName', '')}{uuid.uuid4().hex[:5]}")
            if metadata.get("namespace", key[0]) != key[0]:
                raise RefusedError(400, "the namespace of the object does not match the namespace on the request")
            if (*key[:2], name) in self.state.objects:
                raise RefusedError(409, f'{key[1]}.argoproj.io "{name}" already exists')
            return 201, self.state.keep((*key[:2], name), body)
        assert current is not None
        if not metadata.get("resourceVersion"):
            raise RefusedError(422, "metadata.resourceVersion: must be specified for an update")
        if metadata["resourceVersion"] != current["metadata"]["resourceVersion"]:
            raise RefusedError(409, "the object has been modified; please apply your changes to the latest version")
        return 200, self.state.keep(key, body)

    def _list_objects(self, key: Name, query: dict[str, list[str]]) -> dict[str, Any]:
        documents = [document for name, document in sorted(self.state.objects.items()) if name[:2] == key[:2]]
        limit, start = int(query.get("limit", ["500"])[0]), int(query.get("continue", ["0"])[0])
        more = {"continue": str(start + limit)} if start + limit < len(documents) else {}
        return {"kind": "List", "items": documents[start : start + limit], "metadata": more}


@contextmanager
def serve_kubernetes() -> Iterator[State]:
    """An empty API, for as long as the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.state = State(url=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.state
        server.shutdown()
        thread.join()
