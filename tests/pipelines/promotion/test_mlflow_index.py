"""MLflow's alias follows the log, and an MLflow that is down changes nothing that counts.

The server is tests/harness/mlflow/registry.py, or a real one: in an environment with `pip install mlflow`,

    mlflow server --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./artifacts --port 5977

and here `LOCKGATE_MLFLOW=http://127.0.0.1:5977 make test` or pytest on this file. So run on 1 December 2026, with
MLflow 3.17.2.
"""

from __future__ import annotations

import importlib
import os
import re
import socket
import threading
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from lockgate.gates.errors import LockgateError, SettingsError
from lockgate.gates.lifecycle.actions import revoke
from lockgate.pipelines.promotion import mlflow_index
from lockgate.pipelines.promotion.decide import decide_and_log, mend_tags
from lockgate.pipelines.settings.governance import RegistrySettings, load_registry
from tests.builders import (
    BETTER,
    LENIENT_POLICY,
    clock_at,
    make_evidence,
    new_log,
    promote_model,
    run_of,
    sha_of,
)
from tests.harness.mlflow.registry import Registry, serve_registry
from tests.pipelines.gating.conftest import write_project

REAL_SERVER = "LOCKGATE_MLFLOW"
PROJECT = "orders"  # of the logs that new_log makes


@dataclass(frozen=True)
class Server:
    """A server with a registered model of its own."""

    address: str
    model: str
    imitation: Registry | None

    @property
    def settings(self) -> RegistrySettings:
        return RegistrySettings(registry=self.address, model=self.model)

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        options = {"params": fields} if method == "GET" else {"json": fields}
        answer = requests.request(method, f"{self.address}/api/2.0/mlflow/{path}", timeout=60, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def register(self, sha256: str) -> str:
        """A version whose author says what its bytes are."""
        experiment = self.ask("POST", "experiments/create", name=uuid.uuid4().hex)["experiment_id"]
        run = self.ask("POST", "runs/create", experiment_id=experiment)["run"]["info"]
        tags = [{"key": mlflow_index.SHA256_TAG, "value": sha256}]
        source = f"{run['artifact_uri']}/model"
        fields = {"name": self.model, "source": source, "run_id": run["run_id"], "tags": tags}
        return self.ask("POST", "model-versions/create", **fields)["model_version"]["version"]

    def alias(self) -> str | None:
        model = self.ask("GET", "registered-models/get", name=self.model)["registered_model"]
        return {alias["alias"]: alias["version"] for alias in model.get("aliases", [])}.get("champion")

    def promoted_by(self, entry: int) -> str | None:
        """The version that has the tag with the number of this entry."""
        condition = f"name='{self.model}' and tags.`{mlflow_index.ENTRY_TAG}`='{entry}'"
        answer = self.ask("GET", "model-versions/search", filter=condition)
        return next((version["version"] for version in answer.get("model_versions", [])), None)


@pytest.fixture
def server() -> Iterator[Server]:
    with ExitStack() as stack:
        address = os.environ.get(REAL_SERVER)
        imitation = None
        if not address:
            imitation, address = stack.enter_context(serve_registry())
        server = Server(address=address, model=f"churn {uuid.uuid4().hex[:8]}", imitation=imitation)
        server.ask("POST", "registered-models/create", name=server.model)
        yield server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    """The working directory: a project whose lockgate.yaml declares the registered model."""
    monkeypatch.delenv("LOCKGATE_CONF")
    monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(tmp_path))
    with warnings.catch_warnings():  # of Metaflow's own
        warnings.simplefilter("ignore")
        importlib.import_module("metaflow")
    write_project(tmp_path, project=PROJECT, mlflow={"registry": server.address, "model": server.model})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_alias_follows_promotions_and_revocations(server: Server) -> None:
    log = new_log()
    assert mlflow_index.follow_log(log, server.settings) == ""  # nothing was promoted
    promote_model(log, "a")
    assert mlflow_index.follow_log(log, server.settings) == ""  # and no version is of that model
    versions = {letter: server.register(sha_of(letter)) for letter in "abb"}
    place = f"{server.model}@champion"
    assert mlflow_index.follow_log(log, server.settings) == f"{place} is version {versions['a']}"
    assert (server.alias(), server.promoted_by(1)) == (versions["a"], versions["a"])
    assert mlflow_index.follow_log(log, server.settings) == ""

    promote_model(log, "b", minute=1, rows="other")
    assert mlflow_index.follow_log(log, server.settings) == f"{place} is version 3"  # the latest of those bytes
    revoke(log, run_of("b"), reason="wrong labels", actor="ada", clock=clock_at(2))
    assert mlflow_index.follow_log(log, server.settings) == f"{place} is version {versions['a']}"
    revoke(log, run_of("a"), reason="wrong labels", actor="ada", clock=clock_at(3))
    assert mlflow_index.follow_log(log, server.settings) == f"{place} is no longer version 1: no model reigns"
    assert server.alias() is None


