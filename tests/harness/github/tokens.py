"""Who a job may prove to be: identity tokens by OpenID Connect, as GitHub hands them to jobs with `id-token: write`."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Identities:
    """Jobs' request tokens, and what was handed out for them."""

    url: str = ""
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)  # request token -> what it may claim
    issued: dict[str, dict[str, Any]] = field(default_factory=dict)  # identity token -> its claims, with audience

    def allow_job(self, **claims: Any) -> dict[str, str]:
        """The environment of a job that may ask."""
        token = f"request-{secrets.token_hex(8)}"
        self.claims[token] = claims
        return {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": token, "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/?api-version=2.0"}


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        identities: Identities = self.server.identities  # type: ignore[attr-defined]
        asker = self.headers.get("Authorization", "").removeprefix("Bearer ")
        claims = identities.claims.get(asker)
        document: dict[str, Any] = {}
        if claims is not None:
            token = f"identity-{secrets.token_hex(8)}"
            identities.issued[token] = {**claims, "aud": parse_qs(urlsplit(self.path).query)["audience"][0]}
            document = {"value": token}
        self.send_response(200 if document else 401)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@contextmanager
def issuing() -> Iterator[Identities]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.identities = Identities(url=f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.identities  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
