"""A metadata service that several projects share: whose a run is, it says itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.metadata.conftest import asked

FLOW = "EvaluateNewModel"


def register(service: str, *, system: list[str]) -> str:
    """A run of the same flow whose artifacts are in a datastore elsewhere, and which reigns there."""
    body = {"user_name": "eve", "tags": ["champion", "deployment_candidate"], "system_tags": system, "ts_epoch": 1}
    run = asked(f"{service}/flows/{FLOW}/run", method="POST", body=body)
    return f"{FLOW}/{run['run_number']}"


def test_the_runs_of_other_projects_keep_their_tags(project: Any, new_metadata_service: Callable[[], str]) -> None:
    service = new_metadata_service()
    env = {"METAFLOW_DEFAULT_METADATA": "service", "METAFLOW_SERVICE_URL": service}
    done = project.run("evaluate", "model.trees=8", **env)
    assert done.returncode == 0, done.stderr
    foreign = register(service, system=["user:eve", "project:lockgate_parcels", "project_branch:prod"])
    unknown = register(service, system=["user:eve"])
    done = project.run("verify", "--fix-tags", "--json", **env)
    told = json.loads(done.stdout)
    assert (done.returncode, told["fixed"], [one["where"] for one in told["deviations"]]) == (2, [], [unknown])
    assert "it is of an unknown project" in told["deviations"][0]["said"]
    assert f"{foreign} is of Metaflow's project 'lockgate_parcels': its tags follow another log" in told["notes"]
    for run in (foreign, unknown):
        assert set(asked(f"{service}/flows/{run.replace('/', '/runs/')}")["tags"]) == {
            "champion",
            "deployment_candidate",
        }
