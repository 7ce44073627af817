"""A project whose runs are in a metadata service, and whose artifacts and log are on S3; all over HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from tests.crashes.conftest import Place, open_place
from tests.proxy import Proxy, proxied

METADATA_TIMEOUT_S = 12.0
"""How long the metadata have for an answer here."""


@dataclass(frozen=True)
class ServiceProject:
    """A project with one run that reigns; commands reach its service through the proxy."""

    project: Any
    proxy: Proxy
    place: Place
    env: dict[str, str]
    service: str
    run: str
    log: S3Store

    def history(self) -> list[str]:
        """The objects under log/."""
        return [meta["path"] for page in obstore.list(self.log, prefix="log") for meta in page]

    def fresh(self) -> str:
        """The run as it was before it was judged: no log, and without tags."""
        for page in obstore.list(self.log):
            self.log.delete([meta["path"] for meta in page])
        self.retag(remove=[*self.tags()])
        return self.run

    def retag(self, *, add: Any = (), remove: Any = ()) -> None:
        """Change the run's tags behind everybody's back."""
        body = {"tags_to_add": [*add], "tags_to_remove": [*remove]}
        ask_service(f"{self.service}/flows/{self.run.replace('/', '/runs/')}/tag/mutate", method="PATCH", body=body)

    def training_runs(self) -> list[str]:
        """Every run of EvaluateNewModel that the service knows."""
        return [str(run["run_number"]) for run in ask_service(f"{self.service}/flows/EvaluateNewModel/runs")]

    def tags(self) -> set[str]:
        """The user tags of the run."""
        return set(ask_service(f"{self.service}/flows/{self.run.replace('/', '/runs/')}")["tags"])


def ask_service(url: str, *, method: str = "GET", body: Any = None) -> Any:
    """What the service answers, without Metaflow's client in between."""
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.fixture(scope="session")
def service_project(
    tmp_path_factory: pytest.TempPathFactory,
    orders_conf: Path,
    project_at: Any,
    new_bucket: Callable[[], Any],
    new_metadata_service: Callable[[], str],
) -> Iterator[ServiceProject]:
    """For whoever leaves it with one run; `fresh` undoes what else a test did."""
    s3 = new_bucket()
    project = project_at(home=tmp_path_factory.mktemp("served"), conf=orders_conf)
    service = new_metadata_service()
    with proxied(service) as proxy:
        env = s3.env | {
            "METAFLOW_DEFAULT_METADATA": "service",
            "METAFLOW_SERVICE_URL": proxy.url,
            "METAFLOW_SERVICE_RETRY_COUNT": "1",
            "LOCKGATE_METADATA_SECONDS": str(METADATA_TIMEOUT_S),
        }
        process = project.run("evaluate", "model.trees=8", "--json", **env)
        assert process.returncode == 0, process.stderr
        log = S3Store(**s3.store, prefix="metaflow/lockgate/orders")
        (run,) = (
            f"EvaluateNewModel/{number['run_number']}"
            for number in ask_service(f"{service}/flows/EvaluateNewModel/runs")
        )
        with open_place(project, **env) as place:
            yield ServiceProject(project, proxy, place, env, service, run, log)
