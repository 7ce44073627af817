"""MLflow's model registry over HTTP, as far as lockgate asks it: answers have the form that MLflow 3.17.2 gave.

Anything else is refused as MLflow refuses it, so that a request that MLflow would not take fails here too. The tests of
pipelines/promotion/mlflow_index.py run against a real server as well: tests/pipelines/promotion/test_mlflow_index.py.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PREFIX = "/api/2.0/mlflow/"
_FILTER = re.compile(r"name='([^']+)' and tags\.`([^`]+)`='([^']+)'")


class RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.content = status, {"error_code": code, "message": message, "sqlstate": "KAM00"}


class Registry:
    """Registered models: versions with tags, and aliases."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, who asked

    def answer(self, method: str, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        match method, path:
            case "POST", "experiments/create":
                return {"experiment_id": "1"}
            case "POST", "runs/create":
                info = {"run_id": f"{len(self.requests):032x}"}
                return {"run": {"info": {**info, "artifact_uri": f"mlflow-artifacts:/1/{info['run_id']}/artifacts"}}}
            case "POST", "registered-models/create":
                self.models[fields["name"]] = {"versions": {}, "aliases": {}}
                return {"registered_model": {"name": fields["name"], "creation_timestamp": 1796152488176}}
            case "POST", "model-versions/create":
                return self._create_version(fields)
            case "GET", "registered-models/get":
                return {"registered_model": self._describe_model(fields["name"])}
            case "GET", "model-versions/search":
                return self._search(fields["filter"])
            case "POST", "model-versions/set-tag":
                self._find_version(fields["name"], fields["version"])[fields["key"]] = fields["value"]
                return {}
            case "POST", "registered-models/alias":
                self._find_version(fields["name"], fields["version"])
                self._find_model(fields["name"])["aliases"][fields["alias"]] = fields["version"]
                return {}
            case "DELETE", "registered-models/alias":
                self._find_model(fields["name"])["aliases"].pop(fields["alias"], None)
                return {}
        raise RefusedError(404, "ENDPOINT_NOT_FOUND", f"No such endpoint {method} {path}")

    def _create_version(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not fields.get("run_id") or fields["run_id"] not in fields["source"]:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Invalid model version source: '{fields['source']}'.")
        versions = self._find_model(fields["name"])["versions"]
        number = str(len(versions) + 1)
        versions[number] = {tag["key"]: tag["value"] for tag in fields.get("tags", [])}
        return {"model_version": self._describe_version(fields["name"], number)}

    def _find_model(self, name: str) -> dict[str, Any]:
        if name not in self.models:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", f"Registered Model with name={name} not found")
        return self.models[name]

    def _find_version(self, name: str, number: str) -> dict[str, str]:
        versions: dict[str, dict[str, str]] = self._find_model(name)["versions"]
        if number not in versions:
            message = f"Model Version (name={name}, version={number}) not found"
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST", message)
        return versions[number]

    def _search(self, condition: str) -> dict[str, Any]:
        parsed = _FILTER.fullmatch(condition)
        if parsed is None:
            raise RefusedError(400, "INVALID_PARAMETER_VALUE", f"Invalid filter: {condition}")
        name, key, value = parsed.groups()
        versions = self.models.get(name, {"versions": {}})["versions"]
        matching = [self._describe_version(name, number) for number, tags in versions.items() if tags.get(key) == value]
        return {"model_versions": matching} if matching else {}

    def _describe_model(self, name: str) -> dict[str, Any]:
        model = self._find_model(name)
        description = {"name": name, "creation_timestamp": 1796152488176, "last_updated_timestamp": 1796152560426}
        if model["aliases"]:
            description["aliases"] = [
                {"alias": alias, "version": version} for alias, version in model["aliases"].items()
            ]
        return description

    def _describe_version(self, name: str, number: str) -> dict[str, Any]:
        tags = [{"key": key, "value": value} for key, value in self.models[name]["versions"][number].items()]
        description = {"name": name, "version": number, "current_stage": "None", "description": "", "status": "READY"}
        return {**description, "run_link": "", **({"tags": tags} if tags else {})}


@contextmanager
def serve_registry() -> Iterator[tuple[Registry, str]]:
    """A registry without models, and its address."""
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fields = json.loads(body) if body else {key: values[0] for key, values in parse_qs(parts.query).items()}
            path = parts.path.removeprefix(PREFIX)
            registry.requests.append((self.command, path, self.headers.get("Authorization")))
            try:
                status, content = 200, registry.answer(self.command, path, fields)
            except RefusedError as err:
                status, content = err.status, err.content
            blob = json.dumps(content, indent=2).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob)

        do_GET = do_POST = do_DELETE = respond  # noqa: N815 (http.server's)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield registry, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
