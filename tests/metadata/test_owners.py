"""A metadata service that several projects share: whose a run is, it says itself.

Tests of gates/runs/ownership.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.metadata.conftest import ask_service

FLOW = "EvaluateNewModel"


def register(service: str, *, system: list[str]) -> str:
    """A run of the same flow whose artifacts are in a datastore elsewhere, and which reigns there."""
    body = {"user_name": "eve", "tags": ["champion", "deployment_candidate"], "system_tags": system, "ts_epoch": 1}
    run = ask_service(f"{service}/flows/{FLOW}/run", method="POST", body=body)
    return f"{FLOW}/{run['run_number']}"


@pytest.mark.nightly
def test_the_runs_of_other_projects_keep_their_tags(project: Any, new_metadata_service: Callable[[], str]) -> None:
    service = new_metadata_service()
    env = {"METAFLOW_DEFAULT_METADATA": "service", "METAFLOW_SERVICE_URL": service}
    process = project.run("evaluate", "model.trees=8", **env)
    assert process.returncode == 0, process.stderr
    foreign = register(service, system=["user:eve", "project:lockgate_parcels", "project_branch:prod"])
    unknown = register(service, system=["user:eve"])
    process = project.run("verify", "--fix-tags", "--json", **env)
    report = json.loads(process.stdout)
    assert (process.returncode, report["fixed"], [deviation["where"] for deviation in report["deviations"]]) == (
        2,
        [],
        [unknown],
    )
    assert "it is of an unknown project" in report["deviations"][0]["said"]
    assert f"{foreign} is of Metaflow's project 'lockgate_parcels': its tags follow another log" in report["notes"]
    for run in (foreign, unknown):
        assert set(ask_service(f"{service}/flows/{run.replace('/', '/runs/')}")["tags"]) == {
            "champion",
            "deployment_candidate",
        }