def test_the_alias_is_on_no_version_where_the_champion_is_not_registered(server: Server) -> None:
    log = new_log()
    promote_model(log, "a")
    version = server.register(sha_of("c"))
    server.ask("POST", "registered-models/alias", name=server.model, alias="champion", version=version)  # by a person
    assert mlflow_index.follow_log(log, server.settings) == (
        f"{server.model}@champion is no longer version {version}: "
        "no version has the tag lockgate.sha256 of the champion"
    )
    assert server.alias() is None


def test_commands_keep_the_alias_and_put_it_right(server: Server, project: Path) -> None:
    log = new_log()
    version = server.register(sha_of("a"))
    decision = decide_and_log(LENIENT_POLICY, make_evidence(BETTER, model="a"), log)
    assert decision.decision.verdict == "PROMOTE"
    assert decision.note.endswith(f"; {server.model}@champion is version {version}")
    server.ask("DELETE", "registered-models/alias", name=server.model, alias="champion")
    assert mend_tags(log) == f"{server.model}@champion is version {version}"
    assert mend_tags(log) == ""
    write_project(project, project="another", mlflow={"registry": server.address, "model": server.model})
    server.ask("DELETE", "registered-models/alias", name=server.model, alias="champion")
    assert (mend_tags(log), server.alias()) == ("", None)


def http(status: str, body: bytes, header: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


ANSWERS = {
    "nothing listens": (None, r"MLflow does not answer \(ConnectionError\) @ http"),
    "a page": (http("200 OK", b"<html>"), r"MLflow does not answer \(JSONDecodeError\)"),
    "another's": (http("200 OK", b"[]"), r"MLflow refuses \(200\): None"),
    "no model": (http("200 OK", b"{}"), "MLflow sent an unreadable answer @ http"),
    "elsewhere": (http("302 Found", b"{}", "Location: http://127.0.0.1:9/\r\n"), r"MLflow refuses \(302\): None"),
    "an error": (http("500 Oh", b'{"message": "no\\ndatabase"}'), r"MLflow refuses \(500\): no.*database @ http"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_registry_that_fails_changes_no_verdict_and_no_entry(
    server: Server, project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    answer, problem = ANSWERS[name]
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-8f1c")
    with answer_with(answer) as address:
        write_project(project, project=PROJECT, mlflow={"registry": address, "model": server.model})
        log = new_log()
        decision = decide_and_log(LENIENT_POLICY, make_evidence(BETTER, model="a"), log)
        assert (decision.decision.verdict, decision.entry, log.head().seq) == ("PROMOTE", 1, 1)
        assert re.search(
            rf"; the alias in MLflow is not written \({problem}.*\); the next command repairs it$", decision.note
        )
        assert "canary" not in decision.note
        assert "\n" not in decision.note
        assert mend_tags(log) == ""
    version = server.register(sha_of("a"))
    write_project(project, project=PROJECT, mlflow={"registry": server.address, "model": server.model})
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    assert mend_tags(log) == f"{server.model}@champion is version {version}"


@contextmanager
def answer_with(answer: bytes | None) -> Iterator[str]:
    """The address of a server that sends these bytes, whatever it is asked; without them, of nobody."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if answer is None:
            listening.close()
            yield address
            return
        listening.listen()

        def answer_all() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        yield address
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("environment", "authorization"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_TOKEN": "abc"}, "Bearer abc"),
        ({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "pw"}, "Basic YWRhOnB3"),
    ],
)
def test_credentials_are_those_of_mlflow_itself(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], authorization: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with serve_registry() as (registry, address):
        settings = RegistrySettings(registry=address, model="churn")
        with pytest.raises(LockgateError, match=r"MLflow refuses \(404\): Registered Model with name=churn not found"):
            mlflow_index.follow_log(new_log(), settings)
    assert registry.requests == [("GET", "registered-models/get", authorization)]


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (
            {"registry": "https://ada:pw@mlflow.example.org", "model": "m"},
            "got an address with a user; expected .* @ mlflow.registry",
        ),
        ({"registry": "mlruns", "model": "m"}, r"expected an address as in https://mlflow.example.org"),
        ({"registry": "https://mlflow.example.org", "model": "m' or name!='"}, "mlflow.model"),
        ({"registry": "https://mlflow.example.org"}, "nothing given; expected a value @ mlflow.model"),
        ({"registry": "https://mlflow.example.org", "model": "m", "alias": "x"}, "mlflow.alias"),
    ],
)
def test_what_lockgate_yaml_may_declare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: dict[str, str], problem: str
) -> None:
    monkeypatch.delenv("LOCKGATE_CONF")
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path, mlflow=declared)
    with pytest.raises(SettingsError, match=problem) as caught:
        load_registry("churn")
    assert "ada:pw" not in str(caught.value)
    write_project(tmp_path)
    assert load_registry("churn") is None
