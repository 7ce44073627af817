"""On Outerbounds: an environment of its own, in which Predict compiles as it does elsewhere.

What the platform does is asked of it over real HTTPS: its auth server hands out a token, which stands for credentials.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hera.workflows.models import WorkflowTemplate

from tests.argo.conftest import EVENTS
from tests.configuration import ROOT
from tests.tls import certificate


@pytest.fixture
def python(outerbounds: Path) -> str:
    return str(outerbounds / "bin" / "python")


class Auth(BaseHTTPRequestHandler):
    """Who asks gets a token and the role that it stands for."""

    def do_GET(self) -> None:
        credentials = {"token": "t0ken", "role_arn": "arn:aws:iam::123456789012:role/task", "region": "us-east-1"}
        self.send_response(200 if self.path == "/generate/aws" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(credentials).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def platform(tmp_path: Path, s3: Any) -> Iterator[dict[str, str]]:
    """The environment of somebody who is logged in: a configuration at home, and no AWS credentials."""
    pem = certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Auth)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = tmp_path / ".metaflowconfig" / "config.json"
    config.parent.mkdir()
    login = {
        "OBP_AUTH_SERVER": f"127.0.0.1:{server.server_port}",
        "OBP_PERIMETER": "default",
        "OBP_INTEGRATIONS_URL": "https://integrations.perimeter.example",
    }
    config.write_text(json.dumps(login), encoding="utf-8")
    env = {name: value for name, value in s3.env.items() if not name.startswith("AWS_")}
    yield (
        env
        | EVENTS
        | {
            "METAFLOW_USER": "ada",
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "METAFLOW_SERVICE_URL": "http://metadata.perimeter.example",
            "REQUESTS_CA_BUNDLE": str(pem),
            "AWS_ENDPOINT_URL": s3.endpoint,
            "METAFLOW_EXT_HTTP_MAX_RETRIES": "1",
        }
    )
    server.shutdown()
    thread.join()
    server.server_close()


def test_its_metaflow_is_in_the_place_of_the_other(python: str) -> None:
    code = (
        "import outerbounds; from importlib.metadata import packages_distributions as found;"
        " import lockgate.pipelines.cli.main, json; print(json.dumps(sorted(set(found()['metaflow']))))"
    )
    process = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT / "docs")
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == ["ob-metaflow"]


@pytest.mark.nightly
def test_predict_compiles_with_what_conf_platform_says(python: str, platform: dict[str, str], tmp_path: Path) -> None:
    code = (
        "from lockgate.pipelines.settings.settings import compose; "
        "print(compose(['platform=outerbounds']).settings.to_json())"
    )
    settings = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=platform).stdout
    process = subprocess.run(
        [
            python,
            str(ROOT / "pipelines/predict.py"),
            "--no-pylint",
            "--quiet",
            "--config-value",
            "settings",
            settings.strip(),
            "--production",
            "argo-workflows",
            "create",
            "--only-json",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=platform,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    document = json.loads(process.stdout[process.stdout.index("{") :])
    WorkflowTemplate.model_validate(document)
    steps = {template["name"]: template for template in document["spec"]["templates"] if "container" in template}
    assert {"start", "score", "publish", "end"} <= set(steps)
    assert steps["score"]["container"]["resources"]["requests"]["memory"].startswith("8192")
    assert "t0ken" not in process.stdout
