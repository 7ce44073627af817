"""A Kubernetes API on this machine that shows what is deployed and records what is written to it.

Metaflow's `argo-workflows create` talks to it through the real Kubernetes client. So everything that it would deploy
is known without deploying it; `--only-json` would leave out the CronWorkflow and the Sensor.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lockgate.pipelines.deployment.objects import GROUP, PLURALS, VERSION, Document, ObjectKey


@dataclass(slots=True)
class RecordedApi:
    """What the client sees: what was deployed, overlaid with what it wrote itself. None: deleted."""

    deployed: Mapping[ObjectKey, Document]
    written: dict[ObjectKey, Document | None] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)  # unexpected requests

    def get(self, key: ObjectKey) -> Document | None:
        return self.written[key] if key in self.written else self.deployed.get(key)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, recorded: RecordedApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.recorded, self.token = recorded, secrets.token_urlsafe(32)


@contextmanager
def recorder(deployed: Mapping[ObjectKey, Document], *, folder: Path) -> Iterator[tuple[RecordedApi, Path]]:
    """Start the API. Yields the record and a kubeconfig in `folder`, whose token nobody else has."""
    recorded = RecordedApi(deployed)
    server = _Server(recorded)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="lockgate-recorder", daemon=True)
    thread.start()
    try:
        config = folder / "kubeconfig"
        config.touch(mode=0o600)
        config_json = kubeconfig(f"http://127.0.0.1:{server.server_port}", server.token)
        config.write_text(json.dumps(config_json), encoding="utf-8")
        yield recorded, config
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(url: str, token: str) -> dict[str, Any]:
    """A kubeconfig, which may be JSON, for one server and one bearer token."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "here", "user": {"token": token}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
    }


def key_of(path: str) -> ObjectKey | None:
    """The object that a URL path names, without a name if it names a whole kind. None: an unknown kind."""
    parts = path.partition("?")[0].strip("/").split("/")
    recognized = parts[:4] == ["apis", GROUP, VERSION, "namespaces"] and len(parts) in (6, 7)
    if not recognized or parts[5] not in PLURALS.values():
        return None
    return ObjectKey(namespace=parts[4], plural=parts[5], name=parts[6] if len(parts) == 7 else "")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise head and body of an answer wait for each other
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Nothing: stderr belongs to the command."""

    def do_GET(self) -> None:
        key = self._key()
        document = None if key is None else self.server.recorded.get(key)
        self._answer(404 if document is None else 200, document)

    def do_POST(self) -> None:
        key, body = self._key(), self._body()
        if key is not None:
            created = ObjectKey(namespace=key.namespace, plural=key.plural, name=str(body["metadata"]["name"]))
            self.server.recorded.written[created] = body
        self._answer(404 if key is None else 201, body)

    def do_PUT(self) -> None:
        key, body = self._key(), self._body()
        if key is not None:
            self.server.recorded.written[key] = body
        self._answer(404 if key is None else 200, body)

    def do_DELETE(self) -> None:
        self._body()
        key = self._key()
        document = None if key is None else self.server.recorded.get(key)
        if key is not None and document is not None:
            self.server.recorded.written[key] = None
        self._answer(404 if document is None else 200, {"kind": "Status", "status": "Success"})

    def _key(self) -> ObjectKey | None:
        authorization = self.headers.get("Authorization", "").encode()
        authorized = hmac.compare_digest(authorization, f"Bearer {self.server.token}".encode())
        key = key_of(self.path) if authorized else None
        if key is None:
            self.server.recorded.strange.append(f"{self.command} {self.path}")
        return key

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parsed: dict[str, Any] = json.loads(raw) if raw else {}
        return parsed

    def _answer(self, code: int, document: Document | None) -> None:
        missing = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}
        sent = json.dumps(missing if code == 404 else document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)
