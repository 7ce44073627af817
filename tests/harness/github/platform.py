"""The platform that a machine user logs in to: its auth server and its API, by name, over TLS, behind a proxy.

The names that promote.yml and deploy.yml spell out exist nowhere; a job's HTTPS goes through a proxy that knows them.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.harness.github.tokens import Identities
from tests.tls import certificate

DOMAIN = "lockgate.outerbounds.example"
HOSTS = (f"auth.{DOMAIN}", f"api.{DOMAIN}")


@dataclass
class Platform:
    """Which jobs may be which machine user, and what such a user's Metaflow is told."""

    identities: Identities
    config: dict[str, str]
    bindings: dict[str, str]  # machine user -> the subject of the identity token that may become it
    pem: Path
    url: str = ""
    users: dict[str, str] = field(default_factory=dict)  # key -> machine user
    requests: list[str] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """What a machine needs to reach it."""
        return {"HTTPS_PROXY": self.url, "NO_PROXY": "127.0.0.1,localhost", "REQUESTS_CA_BUNDLE": str(self.pem)}

    @property
    def users_seen(self) -> set[str]:
        """Machine users that jobs have become."""
        return {name for name in self.users.values() if name in self.bindings}

    def issue(self, user: str) -> str:
        """A key of a user's own."""
        key = f"platform-{secrets.token_hex(8)}"
        self.users[key] = user
        return key

    def answer(self, host: str, path: str, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append(f"{host}{path}")
        if (host, path) == (HOSTS[0], "/generate/service-principal"):
            claims = self.identities.issued.get(key, {})
            name = body.get("servicePrincipalName", "")
            if claims.get("aud") != f"https://{DOMAIN}" or claims.get("sub") != self.bindings.get(name, "nobody"):
                return 403, {"message": "the identity is not bound to this service principal"}
            return 200, {"token": self.issue(name)}
        if (host, path) == (HOSTS[0], "/generate/aws"):
            role = {"token": f"aws-of-{key}", "role_arn": "arn:aws:iam::123456789012:role/task", "region": "us-east-1"}
            return (200, role) if key in self.users else (401, {"message": "no such key"})
        if host == HOSTS[1] and path.startswith("/v1/perimeters/default/metaflowconfigs/"):
            return (200, {"config": self.config}) if key in self.users else (401, {"message": "no such key"})
        return 404, {"message": path}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_CONNECT(self) -> None:
        host = self.path.rsplit(":", 1)[0]
        if host not in HOSTS:
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)  # type: ignore[attr-defined]
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)  # type: ignore[assignment]
        self.host = host
        self.close_connection = False

    def do_GET(self) -> None:
        platform: Platform = self.server.platform  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        host = getattr(self, "host", "")
        status, document = platform.answer(host, self.path.split("?")[0], self.headers.get("x-api-key", ""), body)
        sent = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.connection.close()


@contextmanager
def platform(
    folder: Path, identities: Identities, *, config: dict[str, str], bindings: dict[str, str]
) -> Iterator[Platform]:
    """As long as the block lasts."""
    pem = certificate(folder, *HOSTS)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        service = Platform(identities, config, bindings, pem, url=f"http://127.0.0.1:{server.server_port}")
        server.tls, server.platform = tls, service  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield service
        server.shutdown()
        thread.join()
