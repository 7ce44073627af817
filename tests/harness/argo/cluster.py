"""What stands for a cluster: S3, a metadata service, events, the pods' Python, and templates that Metaflow compiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hera.workflows.models import WorkflowTemplate

from tests.configuration import ROOT
from tests.harness.argo.pods import WorkflowRun, execute, python_without_the_checkout
from tests.proxy import Proxy, proxied


class _Webhook(BaseHTTPRequestHandler):
    """Takes events as the webhook of Argo Events does, and keeps them."""

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.events.append(event)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and the events that came."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Webhook)
    server.events = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metaflow-event", server.events  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


EVENTS = {
    "METAFLOW_ARGO_EVENTS_EVENT": "metaflow-event",
    "METAFLOW_ARGO_EVENTS_EVENT_BUS": "default",
    "METAFLOW_ARGO_EVENTS_EVENT_SOURCE": "argo-events-webhook",
    "METAFLOW_ARGO_EVENTS_SERVICE_ACCOUNT": "operate-workflow-sa",
    "METAFLOW_ARGO_EVENTS_WEBHOOK_URL": "http://argo-events-webhook:12000/metaflow-event",
}
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where templates are compiled and executed. All requests to S3 go through the proxy."""

    env: Mapping[str, str]  # of whoever deploys
    python: Path  # of the pods
    scratch: Path
    s3: Any
    proxy: Proxy
    events: list[dict[str, Any]]  # that pods published
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)  # of Kubernetes, by name

    def compile_flow(self, flow: str, configs: Mapping[str, str]) -> dict[str, Any]:
        """The WorkflowTemplate of pipelines/FLOW.py in production, checked against Argo's schema."""
        options = [word for name, value in configs.items() for word in ("--config-value", name, value)]
        command = [sys.executable, str(ROOT / "pipelines" / f"{flow}.py"), "--no-pylint", "--quiet", *options]
        creation = self.call([*command, "--production", "argo-workflows", "create", "--only-json"])
        document: dict[str, Any] = json.loads(creation.stdout[creation.stdout.index("{") :])
        WorkflowTemplate.model_validate(document)
        return document

    def call(self, command: Sequence[str], **more: str) -> subprocess.CompletedProcess[str]:
        """A command of whoever deploys; it must succeed."""
        process = subprocess.run(
            command, cwd=self.scratch, env={**self.env, **more}, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process

    def execute(self, template: Mapping[str, Any], **parameters: str) -> WorkflowRun:
        """The workflow, executed pod by pod."""
        node = {name: self.env[name] for name in CREDENTIALS}
        return execute(
            template, python=self.python, node=node, scratch=self.scratch, parameters=parameters, secrets=self.secrets
        )


@contextmanager
def open_cluster(scratch: Path, bucket: Any, metadata_service: str) -> Iterator[Cluster]:
    """A cluster on an empty bucket and a metadata service, as long as this lasts."""
    with proxied(bucket.endpoint) as proxy, webhook() as (address, events):
        env = {
            **bucket.env,
            **EVENTS,
            "PATH": os.environ["PATH"],
            "HOME": str(scratch),
            "LC_ALL": "C.UTF-8",
            "METAFLOW_USER": "ada",
            "METAFLOW_S3_ENDPOINT_URL": proxy.url,
            "METAFLOW_DEFAULT_METADATA": "service",
            "METAFLOW_SERVICE_URL": metadata_service,
            "METAFLOW_ARGO_EVENTS_WEBHOOK_URL": address,
        }
        python = python_without_the_checkout(scratch / "python")
        yield Cluster(env=env, python=python, scratch=scratch, s3=bucket, proxy=proxy, events=events)
